/* How fast a client may send. */
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

static void start(void)
{
    world_start(&w);
    world_client(&w, 0, "a", 1);
    world_pass(&w, 2000); /* its CONNECT has been paid */
    w.asked[0] = '\0';
}

/* As the network does: nothing comes from one who is not read from. */
static int say_until_paused(int n, const char *text, int max)
{
    for (int i = 0; i < max; i++) {
        if (w.place[n].paused)
            return i;
        world_say(&w, n, text);
        hub_taken(w.hub, w.sid, strlen(text) - 1);
    }
    return max;
}

static void events_of_a_second_pass_and_one_more_waits(void **state)
{
    (void)state;
    w.config.event_rate = 10;
    start();
    assert_int_equal(say_until_paused(0, SMALL, 100), 11);
    assert_int_equal(metric(METRIC_PAUSED_EVENTS), 1);
    assert_int_equal(metric(METRIC_RECEIVED), 11); /* the one over it has been taken, too */
    world_pass(&w, 99);
    assert_true(w.place[0].paused);
    world_pass(&w, 1);
    assert_false(w.place[0].paused);
    assert_int_equal(say_until_paused(0, SMALL, 100), 1);
    world_pass(&w, 100);
    assert_false(w.place[0].paused);
    world_pass(&w, 5000);
    assert_int_equal(say_until_paused(0, SMALL, 100), 11);
    assert_false(w.place[0].closed);
    assert_int_equal(metric(METRIC_PAUSED_BYTES), 0);
}

static void a_pause_is_worth_its_while(void **state)
{
    (void)state;
    w.config.event_rate = 200; /* 5 ms each */
    start();
    assert_int_equal(say_until_paused(0, SMALL, 1000), 201);
    world_pass(&w, 49);
    assert_true(w.place[0].paused);
    world_pass(&w, 1);
    assert_false(w.place[0].paused);
    assert_int_equal(say_until_paused(0, SMALL, 1000), 10);
}

/* Over a minute: never more than the rate and a second of it, nothing lost, nobody closed. */
static void the_rate_is_kept(void **state)
{
    int said = 0;
    (void)state;
    w.config.event_rate = 50;
    start();
    for (int ms = 0; ms < 60000; ms += 10) {
        said += say_until_paused(0, SMALL, 1000);
        if (ms % 1000 == 0)
            world_say(&w, 0, "3");
        world_pass(&w, 10);
    }
    assert_true(said > 50 * 58 && said <= 50 * 61 + 1);
    assert_int_equal(metric(METRIC_RECEIVED), said);
    assert_false(w.place[0].closed);
}

static void bytes_are_a_debt_and_a_message_is_never_split(void **state)
{
    static char text[8192];
    (void)state;
    w.config.byte_rate = 1000;
    start();
    int n = sprintf(text, "42/tasks,[\"%0*d\"]", 2986, 0);
    assert_int_equal(n, 3000 - 1);
    strcat(text, " ");
    world_say(&w, 0, text);
    assert_int_equal(metric(METRIC_RECEIVED), 1);
    assert_int_equal(metric(METRIC_PAUSED_BYTES), 1);
    world_pass(&w, 1999);
    assert_true(w.place[0].paused);
    world_pass(&w, 1);
    assert_false(w.place[0].paused);
    assert_int_equal(metric(METRIC_PAUSED_EVENTS), 0);
}

static void both_rates_must_be_kept(void **state)
{
    (void)state;
    w.config.event_rate = 1;
    w.config.byte_rate = 14;
    start();
    world_say(&w, 0, SMALL);
    world_say(&w, 0, SMALL SMALL); /* not JSON: 2 events, 42 bytes in all */
    assert_true(w.place[0].closed);
    world_client(&w, 1, "a", 1);
    world_pass(&w, 4000);
    world_say(&w, 1, SMALL);
    world_say(&w, 1, SMALL);
    assert_int_equal(metric(METRIC_PAUSED_EVENTS), metric(METRIC_PAUSED_BYTES));
    world_pass(&w, 999);
    assert_true(w.place[1].paused);
    world_pass(&w, 1);
    assert_false(w.place[1].paused);
}

static void no_limit_is_none(void **state)
{
    (void)state;
    w.config.event_rate = 0;
    w.config.byte_rate = 0;
    start();
    assert_int_equal(say_until_paused(0, SMALL, 100000), 100000);
}

static void others_are_not_waited_for(void **state)
{
    (void)state;
    w.config.event_rate = 5;
    start();
    say_until_paused(0, SMALL, 100);
    world_client(&w, 1, "a", 2);
    assert_true(w.place[0].paused);
    assert_false(w.place[1].paused);
    assert_int_equal(say_until_paused(1, SMALL, 4), 4);
    world_event(&w, 20, "a", "[\"e\"]"); /* who is not read from is written to */
    engine_flush(w.engine);
    assert_string_equal(world_received(&w, 0), "42/tasks,[\"e\"]\n");
}

static void what_the_engine_ignores_counts_too(void **state)
{
    (void)state;
    w.config.event_rate = 10;
    start();
    assert_int_equal(say_until_paused(0, "6", 100), 11);
    world_pass(&w, 2000);
    assert_int_equal(say_until_paused(0, "3", 100), 11);
}

/* Else one with ten of them would cost as much as eleven. */
static void attachments_belong_to_their_event(void **state)
{
    (void)state;
    w.config.event_rate = 2;
    start();
    for (int i = 0; i < 2; i++) {
        world_say(
            &w, 0,
            "452-/"
            "tasks,[\"x\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]");
        for (int j = 0; j < 2; j++)
            engine_ws_message(w.place[0].session, &w.place[0], true, "b", 1, w.now);
        engine_flush(w.engine);
    }
    assert_false(w.place[0].closed);
    assert_int_equal(metric(METRIC_RECEIVED), 2);
    assert_int_equal(metric(METRIC_PAUSED_EVENTS), 0);
    world_say(&w, 0, SMALL);
    assert_int_equal(metric(METRIC_PAUSED_EVENTS), 1);
}

/* --- polling --- */

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

static void a_post_over_the_rate_is_answered_later(void **state)
{
    char body[512] = "";
    (void)state;
    w.config.event_rate = 10;
    start_polling();
    for (int i = 0; i < 20; i++)
        strcat(body, i ? "\x1e" SMALL : SMALL);
    world_post(&w, 1, query, body);
    assert_int_equal(metric(METRIC_RECEIVED), 20); /* it is not split */
    assert_int_equal(metric(METRIC_PAUSED_EVENTS), 1);
    world_get(&w, 2, query); /* the other way goes on */
    world_event(&w, 20, "a", "[\"e\"]");
    engine_flush(w.engine);
    assert_string_equal(w.place[2].text, "42/tasks,[\"e\"]");
    world_pass(&w, 999);
    assert_int_equal(w.place[1].status, 0);
    world_pass(&w, 1);
    assert_int_equal(w.place[1].status, 200);
    assert_string_equal(w.place[1].text, "ok");
    world_post(&w, 3, query, SMALL);
    world_pass(&w, 100);
    assert_int_equal(w.place[3].status, 200);
}

static void a_post_given_up_still_counts(void **state)
{
    (void)state;
    w.config.event_rate = 1;
    start_polling();
    world_post(&w, 1, query, SMALL "\x1e" SMALL);
    assert_int_equal(w.place[1].status, 0);
    engine_gone(w.engine, &w.place[1], query, w.now);
    world_post(&w, 2, query, SMALL);
    assert_int_equal(w.place[2].status, 400);
    assert_int_equal(metric(METRIC_RECEIVED), 2);
    assert_int_equal(metric(METRIC_CLOSED_OVERLAP), 1);
    assert_int_equal(engine_sessions(w.engine), 0);
}

static void the_end_answers_a_post_that_waits(void **state)
{
    (void)state;
    w.config.event_rate = 1;
    start_polling();
    world_post(&w, 1, query, SMALL "\x1e" SMALL);
    engine_close_some(w.engine, 1);
    assert_int_equal(w.place[1].status, 200);
}

static void an_upgrade_takes_the_pause_along(void **state)
{
    char ws[128];
    (void)state;
    w.config.event_rate = 1;
    start_polling();
    snprintf(ws, sizeof ws, "EIO=4&transport=websocket&sid=%s", strstr(query, "sid=") + 4);
    assert_true(world_ws(&w, 3, ws, NULL));
    world_say(&w, 3, "2probe");
    world_post(&w, 1, query, SMALL "\x1e" SMALL);
    assert_int_equal(w.place[1].status, 0);
    world_say(&w, 3, "5");
    assert_true(w.place[3].paused);
    world_pass(&w, 1000);
    assert_false(w.place[3].paused);
}

static void a_probe_is_answered_once(void **state)
{
    char ws[128];
    (void)state;
    start_polling();
    snprintf(ws, sizeof ws, "EIO=4&transport=websocket&sid=%s", strstr(query, "sid=") + 4);
    assert_true(world_ws(&w, 3, ws, NULL));
    world_say(&w, 3, "2probe");
    world_say(&w, 3, "2probe");
    assert_string_equal(world_received(&w, 3), "3probe\n");
    assert_true(w.place[3].closed);
    assert_int_equal(engine_sessions(w.engine), 1);
    assert_true(world_ws(&w, 4, ws, NULL)); /* another may be tried */
    world_say(&w, 4, "2probe");
    assert_string_equal(world_received(&w, 4), "3probe\n");
}

/* --- messages that are too large --- */

static void a_message_too_large_closes_with_1009(void **state)
{
    (void)state;
    start();
    engine_ws_broken(w.place[0].session, &w.place[0], WS_TOO_LARGE);
    engine_flush(w.engine);
    assert_true(w.place[0].closed);
    assert_int_equal(w.place[0].code, 1009);
    assert_int_equal(metric(METRIC_CLOSED_PAYLOAD), 1);
    assert_non_null(strstr(w.asked, "disconnect transport error 1\n"));
}

static void a_packet_beyond_a_limit_is_counted_under_its_name(void **state)
{
    static const struct {
        const char *packet;
        enum metric_id metric;
    } cases[] = {
        {"42/tasks,[[[1]]]", METRIC_CLOSED_DEPTH},
        {"453-/tasks,[\"x\"]", METRIC_CLOSED_ATTACHMENTS},
        {"42/tasks,[\"0123456789012345678901234567890123456789\"]", METRIC_CLOSED_PAYLOAD},
        {"42/tasks,[", METRIC_CLOSED_MALFORMED},
    };
    (void)state;
    w.config.max_depth = 2;
    w.config.max_attachments = 2;
    w.config.max_payload = 45;
    start();
    for (int i = 0; i < 4; i++) {
        world_client(&w, i + 1, "a", 1);
        world_say(&w, i + 1, cases[i].packet);
        assert_true(w.place[i + 1].closed);
        for (int j = 0; j < 4; j++)
            assert_int_equal(metric(cases[j].metric), j <= i);
    }
}

static void a_post_of_too_many_packets_ends_its_session(void **state)
{
    char noops[64] = "6";
    (void)state;
    w.config.max_packets = 16;
    start();
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", world_handshake(&w, NULL));
    while (strlen(noops) < 2 * 16 - 1)
        strcat(noops, "\x1e\x36");
    world_post(&w, 1, query, noops);
    assert_int_equal(w.place[1].status, 200);
    strcat(noops, "\x1e\x36");
    world_post(&w, 2, query, noops);
    assert_int_equal(w.place[2].status, 400);
    assert_int_equal(metric(METRIC_CLOSED_PACKETS), 1);
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
        TEST(events_of_a_second_pass_and_one_more_waits),
        TEST(a_pause_is_worth_its_while),
        TEST(the_rate_is_kept),
        TEST(bytes_are_a_debt_and_a_message_is_never_split),
        TEST(both_rates_must_be_kept),
        TEST(no_limit_is_none),
        TEST(others_are_not_waited_for),
        TEST(what_the_engine_ignores_counts_too),
        TEST(attachments_belong_to_their_event),
        TEST(a_post_over_the_rate_is_answered_later),
        TEST(a_post_given_up_still_counts),
        TEST(the_end_answers_a_post_that_waits),
        TEST(an_upgrade_takes_the_pause_along),
        TEST(a_probe_is_answered_once),
        TEST(a_message_too_large_closes_with_1009),
        TEST(a_packet_beyond_a_limit_is_counted_under_its_name),
        TEST(a_post_of_too_many_packets_ends_its_session),
    };
    return cmocka_run_group_tests_name("throttle", tests, NULL, NULL);
}
