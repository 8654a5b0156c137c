/*
 * The states of a token: whatever a client, its keys and the database do, and in whatever order, a
 * timer runs that ends its stay, unless its token is good or there was never a key.
 *
 * A walk is a token in the header, and then steps. All walks of a few steps are tried, and long
 * ones at random: there a clock that runs must also be one that no step renews for ever.
 */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/auth_state.h"
#include "engineio/engine_state.h"
#include "mock_stack.h"
#include "socketio/hub_state.h"

enum { NOW = 1800000000, SHORT = 3, LONGER = 5, MAIN_STEPS = 6, LONG = 120, LONG_WALKS = 1500 };
/* connect_timeout, claim_timeout, a wait for a key and a grace, of two tokens. */
enum { LONGEST_STAY_MS = 2 * (45 + 30 + 20 + 30) * 1000, HOUR_MS = 3600000 };

static const char OLD[] = "AAAAAAAAAAAAAAAAAAAA";
static struct mock_stack m;
static json_t *vectors;
static struct keyset *with, *without, *empty;

enum start { NO_TOKEN, GOOD, EXPIRED, UNKNOWN, INVALID, NONSENSE, STARTS };
static const char *const TOKENS[STARTS] = {
    [GOOD] = "RS256: good",
    [EXPIRED] = "exp: expired, for a node",
    [UNKNOWN] = "key id unknown",
};

static const char *token_of(enum start which)
{
    json_t *v;
    size_t i;
    if (which == NONSENSE)
        return "nonsense";
    json_array_foreach (json_object_get(vectors, "tokens"), i, v) {
        const char *name = json_string_value(json_object_get(v, "name"));
        const char *keys = json_string_value(json_object_get(v, "keys"));
        const char *expect = json_string_value(json_object_get(v, "expect"));
        if (TOKENS[which] ? strcmp(name, TOKENS[which]) == 0
                          : keys && strcmp(keys, "several") == 0 && strcmp(expect, "invalid") == 0)
            return json_string_value(json_object_get(v, "token"));
    }
    fail();
    return NULL;
}

static struct keyset *keys_named(const char *name)
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

static void (*forget)(void *ctx, void *bearer, const char *sid, const char *reason, bool by_client);

/* Of a client with an expired token, auth also names sockets that it did not pass on. */
static void disconnected(void *ctx, void *bearer, const char *sid, const char *reason,
                         bool by_client)
{
    if (mock_backend_socket(ctx, sid))
        forget(ctx, bearer, sid, reason, by_client);
}

static int setup(void **state)
{
    char err[128];
    (void)state;
    vectors = json_load_file(VECTORS "/auth/token/tokens.json", 0, NULL);
    with = keys_named("several");
    without = keys_named("same id");
    empty = keyset_from_jwks("{\"keys\":[]}", 11, err, sizeof err);
    stack_setup(&m, NULL);
    m.config.ping_interval = m.config.ping_timeout = 1000000000;
    m.config.client_log_rate = 0;
    free(m.config.namespaces);
    m.config.namespaces = strdup("/tasks /b");
    stack_start(&m);
    forget = m.mock.backend.disconnect;
    m.mock.backend.disconnect = disconnected;
    m.user_agent = "Mozilla/5.0";
    offset_open(&m.offsets, "secret", "epoch");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    auth_set_keys(m.auth, NULL, 0, m.now);
    stack_end(&m);
    keyset_free(with);
    keyset_free(without);
    keyset_free(empty);
    json_decref(vectors);
    return 0;
}

/* --- steps --- */

static void take_keys(const struct keyset *keys)
{
    auth_set_keys(m.auth, keys, m.now, m.now);
    engine_flush(m.engine);
}

static void answer(int64_t principal)
{
    char sid[4][SID_LEN + 1];
    size_t n = 0;
    for (struct mock_socket *k = m.mock.sockets; k && n < 4; k = k->next)
        memcpy(sid[n++], k->sid, sizeof sid[0]);
    while (n-- > 0)
        if (mock_backend_socket(&m.mock, sid[n]))
            stack_set_rooms(&m, sid[n], principal ? "a" : NULL, principal, "10:10:");
    engine_flush(m.engine);
}

static void connect_with(const char *nsp, const char *key, const char *value)
{
    char packet[4096];
    snprintf(packet, sizeof packet, "40%s,{\"%s\":\"%s\"}", nsp, key, value);
    stack_say(&m, 0, packet);
}

static bool is_open(void)
{
    return m.engine->sessions != NULL;
}

/* The first MAIN_STEPS of them are tried in longer walks. */
#define STEPS(X)                                                                                   \
    X(connect, stack_say(&m, 0, "40/tasks,"))                                                      \
    X(resume, connect_with("/tasks", "pid", OLD))                                                  \
    X(disconnect, stack_say(&m, 0, "41/tasks,"))                                                   \
    X(keys_come, take_keys(with))                                                                  \
    X(other_keys_come, take_keys(without))                                                         \
    X(patience_is_over, stack_pass(&m, 30000))                                                     \
    X(connect_good, connect_with("/tasks", "token", token_of(GOOD)))                               \
    X(connect_unknown, connect_with("/tasks", "token", token_of(UNKNOWN)))                         \
    X(connect_expired, connect_with("/b", "token", token_of(EXPIRED)))                             \
    X(resume_other, connect_with("/b", "pid", OLD))                                                \
    X(disconnect_other, stack_say(&m, 0, "41/b,"))                                                 \
    X(keys_go, take_keys(empty))                                                                   \
    X(is_known, answer(3))                                                                         \
    X(is_nobody, answer(0))                                                                        \
    X(key_wait_is_over, stack_pass(&m, 20000))

struct step {
    const char *name;
    void (*take)(void);
};

#define STEP(name, code)                                                                           \
    static void name##_step(void)                                                                  \
    {                                                                                              \
        code;                                                                                      \
    }
STEPS(STEP)
#define STEP_ROW(name, code) {#name, name##_step},
static const struct step steps[] = {STEPS(STEP_ROW)};
enum { STEPS_N = sizeof steps / sizeof *steps };

/* --- walks --- */

struct walk {
    enum start start;
    bool loaded; /* there are keys at the beginning */
    int step[LONG], n;
};

static void explain(const struct walk *w, const char *what)
{
    char text[LONG * 20];
    size_t len = 0;
    for (int i = 0; i < w->n; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, " %s", steps[w->step[i]].name);
    fail_msg("%s: token=%d loaded=%d close=%d:%s", what, w->start, w->loaded,
             m.config.token_expiry == TOKEN_EXPIRY_CLOSE, text);
}

static const struct bearer *bearer(void)
{
    const struct client *c = m.engine->sessions->user;
    return c->bearer;
}

/* It may stay without an end. */
static bool may_stay(void)
{
    const struct bearer *b = bearer();
    if (b->verdict == TOKEN_NO_KEYS)
        return !m.auth->loaded;
    return b->verdict == TOKEN_GOOD;
}

static bool is_on_a_clock(void)
{
    const struct client *c = m.engine->sessions->user;
    const struct bearer *b = bearer();
    return timer_running(&c->timeout) || timer_running(&b->grace) || timer_running(&b->expiry) ||
           timer_running(&b->patience);
}

static void begin(const struct walk *w)
{
    char header[4096];
    snprintf(header, sizeof header, "Bearer %s", w->start == NO_TOKEN ? "" : token_of(w->start));
    auth_set_clock(m.auth, (int64_t)NOW * 1000, m.now);
    auth_set_keys(m.auth, NULL, 0, m.now);
    if (w->loaded)
        take_keys(with);
    m.mock.asked[0] = '\0';
    assert_true(stack_ws(&m, 0, "EIO=4&transport=websocket", w->start == NO_TOKEN ? NULL : header));
}

/* False if the client is closed. */
static bool step(struct walk *w, int which)
{
    w->step[w->n++] = which;
    m.mock.asked[0] = '\0';
    steps[which].take();
    if (!is_open())
        return false;
    if (!is_on_a_clock() &&
        !(may_stay() && (m.config.token_expiry != TOKEN_EXPIRY_CLOSE ||
                         bearer()->verdict != TOKEN_GOOD || !bearer()->connected)))
        explain(w, "no timer runs");
    return true;
}

static void end(const struct walk *w)
{
    if (is_open() && !may_stay()) {
        stack_pass(&m, HOUR_MS);
        if (is_open() && !may_stay())
            explain(w, "it is still here after an hour");
    }
    if (is_open())
        engine_close_some(m.engine, 1);
    engine_flush(m.engine);
}

/* All walks of so many of the first n steps in the table. */
static void each_walk(int n, int length, bool loaded)
{
    int all = 1;
    for (int i = 0; i < length; i++)
        all *= n;
    for (int start = 0; start < STARTS; start++)
        for (int code = 0; code < all; code++) {
            struct walk w = {.start = (enum start)start, .loaded = loaded};
            int rest = code;
            begin(&w);
            for (int i = 0; i < length && step(&w, rest % n); i++)
                rest /= n;
            end(&w);
        }
}

static void all_short_walks_are_on_a_clock(void **state)
{
    (void)state;
    m.config.token_expiry = TOKEN_EXPIRY_KEEP;
    each_walk(STEPS_N, SHORT, false);
    each_walk(STEPS_N, SHORT, true);
}

static void all_short_walks_are_if_tokens_that_expire_close(void **state)
{
    (void)state;
    m.config.token_expiry = TOKEN_EXPIRY_CLOSE;
    each_walk(STEPS_N, SHORT, false);
    each_walk(STEPS_N, SHORT, true);
}

static void all_walks_of_the_main_steps_are_on_a_clock(void **state)
{
    (void)state;
    m.config.token_expiry = TOKEN_EXPIRY_KEEP;
    each_walk(MAIN_STEPS, LONGER, false);
    each_walk(MAIN_STEPS, LONGER, true);
}

/* No step may be repeated for ever to stay. */
static void long_walks_end(void **state)
{
    (void)state;
    srandom(1);
    for (int i = 0; i < LONG_WALKS; i++) {
        struct walk w = {.start = (enum start)(random() % STARTS), .loaded = random() % 2};
        /* Only some of the steps, so that the client lives long. */
        int some[5];
        for (size_t k = 0; k < sizeof some / sizeof *some; k++)
            some[k] = (int)(random() % STEPS_N);
        m.config.token_expiry = random() % 2 ? TOKEN_EXPIRY_CLOSE : TOKEN_EXPIRY_KEEP;
        begin(&w);
        uint64_t since = m.now;
        while (w.n < LONG && step(&w, some[random() % 5])) {
            stack_pass(&m, 5000);
            if (!is_open())
                break;
            if (may_stay())
                since = m.now;
            if (m.now - since > LONGEST_STAY_MS)
                explain(&w, "its clock is renewed");
        }
        end(&w);
    }
}

static void who_leaves_before_its_key_is_given_up_is_closed(void **state)
{
    struct walk w = {.start = UNKNOWN, .loaded = true};
    (void)state;
    m.config.token_expiry = TOKEN_EXPIRY_KEEP;
    begin(&w);
    stack_say(&m, 0, "40/tasks,{\"pid\":\"AAAAAAAAAAAAAAAAAAAA\"}");
    stack_say(&m, 0, "41/tasks,");
    stack_pass(&m, 20000);
    stack_closed_after(&m, 0, 30000);
}

static void who_resumes_again_and_again_with_an_expired_token_is_closed(void **state)
{
    struct walk w = {.start = EXPIRED, .loaded = true};
    (void)state;
    m.config.token_expiry = TOKEN_EXPIRY_KEEP;
    begin(&w);
    uint64_t since = m.now;
    while (is_open() && m.now - since <= LONGEST_STAY_MS) {
        connect_with("/tasks", "pid", OLD);
        stack_pass(&m, 20000);
        if (is_open())
            stack_say(&m, 0, "41/tasks,");
    }
    assert_false(is_open());
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(who_leaves_before_its_key_is_given_up_is_closed),
        TEST(who_resumes_again_and_again_with_an_expired_token_is_closed),
        TEST(all_short_walks_are_on_a_clock),
        TEST(all_short_walks_are_if_tokens_that_expire_close),
        TEST(all_walks_of_the_main_steps_are_on_a_clock),
        TEST(long_walks_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
