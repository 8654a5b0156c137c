/* Tokens: every row of the table of what follows from a judgement. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture.h"
#include "mock_stack.h"

static struct mock_stack m;
static const char WS[] = "EIO=4&transport=websocket";

static int setup(void **state)
{
    (void)state;
    stack_setup(&m, NULL);
    m.config.ping_interval = m.config.ping_timeout = 100000000;
    free(m.config.namespaces);
    m.config.namespaces = strdup("/tasks /b");
    stack_start(&m);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stack_end(&m);
    return 0;
}

static void a_good_token_is_asked_of_the_backend(void **state)
{
    (void)state;
    assert_string_equal(stack_connect_as(&m, 0, stack_bearer(&m, 7, 3600, "")), "");
    assert_string_equal(m.mock.asked, "connect /tasks 7 websocket\n");
    stack_pass(&m, 3600000);
    assert_false(m.net.handle[0].closed);
}

static void an_expired_token_is_notified(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        uint64_t stay;
    } client[] = {{",\"vantage6_client_type\":\"node\"", 30000},
                  {",\"client_type\":\"user\"", 600000}};
    for (int i = 0; i < 2; i++) {
        assert_string_equal(stack_connect_as(&m, i, stack_bearer(&m, 7, -11, client[i].type)), "");
        stack_set_rooms(&m, m.mock.sid, NULL, 0, NULL);
        assert_string_equal(stack_received(&m, i), "42/tasks,[\"expired_token\"]\n");
        stack_closed_after(&m, i, client[i].stay);
    }
    assert_int_equal(m.metrics.value[METRIC_UNKNOWN_SUBJECTS], 0);
}

static void strangers_come(void)
{
    for (int i = 0; i < 30; i++)
        stack_connect_as(&m, i, i % 2 ? "Bearer x" : stack_bearer(&m, 7, -11, ""));
}

static void time_is_told(void)
{
    auth_set_clock(m.auth, (int64_t)STACK_UNIX * 1000 + (int64_t)m.now, m.now);
}

static void lines_about_refused_tokens_keep_client_log_rate(void **state)
{
    unsigned lines = 0;
    (void)state;
    capture(strangers_come);
    for (const char *at = written; (at = strstr(at, "token refused: ")); at++)
        lines++;
    assert_int_equal(lines, 10);
    assert_true(m.metrics.value[METRIC_LOG_LIMITED] == 20);
    capture(time_is_told);
    assert_string_equal(written, "");
    stack_pass(&m, 1000);
    capture(time_is_told);
    assert_non_null(strstr(written, ": 20 more were not logged (client_log_rate)\n"));
    capture(time_is_told);
    assert_string_equal(written, "");
}

static void a_bad_signature_is_notified_once_in_10_s(void **state)
{
    char forged[1024];
    (void)state;
    snprintf(forged, sizeof forged, "%s", stack_bearer(&m, 7, 3600, ""));
    char *digit = &forged[strlen(forged) - 5];
    *digit = *digit == 'A' ? 'B' : 'A';
    assert_string_equal(stack_connect_as(&m, 0, forged), "42/tasks,[\"invalid_token\"]\n");
    stack_pass(&m, 9999);
    assert_string_equal(stack_connect_as(&m, 1, forged), "");
    stack_pass(&m, 1);
    assert_string_equal(stack_connect_as(&m, 2, forged), "42/tasks,[\"invalid_token\"]\n");
    stack_closed_after(&m, 2, 30000);
    assert_true(m.net.handle[0].closed);
    assert_string_equal(m.mock.asked, "");
}

static void no_token_or_nonsense_gets_nothing_more(void **state)
{
    static const char *const useless[] = {
        NULL,       "",           "Bearer",
        "Bearer x", "Basic dTpw", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiI3In0."};
    (void)state;
    for (int i = 0; i < 6; i++) {
        assert_string_equal(stack_connect_as(&m, i, useless[i]), "");
    }
    stack_closed_after(&m, 5, 30000);
    assert_string_equal(m.mock.asked, "");
}

static void a_token_in_the_connect_packet(void **state)
{
    char packet[1200];
    (void)state;
    assert_true(stack_ws(&m, 0, WS, NULL));
    snprintf(packet, sizeof packet, "40/tasks,{\"token\":\"%s\"}",
             stack_bearer(&m, 9, 3600, "") + strlen("Bearer "));
    stack_say(&m, 0, packet);
    assert_string_equal(m.mock.asked, "connect /tasks 9 websocket\n");
}

static void an_ack_before_the_key_is_known_goes_nowhere(void **state)
{
    (void)state;
    auth_set_keys(m.auth, NULL, 0, m.now);
    stack_connect_as(&m, 0, stack_bearer(&m, 7, 3600, ""));
    stack_say(&m, 0, "43/tasks,0[]");
    assert_string_equal(m.mock.asked, "");
}

static void an_unknown_subject_is_closed(void **state)
{
    (void)state;
    stack_connect_as(&m, 0, stack_bearer(&m, 7, 3600, ""));
    stack_set_rooms(&m, m.mock.sid, NULL, 0, "10:10:");
    stack_event(&m, 20, "everyone", "[\"e\"]");
    engine_flush(m.engine);
    assert_string_equal(stack_received(&m, 0), "");
    stack_closed_after(&m, 0, 30000);
}

static void a_grace_is_not_renewed_by_another_connect(void **state)
{
    (void)state;
    stack_connect_as(&m, 0, NULL);
    stack_pass(&m, 20000);
    stack_say(&m, 0, "41/tasks,");
    stack_say(&m, 0, "40/tasks,");
    stack_closed_after(&m, 0, 10000);
}

static void a_good_token_that_comes_late_counts_for_all_namespaces(void **state)
{
    char packet[1200];
    (void)state;
    assert_true(stack_ws(&m, 0, WS, NULL));
    stack_say(&m, 0, "40/b,");
    snprintf(packet, sizeof packet, "40/tasks,{\"token\":\"%s\"}",
             stack_bearer(&m, 9, 3600, "") + strlen("Bearer "));
    stack_say(&m, 0, packet);
    assert_string_equal(m.mock.asked, "connect /tasks 9 websocket\nconnect /b 9 websocket\n");
    stack_pass(&m, 60000);
    assert_false(m.net.handle[0].closed);
}

static void what_a_client_sends_while_its_token_waits_is_held(void **state)
{
    char packet[1200];
    (void)state;
    auth_set_keys(m.auth, NULL, 0, m.now);
    assert_true(stack_ws(&m, 0, WS, NULL));
    stack_say(&m, 0, "40/b,"); /* without a token: muted */
    snprintf(packet, sizeof packet, "40/tasks,{\"token\":\"%s\"}",
             stack_bearer(&m, 9, 3600, "") + strlen("Bearer "));
    stack_say(&m, 0, packet);
    stack_say(&m, 0, "42/b,[\"e\"]");
    auth_set_keys(m.auth, m.keys, 0, m.now);
    assert_string_equal(m.mock.asked, "connect /tasks 9 websocket\nconnect /b 9 websocket\n");
    stack_set_rooms(&m, m.mock.sid, "a", 3, "10:10:");
    assert_non_null(strstr(m.mock.asked, "receive 3 /b e "));
}

static void tokens_wait_for_the_first_keys(void **state)
{
    char err[128];
    struct keyset *none = keyset_from_jwks("{\"keys\":[]}", 11, err, sizeof err);
    struct keyset *secret = stack_keys();
    (void)state;
    auth_set_keys(m.auth, NULL, 0, m.now);
    auth_set_keys(m.auth, none, 0, m.now);
    stack_connect_as(&m, 0, stack_bearer(&m, 7, 3600, ""));
    stack_pass(&m, 60000);
    assert_string_equal(m.mock.asked, "");
    auth_set_keys(m.auth, secret, 0, m.now);
    assert_string_equal(m.mock.asked, "connect /tasks 7 websocket\n");
    keyset_free(none);
    auth_set_keys(m.auth, NULL, 0, m.now);
    keyset_free(secret);
}

static void an_unknown_subject_that_becomes_known_stays(void **state)
{
    (void)state;
    stack_connect_as(&m, 0, stack_bearer(&m, 7, 3600, ""));
    stack_set_rooms(&m, m.mock.sid, NULL, 0, "10:10:");
    stack_pass(&m, 29999);
    hub_renew(m.hub, m.now); /* the database is back, and has the row now */
    stack_set_rooms(&m, m.mock.sid, "a", 3, "10:10:");
    stack_pass(&m, 60000);
    assert_false(m.net.handle[0].closed);
    stack_say(&m, 0, "42/tasks,[\"e\"]");
    assert_non_null(strstr(m.mock.asked, "receive 3 /tasks e 13\n"));
}

static void the_backend_is_asked_for_good_tokens_only(void **state)
{
    (void)state;
    m.mock.backend.acks = true; /* as it was when the auth was given it: acks are the hub's */
    m.config.token_expiry = TOKEN_EXPIRY_CLOSE;
    assert_string_equal(stack_connect_as(&m, 0, stack_bearer(&m, 7, -11, "")),
                        "42/tasks,[\"expired_token\"]\n");
    stack_say(&m, 0, "42/tasks,1[\"e\"]");
    stack_say(&m, 0, "43/tasks,1[]");
    assert_string_equal(stack_received(&m, 0), "43/tasks,1[]\n");
    stack_say(&m, 0, "41/tasks,");
    assert_string_equal(m.mock.asked, "");
    assert_int_equal(m.mock.clients, 1);
}

static void the_backend_may_refuse_only_what_auth_has_not_accepted(void **state)
{
    (void)state;
    m.mock.refusal = "no";
    stack_connect_as(&m, 0, stack_bearer(&m, 7, 3600, ""));
    assert_string_equal(m.mock.asked, "connect /tasks 7 websocket\n"); /* too late: no disconnect */
    assert_string_equal(stack_received(&m, 0), "");
}

static void acks_pass_through_auth(void **state)
{
    (void)state;
    stack_client(&m, 0, "a", 1);
    hub_emit(m.hub, m.mock.sid, "[\"q\"]", 5, 4, NULL);
    stack_say(&m, 0, "43/tasks,4[1]");
    assert_non_null(strstr(m.mock.asked, "acked 4 [1]\n"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_good_token_is_asked_of_the_backend),
        TEST(an_expired_token_is_notified),
        TEST(lines_about_refused_tokens_keep_client_log_rate),
        TEST(a_bad_signature_is_notified_once_in_10_s),
        TEST(no_token_or_nonsense_gets_nothing_more),
        TEST(a_token_in_the_connect_packet),
        TEST(an_ack_before_the_key_is_known_goes_nowhere),
        TEST(an_unknown_subject_is_closed),
        TEST(a_grace_is_not_renewed_by_another_connect),
        TEST(a_good_token_that_comes_late_counts_for_all_namespaces),
        TEST(what_a_client_sends_while_its_token_waits_is_held),
        TEST(tokens_wait_for_the_first_keys),
        TEST(an_unknown_subject_that_becomes_known_stays),
        TEST(the_backend_is_asked_for_good_tokens_only),
        TEST(the_backend_may_refuse_only_what_auth_has_not_accepted),
        TEST(acks_pass_through_auth),
    };
    return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
