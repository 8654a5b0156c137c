/* Engine.IO sessions: handshake, refusals, polling, heartbeat, upgrade. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mock_stack.h"

static struct mock_stack m;

static int setup(void **state)
{
    (void)state;
    stack_setup(&m, NULL);
    stack_start(&m);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stack_end(&m);
    return 0;
}

static const char *with_sid(const char *sid)
{
    static char query[128];
    snprintf(query, sizeof query, "EIO=4&transport=polling&t=x&sid=%s", sid);
    return query;
}

static void the_open_packet_has_five_keys(void **state)
{
    (void)state;
    const char *sid = stack_handshake(&m, NULL);
    char expected[256];
    snprintf(expected, sizeof expected,
             "0{\"sid\":\"%s\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,"
             "\"pingTimeout\":60000,\"maxPayload\":1000000}",
             sid);
    assert_string_equal(m.net.handle[HANDLES - 1].text, expected);
    assert_true(stack_ws(&m, 0, "transport=websocket&EIO=4", NULL));
    assert_non_null(strstr(m.net.handle[0].text, "\"upgrades\":[],"));
}

static void refusals_come_in_the_reference_servers_order(void **state)
{
    static const struct {
        const char *query;
        int status;
        char code;
    } refused[] = {
        {"EIO=4", 400, '0'},
        {"EIO=3&transport=flash", 400, '0'},
        {"EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA", 400, '1'},
        {"EIO=4&transport=polling&sid=short", 400, '1'},
        {"EIO=4&transport=websocket", 400, '3'},
        {"EIO=3&transport=polling", 400, '5'},
        {"transport=polling", 400, '5'},
        {"EIO=44&transport=polling", 400, '5'},
        {"EIO=4&transport=pollingpollingpolling", 400, '0'},
        {"", 400, '0'},
    };
    char code[16];
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        stack_get(&m, 0, refused[i].query);
        assert_int_equal(m.net.handle[0].status, refused[i].status);
        snprintf(code, sizeof code, "{\"code\":%c,", refused[i].code);
        if (strncmp(m.net.handle[0].text, code, strlen(code)) != 0)
            fail_msg("%s: %s", refused[i].query, m.net.handle[0].text);
    }
    stack_post(&m, 0, "EIO=4&transport=polling", "40");
    assert_non_null(strstr(m.net.handle[0].text, "\"code\":2"));
    assert_false(stack_ws(&m, 0, "EIO=4&transport=polling", NULL));
    assert_int_equal(m.net.handle[0].status, 400);
    assert_false(stack_ws(&m, 0, "EIO=3&transport=websocket", NULL));
    assert_non_null(strstr(m.net.handle[0].text, "\"code\":5"));
}

static void empty_sid_is_absent_and_the_last_of_two_counts(void **state)
{
    (void)state;
    stack_get(&m, 0, "transport=flash&sid=&transport=polling&EIO=3&EIO=4&j=1&b64=1");
    assert_int_equal(m.net.handle[0].status, 200);
}

static void origins_are_kept_out(void **state)
{
    struct request rq = {
        .method = METHOD_GET, .query = "EIO=4&transport=polling", .origin = "https://evil.example"};
    (void)state;
    free(m.config.cors_allowed_origins);
    m.config.cors_allowed_origins = strdup("https://ui.example https://other.example");
    stack_request(&m, 0, &rq);
    assert_int_equal(m.net.handle[0].status, 403);
    rq.origin = "https://other.example";
    stack_request(&m, 1, &rq);
    assert_int_equal(m.net.handle[1].status, 200);
    rq.origin = NULL;
    stack_request(&m, 2, &rq);
    assert_int_equal(m.net.handle[2].status, 200);
    rq.websocket = true;
    rq.origin = "https://evil.example";
    rq.query = "EIO=4&transport=websocket";
    assert_int_equal(engine_refuses_ws(m.engine, &rq, m.now)->status, 403);
}

static void no_more_sessions_than_max_connections(void **state)
{
    (void)state;
    m.config.max_connections = 1;
    stack_get(&m, 0, "EIO=4&transport=polling");
    stack_get(&m, 1, "EIO=4&transport=polling");
    assert_int_equal(m.net.handle[0].status, 200);
    assert_int_equal(m.net.handle[1].status, 503);
}

static void a_get_waits_for_a_packet(void **state)
{
    (void)state;
    const char *sid = stack_handshake(&m, NULL);
    stack_get(&m, 0, with_sid(sid));
    assert_int_equal(m.net.handle[0].status, 0);
    stack_post(&m, 1, with_sid(sid), "40/tasks,{}");
    assert_int_equal(m.net.handle[1].status, 200);
    assert_string_equal(m.net.handle[1].text, "ok");
    assert_int_equal(m.net.handle[0].status, 200);
    assert_memory_equal(m.net.handle[0].text, "40/tasks,{\"sid\":\"", 17);
}

static void at_most_16_packets_in_an_answer(void **state)
{
    char body[512] = "40/tasks,";
    (void)state;
    for (int i = 0; i < 19; i++)
        sprintf(body + strlen(body),
                "\x1e"
                "42/tasks,%d[\"e\"]",
                i);
    const char *sid = stack_handshake(&m, NULL);
    stack_post(&m, 0, with_sid(sid), body);
    for (int expected = 16; expected > 0; expected -= 12) {
        int found = 1;
        stack_get(&m, 1, with_sid(sid));
        assert_int_equal(m.net.handle[1].status, 200);
        for (const char *p = m.net.handle[1].text; *p; p++)
            found += *p == 0x1e;
        assert_int_equal(found, expected);
    }
}

static void two_gets_at_once_end_the_session(void **state)
{
    (void)state;
    const char *sid = stack_handshake(&m, NULL);
    stack_get(&m, 0, with_sid(sid));
    stack_get(&m, 1, with_sid(sid));
    assert_int_equal(m.net.handle[1].status, 400);
    assert_int_equal(m.net.handle[0].status, 200);
    assert_string_equal(m.net.handle[0].text, "1");
    stack_get(&m, 2, with_sid(sid));
    assert_non_null(strstr(m.net.handle[2].text, "\"code\":1"));
}

static void an_aborted_get_ends_the_session(void **state)
{
    (void)state;
    const char *sid = stack_handshake(&m, NULL);
    stack_get(&m, 0, with_sid(sid));
    engine_gone(m.engine, &m.net.handle[0], sid);
    engine_flush(m.engine);
    assert_int_equal(engine_sessions(m.engine), 0);
    assert_int_equal(m.net.handle[0].status, 0); /* nobody to answer */
}

static void packets_that_end_a_session(void **state)
{
    static const struct {
        const char *body;
        int status;
    } bad[] = {{"", 400},
               {"abc", 400},
               {"2", 400},
               {"bAAA", 400},
               {"4", 400},
               {"49", 400},
               {"1", 200},
               {"1\x1e"
                "40/tasks,",
                200}};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *sid = stack_handshake(&m, NULL);
        stack_post(&m, 0, with_sid(sid), bad[i].body);
        assert_int_equal(m.net.handle[0].status, bad[i].status);
        assert_int_equal(engine_sessions(m.engine), 0);
    }
}

static void pings_to_the_millisecond(void **state)
{
    (void)state;
    m.config.refused_grace = 1000000;
    assert_true(stack_ws(&m, 0, "EIO=4&transport=websocket", NULL));
    stack_received(&m, 0);
    stack_say(&m, 0, "40/tasks,"); /* no connect timeout */
    stack_say(&m, 0, "41/tasks,");
    stack_received(&m, 0);
    stack_pass(&m, 24999);
    assert_string_equal(stack_received(&m, 0), "");
    stack_pass(&m, 1);
    assert_string_equal(stack_received(&m, 0), "2\n");
    stack_pass(&m, 4000);
    stack_say(&m, 0, "3"); /* the next ping counts from the pong */
    stack_pass(&m, 24999);
    assert_string_equal(stack_received(&m, 0), "");
    stack_pass(&m, 1);
    assert_string_equal(stack_received(&m, 0), "2\n");
}

static void a_drain_does_not_tell_a_polling_client_to_stay_away(void **state)
{
    (void)state;
    const char *sid = stack_handshake(&m, NULL);
    stack_get(&m, 0, with_sid(sid));
    engine_close_some(m.engine, 1);
    assert_int_equal(m.net.handle[0].status, 400);
    assert_non_null(strstr(m.net.handle[0].text, "\"code\":1"));
}

static void no_pong_ends_a_session_in_time(void **state)
{
    (void)state;
    m.config.connect_timeout = 1000000;
    const char *sid = stack_handshake(&m, NULL);
    stack_get(&m, 0, with_sid(sid));
    stack_pass(&m, 25000);
    assert_string_equal(m.net.handle[0].text, "2");
    stack_get(&m, 1, with_sid(sid));
    stack_pass(&m, 59999);
    assert_int_equal(m.net.handle[1].status, 0);
    stack_pass(&m, 1);
    assert_int_equal(m.net.handle[1].status, 400); /* not "1": python-socketio would stay away */
    assert_int_equal(engine_sessions(m.engine), 0);
    assert_int_equal((int)m.metrics.value[METRIC_CLOSED_TIMEOUT], 1);
}

static void no_namespace_in_time_ends_a_session(void **state)
{
    (void)state;
    m.config.ping_interval = 1000000;
    stack_handshake(&m, NULL);
    stack_pass(&m, 44999);
    assert_int_equal(engine_sessions(m.engine), 1);
    stack_pass(&m, 1);
    assert_int_equal(engine_sessions(m.engine), 0);
}

static const char *begin_upgrade(char *query, size_t size)
{
    const char *sid = stack_handshake(&m, NULL);
    snprintf(query, size, "EIO=4&transport=websocket&sid=%s", sid);
    stack_post(&m, 5, with_sid(sid), "40/tasks,");
    stack_get(&m, 5, with_sid(sid)); /* takes the answer */
    stack_get(&m, 0, with_sid(sid));
    assert_int_equal(m.net.handle[0].status, 0);
    assert_true(stack_ws(&m, 1, query, NULL));
    assert_string_equal(m.net.handle[1].text, ""); /* the probe's answer must come first */
    return sid;
}

static void an_upgrade(void **state)
{
    char query[128];
    (void)state;
    const char *sid = begin_upgrade(query, sizeof query);
    stack_say(&m, 1, "2probe");
    assert_string_equal(stack_received(&m, 1), "3probe\n");
    stack_pass(&m, 100);
    assert_string_equal(m.net.handle[0].text, "6"); /* the waiting GET is released */
    stack_get(&m, 2, with_sid(sid));                /* and so is one that comes late */
    stack_pass(&m, 100);
    assert_string_equal(m.net.handle[2].text, "6");
    stack_post(&m, 3, with_sid(sid), "42/tasks,1[\"x\"]");
    assert_int_equal(m.net.handle[3].status, 200);
    assert_string_equal(stack_received(&m, 1), ""); /* still the polling transport's */
    stack_say(&m, 1, "5");
    assert_string_equal(stack_received(&m, 1), "43/tasks,1[]\n");
    stack_get(&m, 4, with_sid(sid));
    assert_non_null(strstr(m.net.handle[4].text, "\"code\":3"));
    assert_false(m.net.handle[1].closed);
    assert_int_equal((int)m.metrics.value[METRIC_UPGRADES], 1);

    assert_false(stack_ws(&m, 6, query, NULL)); /* a second one harms nothing */
    assert_false(m.net.handle[1].closed);
}

static void an_upgrade_waits_for_a_probe_to_be_sent(void **state)
{
    char query[128];
    (void)state;
    const char *sid = begin_upgrade(query, sizeof query);
    m.net.handle[1].stalled = true;
    stack_say(&m, 1, "2probe");
    stack_pass(&m, 100); /* releases the waiting GET */
    stack_post(&m, 3, with_sid(sid), "42/tasks,1[\"x\"]");
    stack_say(&m, 1, "5");
    assert_string_equal(stack_received(&m, 1), "3probe\n");
    stack_writable(&m, 1);
    assert_string_equal(stack_received(&m, 1), "43/tasks,1[]\n");
}

static void an_upgrade_after_a_probe_that_went_unsent(void **state)
{
    char query[128];
    (void)state;
    begin_upgrade(query, sizeof query);
    m.net.handle[1].stalled = true;
    stack_say(&m, 1, "2probe");
    struct session *s = m.net.handle[1].session;
    m.net.handle[1].session = NULL;
    engine_ws_gone(s, &m.net.handle[1], m.now);
    stack_pass(&m, 100);
    assert_true(stack_ws(&m, 2, query, NULL));
    stack_say(&m, 2, "5"); /* ends the GET that waits */
    stack_say(&m, 2, "42/tasks,1[\"x\"]");
    assert_string_equal(stack_received(&m, 2), "43/tasks,1[]\n");
}

static void an_upgrade_without_a_probe(void **state)
{
    char query[128];
    (void)state;
    begin_upgrade(query, sizeof query);
    stack_say(&m, 1, "5");
    assert_string_equal(m.net.handle[0].text, "6");
    assert_false(m.net.handle[1].closed);
}

static void a_failed_upgrade_leaves_polling(void **state)
{
    char query[128];
    (void)state;
    const char *sid = begin_upgrade(query, sizeof query);
    stack_say(&m, 1, "42[\"too early\"]");
    assert_true(m.net.handle[1].closed);
    stack_pass(&m, 200);
    assert_int_equal(m.net.handle[0].status, 0);

    assert_true(stack_ws(&m, 1, query, NULL)); /* again, and this one is too slow */
    stack_pass(&m, 9999);
    assert_false(m.net.handle[1].closed);
    stack_pass(&m, 1);
    assert_true(m.net.handle[1].closed);

    assert_true(stack_ws(&m, 1, query, NULL)); /* and this one goes away */
    struct session *s = m.net.handle[1].session;
    m.net.handle[1].session = NULL;
    engine_ws_gone(s, &m.net.handle[1], m.now);
    stack_post(&m, 2, with_sid(sid), "42/tasks,2[\"x\"]");
    assert_string_equal(m.net.handle[0].text, "43/tasks,2[]");
}

static void a_session_that_ends_closes_its_probe(void **state)
{
    char query[128];
    (void)state;
    const char *sid = begin_upgrade(query, sizeof query);
    stack_post(&m, 2, with_sid(sid), "1");
    assert_true(m.net.handle[1].closed);
    assert_int_equal(m.net.handle[0].status, 200);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_open_packet_has_five_keys),
        TEST(refusals_come_in_the_reference_servers_order),
        TEST(empty_sid_is_absent_and_the_last_of_two_counts),
        TEST(origins_are_kept_out),
        TEST(no_more_sessions_than_max_connections),
        TEST(a_get_waits_for_a_packet),
        TEST(at_most_16_packets_in_an_answer),
        TEST(two_gets_at_once_end_the_session),
        TEST(an_aborted_get_ends_the_session),
        TEST(packets_that_end_a_session),
        TEST(pings_to_the_millisecond),
        TEST(a_drain_does_not_tell_a_polling_client_to_stay_away),
        TEST(no_pong_ends_a_session_in_time),
        TEST(no_namespace_in_time_ends_a_session),
        TEST(an_upgrade),
        TEST(an_upgrade_waits_for_a_probe_to_be_sent),
        TEST(an_upgrade_after_a_probe_that_went_unsent),
        TEST(an_upgrade_without_a_probe),
        TEST(a_failed_upgrade_leaves_polling),
        TEST(a_session_that_ends_closes_its_probe),
    };
    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
