/* Tokens over paper: every row of the table of what follows from a judgement. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

static struct world w;
static const char WS[] = "EIO=4&transport=websocket";

static int setup(void **state)
{
    (void)state;
    world_setup(&w);
    w.config.ping_interval = w.config.ping_timeout = 100000000;
    free(w.config.namespaces);
    w.config.namespaces = strdup("/tasks /b");
    world_start(&w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_end(&w);
    return 0;
}

static void a_good_token_is_asked_of_the_backend(void **state)
{
    (void)state;
    assert_string_equal(world_connect_as(&w, 0, world_bearer(&w, 7, 3600, "")), "");
    assert_string_equal(w.asked, "connect /tasks 7 websocket\n");
    world_pass(&w, 3600000);
    assert_false(w.place[0].closed);
}

static void an_expired_token_is_told(void **state)
{
    (void)state;
    assert_string_equal(
        world_connect_as(&w, 0, world_bearer(&w, 7, -11, ",\"vantage6_client_type\":\"node\"")),
        "42/tasks,[\"expired_token\"]\n");
    world_closed_after(&w, 0, 30000);
    assert_string_equal(
        world_connect_as(&w, 1, world_bearer(&w, 7, -11, ",\"client_type\":\"user\"")),
        "42/tasks,[\"expired_token\"]\n");
    world_closed_after(&w, 1, 600000);
    assert_string_equal(w.asked, "");
}

static void a_bad_signature_is_told_once_in_10_s(void **state)
{
    char forged[1024];
    (void)state;
    snprintf(forged, sizeof forged, "%s", world_bearer(&w, 7, 3600, ""));
    char *digit = &forged[strlen(forged) - 5];
    *digit = *digit == 'A' ? 'B' : 'A';
    assert_string_equal(world_connect_as(&w, 0, forged), "42/tasks,[\"invalid_token\"]\n");
    world_pass(&w, 9999);
    assert_string_equal(world_connect_as(&w, 1, forged), "");
    world_pass(&w, 1);
    assert_string_equal(world_connect_as(&w, 2, forged), "42/tasks,[\"invalid_token\"]\n");
    world_closed_after(&w, 2, 30000);
    assert_true(w.place[0].closed);
    assert_string_equal(w.asked, "");
}

static void no_token_or_nonsense_gets_nothing_more(void **state)
{
    static const char *const useless[] = {
        NULL,       "",           "Bearer",
        "Bearer x", "Basic dTpw", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiI3In0."};
    (void)state;
    for (int i = 0; i < 6; i++) {
        assert_string_equal(world_connect_as(&w, i, useless[i]), "");
    }
    world_closed_after(&w, 5, 30000);
    assert_string_equal(w.asked, "");
}

static void a_token_in_the_connect_packet(void **state)
{
    char packet[1200];
    (void)state;
    assert_true(world_ws(&w, 0, WS, NULL));
    snprintf(packet, sizeof packet, "40/tasks,{\"token\":\"%s\"}",
             world_bearer(&w, 9, 3600, "") + strlen("Bearer "));
    world_say(&w, 0, packet);
    assert_string_equal(w.asked, "connect /tasks 9 websocket\n");
}

static void an_ack_before_the_key_is_known_goes_nowhere(void **state)
{
    (void)state;
    auth_set_keys(w.auth, NULL, 0, w.now);
    world_connect_as(&w, 0, world_bearer(&w, 7, 3600, ""));
    world_say(&w, 0, "43/tasks,0[]");
    assert_string_equal(w.asked, "");
}

static void an_unknown_subject_is_closed(void **state)
{
    (void)state;
    world_connect_as(&w, 0, world_bearer(&w, 7, 3600, ""));
    world_set_rooms(&w, w.sid, NULL, 0, "10:10:");
    world_event(&w, 20, "everyone", "[\"e\"]");
    engine_flush(w.engine);
    assert_string_equal(world_received(&w, 0), "");
    world_closed_after(&w, 0, 30000);
}

static void a_grace_is_not_renewed_by_another_connect(void **state)
{
    (void)state;
    world_connect_as(&w, 0, NULL);
    world_pass(&w, 20000);
    world_say(&w, 0, "41/tasks,");
    world_say(&w, 0, "40/tasks,");
    world_closed_after(&w, 0, 10000);
}

static void a_good_token_that_comes_late_counts_for_all_namespaces(void **state)
{
    char packet[1200];
    (void)state;
    assert_true(world_ws(&w, 0, WS, NULL));
    world_say(&w, 0, "40/b,");
    snprintf(packet, sizeof packet, "40/tasks,{\"token\":\"%s\"}",
             world_bearer(&w, 9, 3600, "") + strlen("Bearer "));
    world_say(&w, 0, packet);
    assert_string_equal(w.asked, "connect /tasks 9 websocket\nconnect /b 9 websocket\n");
    world_pass(&w, 60000);
    assert_false(w.place[0].closed);
}

static void what_a_client_sends_while_its_token_waits_is_held(void **state)
{
    char packet[1200];
    (void)state;
    auth_set_keys(w.auth, NULL, 0, w.now);
    assert_true(world_ws(&w, 0, WS, NULL));
    world_say(&w, 0, "40/b,"); /* without a token: muted */
    snprintf(packet, sizeof packet, "40/tasks,{\"token\":\"%s\"}",
             world_bearer(&w, 9, 3600, "") + strlen("Bearer "));
    world_say(&w, 0, packet);
    world_say(&w, 0, "42/b,[\"e\"]");
    auth_set_keys(w.auth, w.keys, 0, w.now);
    assert_string_equal(w.asked, "connect /tasks 9 websocket\nconnect /b 9 websocket\n");
    world_set_rooms(&w, w.sid, "a", 3, "10:10:");
    assert_non_null(strstr(w.asked, "receive 3 /b e "));
}

static void tokens_wait_for_the_first_keys(void **state)
{
    char err[128];
    struct keyset *none = keyset_from_jwks("{\"keys\":[]}", 11, err, sizeof err);
    struct keyset *secret = world_keys();
    (void)state;
    auth_set_keys(w.auth, none, 0, w.now);
    world_connect_as(&w, 0, world_bearer(&w, 7, 3600, ""));
    world_pass(&w, 60000);
    assert_string_equal(w.asked, "");
    auth_set_keys(w.auth, secret, 0, w.now);
    assert_string_equal(w.asked, "connect /tasks 7 websocket\n");
    keyset_free(none);
    auth_set_keys(w.auth, NULL, 0, w.now);
    keyset_free(secret);
}

static void an_unknown_subject_that_becomes_known_stays(void **state)
{
    (void)state;
    world_connect_as(&w, 0, world_bearer(&w, 7, 3600, ""));
    world_set_rooms(&w, w.sid, NULL, 0, "10:10:");
    world_pass(&w, 29999);
    hub_renew(w.hub, w.now); /* the database is back, and has the row now */
    world_set_rooms(&w, w.sid, "a", 3, "10:10:");
    world_pass(&w, 60000);
    assert_false(w.place[0].closed);
    world_say(&w, 0, "42/tasks,[\"e\"]");
    assert_non_null(strstr(w.asked, "receive 3 /tasks e 13\n"));
}

static void what_stands_behind_the_guard_hears_of_good_tokens_only(void **state)
{
    (void)state;
    w.backend.acks = true; /* as it was when the auth was given it: acks are the hub's */
    world_connect_as(&w, 0, world_bearer(&w, 7, -11, ""));
    world_say(&w, 0, "42/tasks,1[\"e\"]");
    world_say(&w, 0, "43/tasks,1[]");
    assert_string_equal(world_received(&w, 0), "43/tasks,1[]\n");
    world_say(&w, 0, "41/tasks,");
    assert_string_equal(w.asked, "");
    assert_int_equal(w.bearers, 1);
}

static void it_may_refuse_what_the_guard_has_accepted_only_before(void **state)
{
    (void)state;
    w.refusal = "no";
    world_connect_as(&w, 0, world_bearer(&w, 7, 3600, ""));
    assert_string_equal(w.asked, "connect /tasks 7 websocket\n"); /* too late: no disconnect */
    assert_string_equal(world_received(&w, 0), "");
}

static void acks_pass_through_auth(void **state)
{
    (void)state;
    world_client(&w, 0, "a", 1);
    hub_emit(w.hub, w.sid, "[\"q\"]", 5, 4, NULL);
    world_say(&w, 0, "43/tasks,4[1]");
    assert_non_null(strstr(w.asked, "acked 4 [1]\n"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_good_token_is_asked_of_the_backend),
        TEST(an_expired_token_is_told),
        TEST(a_bad_signature_is_told_once_in_10_s),
        TEST(no_token_or_nonsense_gets_nothing_more),
        TEST(a_token_in_the_connect_packet),
        TEST(an_ack_before_the_key_is_known_goes_nowhere),
        TEST(an_unknown_subject_is_closed),
        TEST(a_grace_is_not_renewed_by_another_connect),
        TEST(a_good_token_that_comes_late_counts_for_all_namespaces),
        TEST(what_a_client_sends_while_its_token_waits_is_held),
        TEST(tokens_wait_for_the_first_keys),
        TEST(an_unknown_subject_that_becomes_known_stays),
        TEST(what_stands_behind_the_guard_hears_of_good_tokens_only),
        TEST(it_may_refuse_what_the_guard_has_accepted_only_before),
        TEST(acks_pass_through_auth),
    };
    return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
