/* Keys that come after their tokens, tokens that expire while their client lives, and clients with
 * two. */
#include <jansson.h>
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

/* --- keys that come later --- */

static json_t *token_vectors;

static struct keyset *keys_of(const char *name)
{
    json_t *root = json_load_file(VECTORS "/auth/token/keysets.json", 0, NULL), *v;
    struct keyset *keys = NULL;
    char err[256];
    size_t i;
    json_array_foreach (json_object_get(root, "keysets"), i, v) {
        const char *text = json_string_value(json_object_get(v, "text"));
        if (strcmp(json_string_value(json_object_get(v, "name")), name) == 0)
            keys = keyset_from_jwks(text, strlen(text), err, sizeof err);
    }
    assert_non_null(keys);
    json_decref(root);
    return keys;
}

/* A user's token, by the key "rsa" of the set "several". */
static const char *rsa_token(void)
{
    json_t *v;
    size_t i;
    if (!token_vectors)
        token_vectors = json_load_file(VECTORS "/auth/token/tokens.json", 0, NULL);
    json_array_foreach (json_object_get(token_vectors, "tokens"), i, v)
        if (strcmp(json_string_value(json_object_get(v, "name")), "RS256: good") == 0)
            return json_string_value(json_object_get(v, "token"));
    fail();
    return NULL;
}

static const char *rsa_bearer(void)
{
    static char header[2048];
    snprintf(header, sizeof header, "Bearer %s", rsa_token());
    return header;
}

static const char SUBJECT[] = "6b9f0c5e-6f6e-4d2b-9d57-1b2c3d4e5f60";
static struct keyset *before, *after;
static int looks;

static void count_look(void *ctx)
{
    (void)ctx;
    looks++;
}

static int setup_keys(void **state)
{
    setup(state);
    looks = 0;
    before = keys_of("same id");
    after = keys_of("several");
    auth_on_unknown_key(w.auth, count_look, NULL);
    auth_set_keys(w.auth, before, w.now, w.now);
    return 0;
}

static int teardown_keys(void **state)
{
    auth_set_keys(w.auth, NULL, 0, w.now);
    keyset_free(before);
    keyset_free(after);
    json_decref(token_vectors);
    token_vectors = NULL;
    return teardown(state);
}

static void assert_good(void)
{
    char asked[128];
    snprintf(asked, sizeof asked, "connect /tasks %s websocket\n", SUBJECT);
    assert_string_equal(w.asked, asked);
}

static void an_unknown_key_is_looked_for_and_its_token_waits(void **state)
{
    (void)state;
    assert_string_equal(world_connect_as(&w, 0, rsa_bearer()), "");
    assert_int_equal(looks, 1);
    world_pass(&w, 19999);
    assert_string_equal(w.asked, "");
    auth_set_keys(w.auth, after, w.now, w.now);
    assert_good();
    assert_string_equal(world_received(&w, 0), "");
    world_pass(&w, 600000);
    assert_false(w.place[0].closed);
    assert_int_equal(w.metrics.value[METRIC_TOKENS_GOOD], 1);
    assert_int_equal(w.metrics.value[METRIC_TOKENS_INVALID], 0);
}

static void a_key_that_a_later_look_does_not_bring_is_invalid_at_once(void **state)
{
    (void)state;
    world_connect_as(&w, 0, rsa_bearer());
    uint64_t came = w.now;
    world_pass(&w, 50);
    auth_set_keys(w.auth, before, came, w.now);
    engine_flush(w.engine);
    assert_string_equal(world_received(&w, 0), "42/tasks,[\"invalid_token\"]\n");
    world_closed_after(&w, 0, 30000);
}

static void a_look_that_began_before_the_token_came_says_nothing_of_its_key(void **state)
{
    (void)state;
    world_connect_as(&w, 0, rsa_bearer());
    uint64_t came = w.now;
    world_pass(&w, 50);
    auth_set_keys(w.auth, before, came - 1, w.now);
    engine_flush(w.engine);
    assert_string_equal(world_received(&w, 0), "");
    assert_int_equal(looks, 2); /* another is needed */
    auth_set_keys(w.auth, after, w.now, w.now);
    assert_good();
}

static void a_look_that_never_succeeds_is_not_waited_for(void **state)
{
    (void)state;
    world_connect_as(&w, 0, rsa_bearer());
    /* keys_refresh_interval and keys_timeout */
    world_pass(&w, 19999);
    assert_string_equal(world_received(&w, 0), "");
    world_pass(&w, 1);
    assert_string_equal(world_received(&w, 0), "42/tasks,[\"invalid_token\"]\n");
    world_closed_after(&w, 0, 30000);
}

static void keys_that_come_without_the_one_awaited_from_the_start_are_looked_for_again(void **state)
{
    (void)state;
    auth_set_keys(w.auth, NULL, 0, w.now);
    world_connect_as(&w, 0, rsa_bearer());
    assert_int_equal(looks, 0); /* the first look is under way anyway */
    auth_set_keys(w.auth, before, w.now - 1, w.now);
    assert_int_equal(looks, 1);
    auth_set_keys(w.auth, after, w.now, w.now);
    assert_good();
}

static void say_token(int n, const char *nsp, const char *token)
{
    char packet[2048];
    snprintf(packet, sizeof packet, "40%s,{\"token\":\"%s\"}", nsp, token);
    world_say(&w, n, packet);
}

static void a_token_in_the_connect_packet_waits_for_its_key_too(void **state)
{
    (void)state;
    assert_true(world_ws(&w, 0, WS, NULL));
    say_token(0, "/tasks", rsa_token());
    assert_int_equal(looks, 1);
    world_pass(&w, 5000);
    assert_string_equal(w.asked, "");
    auth_set_keys(w.auth, after, w.now, w.now);
    assert_good();
    world_pass(&w, 600000);
    assert_false(w.place[0].closed);
}

static const char *expired_rsa_bearer(void)
{
    static char header[2048];
    json_t *v;
    size_t i;
    rsa_token();
    json_array_foreach (json_object_get(token_vectors, "tokens"), i, v)
        if (strcmp(json_string_value(json_object_get(v, "name")), "exp: zero") == 0)
            snprintf(header, sizeof header, "Bearer %s",
                     json_string_value(json_object_get(v, "token")));
    return header;
}

/* The header's token has a key that is not there yet, and is expired; the CONNECT's is good. */
static void both_tokens_wait(struct keyset *keys)
{
    auth_set_keys(w.auth, keys, w.now, w.now);
    assert_true(world_ws(&w, 0, WS, expired_rsa_bearer()));
    world_pass(&w, 100);
    say_token(0, "/tasks", rsa_token());
    say_token(0, "/b", "nonsense"); /* the first one counts */
    world_received(&w, 0);
}

static void a_token_of_connect_counts_when_that_of_the_header_turns_out_bad(void **state)
{
    (void)state;
    both_tokens_wait(before);
    auth_set_keys(w.auth, after, w.now, w.now);
    assert_non_null(strstr(w.asked, SUBJECT));
    assert_null(strstr(world_received(&w, 0), "expired"));
    world_pass(&w, 600000);
    assert_false(w.place[0].closed);
}

static void also_when_there_was_no_key_at_all(void **state)
{
    (void)state;
    both_tokens_wait(NULL);
    auth_set_keys(w.auth, after, w.now, w.now);
    assert_non_null(strstr(w.asked, SUBJECT));
}

static void both_tokens_may_be_bad(void **state)
{
    (void)state;
    both_tokens_wait(before);
    auth_set_keys(w.auth, before, w.now, w.now);
    engine_flush(w.engine);
    assert_string_equal(w.asked, "");
    assert_int_equal(w.metrics.value[METRIC_TOKENS_INVALID], 2);
    world_closed_after(&w, 0, 30000);
}

static void a_second_token_goes_with_its_client(void **state)
{
    (void)state;
    both_tokens_wait(before);
}

/* --- expiry of a live connection --- */

static void a_connection_outlives_its_token(void **state)
{
    (void)state;
    assert_int_equal(w.config.token_expiry, TOKEN_EXPIRY_KEEP);
    world_connect_as(&w, 0, world_bearer(&w, 7, 300, ""));
    world_pass(&w, 3600000);
    assert_false(w.place[0].closed);
}

static void or_is_closed_when_it_expires(void **state)
{
    (void)state;
    w.config.token_expiry = TOKEN_EXPIRY_CLOSE;
    world_connect_as(&w, 0, world_bearer(&w, 7, 300, ""));
    world_set_rooms(&w, w.sid, "a", 3, "10:10:");
    world_connect_as(&w, 1, world_bearer(&w, 7, 400, ""));
    world_received(&w, 0);
    world_closed_after(&w, 0, 310000); /* and the leeway */
    assert_string_equal(world_received(&w, 0), "");
    assert_false(w.place[1].closed);
    world_closed_after(&w, 1, 100000);
    assert_int_equal(w.metrics.value[METRIC_CLOSED_TOKEN], 2);
}

static void a_clock_that_is_set_moves_the_expiry(void **state)
{
    (void)state;
    w.config.token_expiry = TOKEN_EXPIRY_CLOSE;
    world_connect_as(&w, 0, world_bearer(&w, 7, 300, ""));
    world_connect_as(&w, 1, world_bearer(&w, 7, 3000, ""));
    world_pass(&w, 100000);
    auth_set_clock(w.auth, (int64_t)(1700000000 + 100 - 500) * 1000, w.now);
    world_pass(&w, 400000);
    assert_false(w.place[0].closed);
    auth_set_clock(w.auth, (int64_t)(1700000000 + 4000) * 1000, w.now);
    world_pass(&w, 60000);
    assert_true(w.place[0].closed && w.place[1].closed);
}

/* --- two tokens of one client --- */

static void a_good_token_of_connect_goes_over_an_expired_one_of_the_header(void **state)
{
    char good[1024];
    (void)state;
    snprintf(good, sizeof good, "%s", world_bearer(&w, 9, 3600, "") + strlen("Bearer "));
    assert_true(world_ws(&w, 0, WS, world_bearer(&w, 7, -11, "")));
    say_token(0, "/tasks", good);
    assert_string_equal(w.asked, "connect /tasks 9 websocket\n");
    assert_null(strstr(world_received(&w, 0), "expired_token"));
    world_pass(&w, 3600000);
    assert_false(w.place[0].closed);
}

static void a_good_token_of_the_header_is_the_one_that_counts(void **state)
{
    char other[1024];
    (void)state;
    snprintf(other, sizeof other, "%s", world_bearer(&w, 9, 3600, "") + strlen("Bearer "));
    assert_true(world_ws(&w, 0, WS, world_bearer(&w, 7, 3600, "")));
    say_token(0, "/tasks", other);
    assert_string_equal(w.asked, "connect /tasks 7 websocket\n");
}

static void bad_tokens_one_after_the_other_do_not_prolong_the_stay(void **state)
{
    char expired[1024];
    (void)state;
    snprintf(expired, sizeof expired, "%s", world_bearer(&w, 7, -11, "") + strlen("Bearer "));
    assert_true(world_ws(&w, 0, WS, world_bearer(&w, 7, -11, "")));
    world_say(&w, 0, "40/tasks,");
    for (int i = 0; i < 2; i++) {
        world_pass(&w, 10000);
        world_say(&w, 0, "41/tasks,");
        say_token(0, "/tasks", i ? "nonsense" : expired);
    }
    world_closed_after(&w, 0, 10000);
}

#define TEST_KEYS(f) cmocka_unit_test_setup_teardown(f, setup_keys, teardown_keys)
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_KEYS(an_unknown_key_is_looked_for_and_its_token_waits),
        TEST_KEYS(a_key_that_a_later_look_does_not_bring_is_invalid_at_once),
        TEST_KEYS(a_look_that_began_before_the_token_came_says_nothing_of_its_key),
        TEST_KEYS(a_look_that_never_succeeds_is_not_waited_for),
        TEST_KEYS(keys_that_come_without_the_one_awaited_from_the_start_are_looked_for_again),
        TEST_KEYS(a_token_in_the_connect_packet_waits_for_its_key_too),
        TEST_KEYS(a_token_of_connect_counts_when_that_of_the_header_turns_out_bad),
        TEST_KEYS(also_when_there_was_no_key_at_all),
        TEST_KEYS(both_tokens_may_be_bad),
        TEST_KEYS(a_second_token_goes_with_its_client),
        TEST(a_connection_outlives_its_token),
        TEST(or_is_closed_when_it_expires),
        TEST(a_clock_that_is_set_moves_the_expiry),
        TEST(a_good_token_of_connect_goes_over_an_expired_one_of_the_header),
        TEST(a_good_token_of_the_header_is_the_one_that_counts),
        TEST(bad_tokens_one_after_the_other_do_not_prolong_the_stay),
    };
    return cmocka_run_group_tests_name("auth_keys", tests, NULL, NULL);
}
