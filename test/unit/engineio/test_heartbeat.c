/* Heartbeats: a client that is not read from lives on, and is not kept when it has gone; a process
 * that is late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engineio/session.h"
#include "mock_stack.h"

static struct mock_stack m;

#define SMALL "42/tasks,[\"x\"]" /* 14 bytes */

static int metric(enum metric_id id)
{
    return (int)m.metrics.value[id];
}

static char query[128];

static void start_polling(void)
{
    stack_start(&m);
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s",
             stack_handshake(&m, stack_bearer(&m, 7, 3600, "")));
    stack_post(&m, 0, query, "40/tasks,");
    stack_set_rooms(&m, m.mock.sid, "a", 1, "10:10:");
    stack_get(&m, 0, query);
    stack_pass(&m, 2000);
}

static void start_slow(void)
{
    m.config.ping_interval = 1000;
    m.config.ping_timeout = 3000;
    m.config.inbox_bytes = 30;
}

static int pings(int n)
{
    int count = 0;
    for (const char *at = stack_received(&m, n); *at; at = strchr(at, '\n') + 1)
        count += strncmp(at, "2\n", 2) == 0;
    return count;
}

/* Its own timeout must not end it, and ours neither: it could not answer. */
static void one_that_is_not_read_from_is_pinged_on(void **state)
{
    (void)state;
    start_slow();
    stack_start(&m);
    stack_client(&m, 0, "a", 1);
    stack_say(&m, 0, SMALL);
    stack_say(&m, 0, SMALL);
    stack_say(&m, 0, SMALL);
    assert_true(m.net.handle[0].paused);
    assert_int_equal(metric(METRIC_PAUSED_INBOX), 1);
    stack_pass(&m, 60000);
    assert_int_equal(pings(0), 60);
    assert_false(m.net.handle[0].closed);
    /* Once it is read from again it has its time to answer, from the next ping on. */
    hub_taken(m.hub, m.mock.sid, 42);
    assert_false(m.net.handle[0].paused);
    stack_pass(&m, 1000);
    assert_int_equal(pings(0), 1);
    stack_pass(&m, 2999);
    assert_false(m.net.handle[0].closed);
    stack_pass(&m, 1);
    assert_true(m.net.handle[0].closed);
    assert_int_equal(metric(METRIC_CLOSED_TIMEOUT), 1);
}

static void it_lives_on_when_it_answers(void **state)
{
    (void)state;
    start_slow();
    stack_start(&m);
    stack_client(&m, 0, "a", 1);
    for (int i = 0; i < 3; i++)
        stack_say(&m, 0, SMALL);
    stack_pass(&m, 10500);
    hub_taken(m.hub, m.mock.sid, 42);
    for (int i = 0; i < 10; i++)
        stack_say(&m, 0, "3"); /* one for each ping */
    assert_int_equal(pings(0), 10);
    for (int i = 0; i < 10; i++) {
        stack_pass(&m, 1000);
        assert_int_equal(pings(0), 1);
        stack_say(&m, 0, "3");
    }
    assert_false(m.net.handle[0].closed);
}

/* The pause lies between ping and timeout, and is over at its end: what was missed must not count.
 */
static void a_pause_between_ping_and_timeout_excuses_once(void **state)
{
    (void)state;
    start_slow();
    stack_start(&m);
    stack_client(&m, 0, "a", 1);
    stack_pass(&m, 1500);
    for (int i = 0; i < 3; i++)
        stack_say(&m, 0, SMALL);
    stack_pass(&m, 100);
    hub_taken(m.hub, m.mock.sid, 42);
    stack_pass(&m, 2399);
    assert_int_equal(pings(0), 1);
    stack_pass(&m, 1);
    assert_false(m.net.handle[0].closed);
    assert_int_equal(pings(0), 1);
    stack_pass(&m, 2999);
    assert_false(m.net.handle[0].closed);
    stack_pass(&m, 1);
    assert_true(m.net.handle[0].closed);
}

/* A polling client that is not read from still asks for what is sent to it. */
static void pause_polling(void)
{
    start_slow();
    start_polling();
    stack_get(&m, 5, query);
    assert_string_equal(m.net.handle[5].text, "2");
    stack_post(&m, 5, query, "3");
    stack_get(&m, 2, query);
    stack_pass(&m, 1000);
    assert_string_equal(m.net.handle[2].text, "2");
    stack_post(&m, 1, query, SMALL "\x1e" SMALL "\x1e" SMALL);
    assert_int_equal(m.net.handle[1].status, 0);
}

static void a_polling_client_that_has_gone_is_noticed(void **state)
{
    (void)state;
    pause_polling();
    for (int i = 0; i < 10; i++) { /* it lives */
        stack_get(&m, 2, query);
        stack_pass(&m, 3000);
        assert_string_equal(m.net.handle[2].text, "2");
    }
    stack_get(&m, 2, query);
    engine_gone(m.engine, &m.net.handle[1],
                strstr(query, "sid=") + 4); /* its other connection has broken */
    stack_pass(&m, 3000);
    assert_int_equal(engine_sessions(m.engine), 1);
    stack_pass(&m, 2999); /* it does not come for this ping */
    assert_int_equal(engine_sessions(m.engine), 1);
    stack_pass(&m, 1);
    assert_int_equal(engine_sessions(m.engine), 0);
    assert_int_equal(metric(METRIC_CLOSED_TIMEOUT), 1);
}

static void one_that_came_for_its_ping_is_there(void **state)
{
    (void)state;
    pause_polling();
    for (int i = 0; i < 10; i++) {
        stack_get(&m, 2, query); /* takes the ping, if there is one */
        stack_event(&m, 20, "a", "[\"e\"]");
        engine_flush(m.engine);
        assert_int_equal(m.net.handle[2].status, 200);
        stack_pass(&m, 3000); /* it has none open when it is pinged */
    }
    assert_int_equal(engine_sessions(m.engine), 1);
    stack_pass(&m, 3000);
    assert_int_equal(engine_sessions(m.engine), 0);
}

/* The loop had no time for timers. */
static void stall(uint64_t ms)
{
    m.now += ms;
    wheel_advance(m.wheel, m.now);
    engine_flush(m.engine);
}

static void a_late_ping_is_not_a_late_end(void **state)
{
    (void)state;
    start_slow();
    stack_start(&m);
    stack_client(&m, 0, "a", 1);
    stack_pass(&m, 990);
    stall(110);
    assert_int_equal(pings(0), 1);
    stack_pass(&m, 2899);
    assert_false(m.net.handle[0].closed);
    stack_pass(&m, 1);
    assert_true(m.net.handle[0].closed);
}

static void a_very_late_ping_leaves_time_to_answer(void **state)
{
    (void)state;
    start_slow();
    stack_start(&m);
    stack_client(&m, 0, "a", 1);
    stall(30000);
    assert_int_equal(pings(0), 1);
    stack_pass(&m, 2249);
    assert_false(m.net.handle[0].closed);
    stack_pass(&m, 1);
    assert_true(m.net.handle[0].closed);
}

static void what_is_due_comes_before_a_request(void **state)
{
    (void)state;
    start_slow();
    start_polling();
    stack_pass(&m, 1000);
    m.now += 3000;
    stack_get(&m, 2, query);
    assert_int_equal(m.net.handle[2].status, 400);
    assert_int_equal(metric(METRIC_CLOSED_TIMEOUT), 1);
}

static int setup(void **state)
{
    (void)state;
    stack_setup(&m, NULL); /* each test starts it, with its limits */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stack_end(&m);
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
