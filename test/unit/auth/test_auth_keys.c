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
    auth_on_unknown_key(m.auth, count_look, NULL);
    auth_set_keys(m.auth, before, m.now, m.now);
    return 0;
}

static int teardown_keys(void **state)
{
    auth_set_keys(m.auth, NULL, 0, m.now);
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
    assert_string_equal(m.mock.asked, asked);
}

static void an_unknown_key_is_looked_for_and_its_token_waits(void **state)
{
    (void)state;
    assert_string_equal(stack_connect_as(&m, 0, rsa_bearer()), "");
    assert_int_equal(looks, 1);
    stack_pass(&m, 19999);
    assert_string_equal(m.mock.asked, "");
    auth_set_keys(m.auth, after, m.now, m.now);
    assert_good();
    assert_string_equal(stack_received(&m, 0), "");
    stack_pass(&m, 600000);
    assert_false(m.net.handle[0].closed);
    assert_int_equal(m.metrics.value[METRIC_TOKENS_GOOD], 1);
    assert_int_equal(m.metrics.value[METRIC_TOKENS_INVALID], 0);
}

static void a_key_that_a_later_look_does_not_bring_is_invalid_at_once(void **state)
{
    (void)state;
    stack_connect_as(&m, 0, rsa_bearer());
    uint64_t came = m.now;
    stack_pass(&m, 50);
    auth_set_keys(m.auth, before, came, m.now);
    engine_flush(m.engine);
    assert_string_equal(stack_received(&m, 0), "42/tasks,[\"invalid_token\"]\n");
    stack_closed_after(&m, 0, 30000);
}

static void a_look_that_began_before_the_token_came_says_nothing_of_its_key(void **state)
{
    (void)state;
    stack_connect_as(&m, 0, rsa_bearer());
    uint64_t came = m.now;
    stack_pass(&m, 50);
    auth_set_keys(m.auth, before, came - 1, m.now);
    engine_flush(m.engine);
    assert_string_equal(stack_received(&m, 0), "");
    assert_int_equal(looks, 2); /* another is needed */
    auth_set_keys(m.auth, after, m.now, m.now);
    assert_good();
}

static void a_look_that_never_succeeds_is_not_waited_for(void **state)
{
    (void)state;
    stack_connect_as(&m, 0, rsa_bearer());
    /* keys_refresh_interval and keys_timeout */
    stack_pass(&m, 19999);
    assert_string_equal(stack_received(&m, 0), "");
    stack_pass(&m, 1);
    assert_string_equal(stack_received(&m, 0), "42/tasks,[\"invalid_token\"]\n");
    stack_closed_after(&m, 0, 30000);
}

static void keys_that_come_without_the_one_awaited_from_the_start_are_looked_for_again(void **state)
{
    (void)state;
    auth_set_keys(m.auth, NULL, 0, m.now);
    stack_connect_as(&m, 0, rsa_bearer());
    assert_int_equal(looks, 0); /* the first look is under way anyway */
    auth_set_keys(m.auth, before, m.now - 1, m.now);
    assert_int_equal(looks, 1);
    auth_set_keys(m.auth, after, m.now, m.now);
    assert_good();
}

static void say_token(int n, const char *nsp, const char *token)
{
    char packet[2048];
    snprintf(packet, sizeof packet, "40%s,{\"token\":\"%s\"}", nsp, token);
    stack_say(&m, n, packet);
}

static void a_token_in_the_connect_packet_waits_for_its_key_too(void **state)
{
    (void)state;
    assert_true(stack_ws(&m, 0, WS, NULL));
    say_token(0, "/tasks", rsa_token());
    assert_int_equal(looks, 1);
    stack_pass(&m, 5000);
    assert_string_equal(m.mock.asked, "");
    auth_set_keys(m.auth, after, m.now, m.now);
    assert_good();
    stack_pass(&m, 600000);
    assert_false(m.net.handle[0].closed);
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
    auth_set_keys(m.auth, keys, m.now, m.now);
    assert_true(stack_ws(&m, 0, WS, expired_rsa_bearer()));
    stack_pass(&m, 100);
    say_token(0, "/tasks", rsa_token());
    say_token(0, "/b", "nonsense"); /* the first one counts */
    stack_received(&m, 0);
}

static void a_token_of_connect_counts_when_that_of_the_header_turns_out_bad(void **state)
{
    (void)state;
    both_tokens_wait(before);
    auth_set_keys(m.auth, after, m.now, m.now);
    assert_non_null(strstr(m.mock.asked, SUBJECT));
    assert_null(strstr(stack_received(&m, 0), "expired"));
    stack_pass(&m, 600000);
    assert_false(m.net.handle[0].closed);
}

static void also_when_there_was_no_key_at_all(void **state)
{
    (void)state;
    both_tokens_wait(NULL);
    auth_set_keys(m.auth, after, m.now, m.now);
    assert_non_null(strstr(m.mock.asked, SUBJECT));
}

static void both_tokens_may_be_bad(void **state)
{
    (void)state;
    both_tokens_wait(before);
    auth_set_keys(m.auth, before, m.now, m.now);
    engine_flush(m.engine);
    assert_string_equal(m.mock.asked, "");
    assert_int_equal(m.metrics.value[METRIC_TOKENS_INVALID], 2);
    stack_closed_after(&m, 0, 30000);
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
    assert_int_equal(m.config.token_expiry, TOKEN_EXPIRY_KEEP);
    stack_connect_as(&m, 0, stack_bearer(&m, 7, 300, ""));
    stack_pass(&m, 3600000);
    assert_false(m.net.handle[0].closed);
}

static void or_is_closed_when_it_expires(void **state)
{
    (void)state;
    m.config.token_expiry = TOKEN_EXPIRY_CLOSE;
    stack_connect_as(&m, 0, stack_bearer(&m, 7, 300, ""));
    stack_set_rooms(&m, m.mock.sid, "a", 3, "10:10:");
    stack_connect_as(&m, 1, stack_bearer(&m, 7, 400, ""));
    stack_received(&m, 0);
    stack_closed_after(&m, 0, 310000); /* and the leeway */
    assert_string_equal(stack_received(&m, 0), "");
    assert_false(m.net.handle[1].closed);
    stack_closed_after(&m, 1, 100000);
    assert_int_equal(m.metrics.value[METRIC_CLOSED_TOKEN], 2);
}

static void a_clock_that_is_set_moves_the_expiry(void **state)
{
    (void)state;
    m.config.token_expiry = TOKEN_EXPIRY_CLOSE;
    stack_connect_as(&m, 0, stack_bearer(&m, 7, 300, ""));
    stack_connect_as(&m, 1, stack_bearer(&m, 7, 3000, ""));
    stack_pass(&m, 100000);
    auth_set_clock(m.auth, (int64_t)(1700000000 + 100 - 500) * 1000, m.now);
    stack_pass(&m, 400000);
    assert_false(m.net.handle[0].closed);
    auth_set_clock(m.auth, (int64_t)(1700000000 + 4000) * 1000, m.now);
    stack_pass(&m, 60000);
    assert_true(m.net.handle[0].closed && m.net.handle[1].closed);
}

/* --- two tokens of one client --- */

static void a_good_token_of_connect_goes_over_an_expired_one_of_the_header(void **state)
{
    char good[1024];
    (void)state;
    snprintf(good, sizeof good, "%s", stack_bearer(&m, 9, 3600, "") + strlen("Bearer "));
    assert_true(stack_ws(&m, 0, WS, stack_bearer(&m, 7, -11, "")));
    say_token(0, "/tasks", good);
    assert_string_equal(m.mock.asked, "connect /tasks 9 websocket\n");
    assert_null(strstr(stack_received(&m, 0), "expired_token"));
    stack_pass(&m, 3600000);
    assert_false(m.net.handle[0].closed);
}

static void a_good_token_of_the_header_is_the_one_that_counts(void **state)
{
    char other[1024];
    (void)state;
    snprintf(other, sizeof other, "%s", stack_bearer(&m, 9, 3600, "") + strlen("Bearer "));
    assert_true(stack_ws(&m, 0, WS, stack_bearer(&m, 7, 3600, "")));
    say_token(0, "/tasks", other);
    assert_string_equal(m.mock.asked, "connect /tasks 7 websocket\n");
}

static void bad_tokens_one_after_the_other_do_not_prolong_the_stay(void **state)
{
    char expired[1024];
    (void)state;
    snprintf(expired, sizeof expired, "%s", stack_bearer(&m, 7, -11, "") + strlen("Bearer "));
    assert_true(stack_ws(&m, 0, WS, stack_bearer(&m, 7, -11, "")));
    stack_say(&m, 0, "40/tasks,");
    stack_set_rooms(&m, m.mock.sid, NULL, 0, NULL); /* the server did not end its connection */
    for (int i = 0; i < 2; i++) {
        stack_pass(&m, 10000);
        stack_say(&m, 0, "41/tasks,");
        say_token(0, "/tasks", i ? "nonsense" : expired);
    }
    stack_closed_after(&m, 0, 10000);
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
