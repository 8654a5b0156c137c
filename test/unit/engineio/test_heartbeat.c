/* Heartbeats: a client that is not read from lives on, and is not kept when it has gone; a process
 * that is late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engineio/session.h"
#include "world.h"

static struct world w;

#define SMALL "42/tasks,[\"x\"]" /* 14 bytes */

static int metric(enum metric_id id)
{
    return (int)w.metrics.value[id];
}

static char query[128];

static void start_polling(void)
{
    world_start(&w);
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s",
             world_handshake(&w, world_bearer(&w, 7, 3600, "")));
    world_post(&w, 0, query, "40/tasks,");
    world_set_rooms(&w, w.sid, "a", 1, "10:10:");
    world_get(&w, 0, query);
    world_pass(&w, 2000);
}

static void start_slow(void)
{
    w.config.ping_interval = 1000;
    w.config.ping_timeout = 3000;
    w.config.inbox_bytes = 30;
}

static int pings(int n)
{
    int count = 0;
    for (const char *at = world_received(&w, n); *at; at = strchr(at, '\n') + 1)
        count += strncmp(at, "2\n", 2) == 0;
    return count;
}

/* Its own timeout must not end it, and ours neither: it could not answer. */
static void one_that_is_not_read_from_is_pinged_on(void **state)
{
    (void)state;
    start_slow();
    world_start(&w);
    world_client(&w, 0, "a", 1);
    world_say(&w, 0, SMALL);
    world_say(&w, 0, SMALL);
    world_say(&w, 0, SMALL);
    assert_true(w.place[0].paused);
    assert_int_equal(metric(METRIC_PAUSED_INBOX), 1);
    world_pass(&w, 60000);
    assert_int_equal(pings(0), 60);
    assert_false(w.place[0].closed);
    /* Once it is read from again it has its time to answer, from the next ping on. */
    hub_taken(w.hub, w.sid, 42);
    assert_false(w.place[0].paused);
    world_pass(&w, 1000);
    assert_int_equal(pings(0), 1);
    world_pass(&w, 2999);
    assert_false(w.place[0].closed);
    world_pass(&w, 1);
    assert_true(w.place[0].closed);
    assert_int_equal(metric(METRIC_CLOSED_TIMEOUT), 1);
}

static void it_lives_on_when_it_answers(void **state)
{
    (void)state;
    start_slow();
    world_start(&w);
    world_client(&w, 0, "a", 1);
    for (int i = 0; i < 3; i++)
        world_say(&w, 0, SMALL);
    world_pass(&w, 10500);
    hub_taken(w.hub, w.sid, 42);
    for (int i = 0; i < 10; i++)
        world_say(&w, 0, "3"); /* one for each ping */
    assert_int_equal(pings(0), 10);
    for (int i = 0; i < 10; i++) {
        world_pass(&w, 1000);
        assert_int_equal(pings(0), 1);
        world_say(&w, 0, "3");
    }
    assert_false(w.place[0].closed);
}

/* The pause lies between ping and timeout, and is over at its end: what was missed must not count.
 */
static void a_pause_between_ping_and_timeout_excuses_once(void **state)
{
    (void)state;
    start_slow();
    world_start(&w);
    world_client(&w, 0, "a", 1);
    world_pass(&w, 1500);
    for (int i = 0; i < 3; i++)
        world_say(&w, 0, SMALL);
    world_pass(&w, 100);
    hub_taken(w.hub, w.sid, 42);
    world_pass(&w, 2399);
    assert_int_equal(pings(0), 1);
    world_pass(&w, 1);
    assert_false(w.place[0].closed);
    assert_int_equal(pings(0), 1);
    world_pass(&w, 2999);
    assert_false(w.place[0].closed);
    world_pass(&w, 1);
    assert_true(w.place[0].closed);
}

/* A polling client that is not read from still asks for what is sent to it. */
static void pause_polling(void)
{
    start_slow();
    start_polling();
    world_get(&w, 5, query);
    assert_string_equal(w.place[5].text, "2");
    world_post(&w, 5, query, "3");
    world_get(&w, 2, query);
    world_pass(&w, 1000);
    assert_string_equal(w.place[2].text, "2");
    world_post(&w, 1, query, SMALL "\x1e" SMALL "\x1e" SMALL);
    assert_int_equal(w.place[1].status, 0);
}

static void a_polling_client_that_has_gone_is_noticed(void **state)
{
    (void)state;
    pause_polling();
    for (int i = 0; i < 10; i++) { /* it lives */
        world_get(&w, 2, query);
        world_pass(&w, 3000);
        assert_string_equal(w.place[2].text, "2");
    }
    world_get(&w, 2, query);
    engine_gone(w.engine, &w.place[1], query, w.now); /* its other connection has broken */
    world_pass(&w, 3000);
    assert_int_equal(engine_sessions(w.engine), 1);
    world_pass(&w, 2999); /* it does not come for this ping */
    assert_int_equal(engine_sessions(w.engine), 1);
    world_pass(&w, 1);
    assert_int_equal(engine_sessions(w.engine), 0);
    assert_int_equal(metric(METRIC_CLOSED_TIMEOUT), 1);
}

static void one_that_came_for_its_ping_is_there(void **state)
{
    (void)state;
    pause_polling();
    for (int i = 0; i < 10; i++) {
        world_get(&w, 2, query); /* takes the ping, if there is one */
        world_event(&w, 20, "a", "[\"e\"]");
        engine_flush(w.engine);
        assert_int_equal(w.place[2].status, 200);
        world_pass(&w, 3000); /* it has none open when it is pinged */
    }
    assert_int_equal(engine_sessions(w.engine), 1);
    world_pass(&w, 3000);
    assert_int_equal(engine_sessions(w.engine), 0);
}

/* The loop had no time for timers. */
static void stall(uint64_t ms)
{
    w.now += ms;
    wheel_advance(w.wheel, w.now);
    engine_flush(w.engine);
}

static void a_late_ping_is_not_a_late_end(void **state)
{
    (void)state;
    start_slow();
    world_start(&w);
    world_client(&w, 0, "a", 1);
    world_pass(&w, 990);
    stall(110);
    assert_int_equal(pings(0), 1);
    world_pass(&w, 2899);
    assert_false(w.place[0].closed);
    world_pass(&w, 1);
    assert_true(w.place[0].closed);
}

static void a_very_late_ping_leaves_time_to_answer(void **state)
{
    (void)state;
    start_slow();
    world_start(&w);
    world_client(&w, 0, "a", 1);
    stall(30000);
    assert_int_equal(pings(0), 1);
    world_pass(&w, 2249);
    assert_false(w.place[0].closed);
    world_pass(&w, 1);
    assert_true(w.place[0].closed);
}

static void what_is_due_comes_before_a_request(void **state)
{
    (void)state;
    start_slow();
    start_polling();
    world_pass(&w, 1000);
    w.now += 3000;
    world_get(&w, 2, query);
    assert_int_equal(w.place[2].status, 400);
    assert_int_equal(metric(METRIC_CLOSED_TIMEOUT), 1);
}

static int setup(void **state)
{
    (void)state;
    world_setup(&w); /* each test starts it, with its limits */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_end(&w);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_that_is_not_read_from_is_pinged_on),
        TEST(it_lives_on_when_it_answers),
        TEST(a_pause_between_ping_and_timeout_excuses_once),
        TEST(a_polling_client_that_has_gone_is_noticed),
        TEST(one_that_came_for_its_ping_is_there),
        TEST(a_late_ping_is_not_a_late_end),
        TEST(a_very_late_ping_leaves_time_to_answer),
        TEST(what_is_due_comes_before_a_request),
    };
    return cmocka_run_group_tests_name("heartbeat", tests, NULL, NULL);
}
