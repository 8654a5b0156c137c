/* How fast a client may send. */
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

static void start(void)
{
    stack_start(&m);
    stack_client(&m, 0, "a", 1);
    stack_pass(&m, 2000); /* its CONNECT has been paid */
    m.mock.asked[0] = '\0';
}

/* As the network does: nothing comes from one who is not read from. */
static int say_until_paused(int n, const char *text, int max)
{
    for (int i = 0; i < max; i++) {
        if (m.net.handle[n].paused)
            return i;
        stack_say(&m, n, text);
        hub_taken(m.hub, m.mock.sid, strlen(text) - 1);
    }
    return max;
}

static void events_of_a_second_pass_and_one_more_waits(void **state)
{
    (void)state;
    m.config.event_rate = 10;
    start();
    assert_int_equal(say_until_paused(0, SMALL, 100), 11);
    assert_int_equal(metric(METRIC_PAUSED_EVENTS), 1);
    assert_int_equal(metric(METRIC_RECEIVED), 11); /* the one over it has been taken, too */
    stack_pass(&m, 99);
    assert_true(m.net.handle[0].paused);
    stack_pass(&m, 1);
    assert_false(m.net.handle[0].paused);
    assert_int_equal(say_until_paused(0, SMALL, 100), 1);
    stack_pass(&m, 100);
    assert_false(m.net.handle[0].paused);
    stack_pass(&m, 5000);
    assert_int_equal(say_until_paused(0, SMALL, 100), 11);
    assert_false(m.net.handle[0].closed);
    assert_int_equal(metric(METRIC_PAUSED_BYTES), 0);
}

static void a_pause_is_worth_its_while(void **state)
{
    (void)state;
    m.config.event_rate = 200; /* 5 ms each */
    start();
    assert_int_equal(say_until_paused(0, SMALL, 1000), 201);
    stack_pass(&m, 49);
    assert_true(m.net.handle[0].paused);
    stack_pass(&m, 1);
    assert_false(m.net.handle[0].paused);
    assert_int_equal(say_until_paused(0, SMALL, 1000), 10);
}

/* Over a minute: never more than the rate and a second of it, nothing lost, nobody closed. */
static void the_rate_is_kept(void **state)
{
    int said = 0;
    (void)state;
    m.config.event_rate = 50;
    start();
    for (int ms = 0; ms < 60000; ms += 10) {
        said += say_until_paused(0, SMALL, 1000);
        if (ms % 1000 == 0)
            stack_say(&m, 0, "3");
        stack_pass(&m, 10);
    }
    assert_true(said > 50 * 58 && said <= 50 * 61 + 1);
    assert_int_equal(metric(METRIC_RECEIVED), said);
    assert_false(m.net.handle[0].closed);
}

static void bytes_are_a_debt_and_a_message_is_never_split(void **state)
{
    static char text[8192];
    (void)state;
    m.config.byte_rate = 1000;
    start();
    int n = sprintf(text, "42/tasks,[\"%0*d\"]", 2986, 0);
    assert_int_equal(n, 3000 - 1);
    strcat(text, " ");
    stack_say(&m, 0, text);
    assert_int_equal(metric(METRIC_RECEIVED), 1);
    assert_int_equal(metric(METRIC_PAUSED_BYTES), 1);
    stack_pass(&m, 1999);
    assert_true(m.net.handle[0].paused);
    stack_pass(&m, 1);
    assert_false(m.net.handle[0].paused);
    assert_int_equal(metric(METRIC_PAUSED_EVENTS), 0);
}

static void both_rates_must_be_kept(void **state)
{
    (void)state;
    m.config.event_rate = 1;
    m.config.byte_rate = 14;
    start();
    stack_say(&m, 0, SMALL);
    stack_say(&m, 0, SMALL SMALL); /* not JSON: 2 events, 42 bytes in all */
    assert_true(m.net.handle[0].closed);
    stack_client(&m, 1, "a", 1);
    stack_pass(&m, 4000);
    stack_say(&m, 1, SMALL);
    stack_say(&m, 1, SMALL);
    assert_int_equal(metric(METRIC_PAUSED_EVENTS), metric(METRIC_PAUSED_BYTES));
    stack_pass(&m, 999);
    assert_true(m.net.handle[1].paused);
    stack_pass(&m, 1);
    assert_false(m.net.handle[1].paused);
}

static void no_limit_is_none(void **state)
{
    (void)state;
    m.config.event_rate = 0;
    m.config.byte_rate = 0;
    start();
    assert_int_equal(say_until_paused(0, SMALL, 100000), 100000);
}

static void others_are_not_waited_for(void **state)
{
    (void)state;
    m.config.event_rate = 5;
    start();
    say_until_paused(0, SMALL, 100);
    stack_client(&m, 1, "a", 2);
    assert_true(m.net.handle[0].paused);
    assert_false(m.net.handle[1].paused);
    assert_int_equal(say_until_paused(1, SMALL, 4), 4);
    stack_event(&m, 20, "a", "[\"e\"]"); /* who is not read from is written to */
    engine_flush(m.engine);
    assert_string_equal(stack_received(&m, 0), "42/tasks,[\"e\"]\n");
}

static void what_the_engine_ignores_counts_too(void **state)
{
    (void)state;
    m.config.event_rate = 10;
    start();
    assert_int_equal(say_until_paused(0, "6", 100), 11);
    stack_pass(&m, 2000);
    assert_int_equal(say_until_paused(0, "3", 100), 11);
}

/* Else one with ten of them would cost as much as eleven. */
static void attachments_belong_to_their_event(void **state)
{
    (void)state;
    m.config.event_rate = 2;
    start();
    for (int i = 0; i < 2; i++) {
        stack_say(
            &m, 0,
            "452-/"
            "tasks,[\"x\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]");
        for (int j = 0; j < 2; j++)
            engine_ws_message(m.net.handle[0].session, &m.net.handle[0], true, "b", 1, m.now);
        engine_flush(m.engine);
    }
    assert_false(m.net.handle[0].closed);
    assert_int_equal(metric(METRIC_RECEIVED), 2);
    assert_int_equal(metric(METRIC_PAUSED_EVENTS), 0);
    stack_say(&m, 0, SMALL);
    assert_int_equal(metric(METRIC_PAUSED_EVENTS), 1);
}

/* --- polling --- */

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

static void a_post_over_the_rate_is_answered_later(void **state)
{
    char body[512] = "";
    (void)state;
    m.config.event_rate = 10;
    start_polling();
    for (int i = 0; i < 20; i++)
        strcat(body, i ? "\x1e" SMALL : SMALL);
    stack_post(&m, 1, query, body);
    assert_int_equal(metric(METRIC_RECEIVED), 20); /* it is not split */
    assert_int_equal(metric(METRIC_PAUSED_EVENTS), 1);
    stack_get(&m, 2, query); /* the other way goes on */
    stack_event(&m, 20, "a", "[\"e\"]");
    engine_flush(m.engine);
    assert_string_equal(m.net.handle[2].text, "42/tasks,[\"e\"]");
    stack_pass(&m, 999);
    assert_int_equal(m.net.handle[1].status, 0);
    stack_pass(&m, 1);
    assert_int_equal(m.net.handle[1].status, 200);
    assert_string_equal(m.net.handle[1].text, "ok");
    stack_post(&m, 3, query, SMALL);
    stack_pass(&m, 100);
    assert_int_equal(m.net.handle[3].status, 200);
}

static void a_post_given_up_still_counts(void **state)
{
    (void)state;
    m.config.event_rate = 1;
    start_polling();
    stack_post(&m, 1, query, SMALL "\x1e" SMALL);
    assert_int_equal(m.net.handle[1].status, 0);
    engine_gone(m.engine, &m.net.handle[1], strstr(query, "sid=") + 4);
    stack_post(&m, 2, query, SMALL);
    assert_int_equal(m.net.handle[2].status, 400);
    assert_int_equal(metric(METRIC_RECEIVED), 2);
    assert_int_equal(metric(METRIC_CLOSED_OVERLAP), 1);
    assert_int_equal(engine_sessions(m.engine), 0);
}

static void the_end_answers_a_post_that_waits(void **state)
{
    (void)state;
    m.config.event_rate = 1;
    start_polling();
    stack_post(&m, 1, query, SMALL "\x1e" SMALL);
    engine_close_some(m.engine, 1);
    assert_int_equal(m.net.handle[1].status, 200);
}

static void an_upgrade_takes_the_pause_along(void **state)
{
    char ws[128];
    (void)state;
    m.config.event_rate = 1;
    start_polling();
    snprintf(ws, sizeof ws, "EIO=4&transport=websocket&sid=%s", strstr(query, "sid=") + 4);
    assert_true(stack_ws(&m, 3, ws, NULL));
    stack_say(&m, 3, "2probe");
    stack_post(&m, 1, query, SMALL "\x1e" SMALL);
    assert_int_equal(m.net.handle[1].status, 0);
    stack_say(&m, 3, "5");
    assert_true(m.net.handle[3].paused);
    stack_pass(&m, 1000);
    assert_false(m.net.handle[3].paused);
}

static void a_probe_is_answered_once(void **state)
{
    char ws[128];
    (void)state;
    start_polling();
    snprintf(ws, sizeof ws, "EIO=4&transport=websocket&sid=%s", strstr(query, "sid=") + 4);
    assert_true(stack_ws(&m, 3, ws, NULL));
    stack_say(&m, 3, "2probe");
    stack_say(&m, 3, "2probe");
    assert_string_equal(stack_received(&m, 3), "3probe\n");
    assert_true(m.net.handle[3].closed);
    assert_int_equal(engine_sessions(m.engine), 1);
    assert_true(stack_ws(&m, 4, ws, NULL)); /* another may be tried */
    stack_say(&m, 4, "2probe");
    assert_string_equal(stack_received(&m, 4), "3probe\n");
}

/* --- messages that are too large --- */

static void a_message_too_large_closes_with_1009(void **state)
{
    (void)state;
    start();
    engine_ws_broken(m.net.handle[0].session, &m.net.handle[0], WS_TOO_LARGE);
    engine_flush(m.engine);
    assert_true(m.net.handle[0].closed);
    assert_int_equal(m.net.handle[0].code, 1009);
    assert_int_equal(metric(METRIC_CLOSED_PAYLOAD), 1);
    assert_non_null(strstr(m.mock.asked, "disconnect transport error 1\n"));
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
    m.config.max_depth = 2;
    m.config.max_attachments = 2;
    m.config.max_payload = 45;
    start();
    for (int i = 0; i < 4; i++) {
        stack_client(&m, i + 1, "a", 1);
        stack_say(&m, i + 1, cases[i].packet);
        assert_true(m.net.handle[i + 1].closed);
        for (int j = 0; j < 4; j++)
            assert_int_equal(metric(cases[j].metric), j <= i);
    }
}

static void a_post_of_too_many_packets_ends_its_session(void **state)
{
    char noops[64] = "6";
    (void)state;
    m.config.max_packets = 16;
    start();
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", stack_handshake(&m, NULL));
    while (strlen(noops) < 2 * 16 - 1)
        strcat(noops, "\x1e\x36");
    stack_post(&m, 1, query, noops);
    assert_int_equal(m.net.handle[1].status, 200);
    strcat(noops, "\x1e\x36");
    stack_post(&m, 2, query, noops);
    assert_int_equal(m.net.handle[2].status, 400);
    assert_int_equal(metric(METRIC_CLOSED_PACKETS), 1);
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
