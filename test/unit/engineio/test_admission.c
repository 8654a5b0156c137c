/* Who may begin a session: how many, from where, how fast; and whose address it is behind a proxy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engineio/session.h"
#include "world.h"

static struct world w;

#define POLLING "EIO=4&transport=polling"
#define WEBSOCKET "EIO=4&transport=websocket"

static void set(char **option, const char *value)
{
    free(*option);
    *option = strdup(value);
}

static int metric(enum metric_id id)
{
    return (int)w.metrics.value[id];
}

static int sessions(void)
{
    return (int)engine_sessions(w.engine);
}

static void refused_polling(int n, int status, const char *body, enum metric_id id)
{
    int before = metric(id), all = sessions();
    world_get(&w, n, POLLING);
    assert_int_equal(w.place[n].status, status);
    assert_string_equal(w.place[n].text, body);
    assert_int_equal(metric(id), before + 1);
    assert_int_equal(sessions(), all);
}

static void refused_ws(int n, int status, const char *body, enum metric_id id)
{
    int before = metric(id), all = sessions();
    assert_false(world_ws(&w, n, WEBSOCKET, NULL));
    assert_int_equal(w.place[n].status, status);
    assert_string_equal(w.place[n].text, body);
    assert_int_equal(metric(id), before + 1);
    assert_int_equal(sessions(), all);
}

static void so_many_in_all(void **state)
{
    static const char body[] = "{\"code\":4,\"message\":\"Too many connections\"}";
    (void)state;
    w.config.max_connections = 2;
    world_start(&w);
    world_get(&w, 0, POLLING);
    w.peer = "192.0.2.2";
    assert_true(world_ws(&w, 1, WEBSOCKET, NULL));
    w.peer = "192.0.2.3";
    refused_polling(2, 503, body, METRIC_REFUSED_CONNECTIONS);
    refused_ws(3, 503, body, METRIC_REFUSED_CONNECTIONS);
    engine_ws_gone(w.place[1].session, &w.place[1], w.now);
    engine_flush(w.engine);
    assert_true(world_ws(&w, 3, WEBSOCKET, NULL));
    refused_ws(4, 503, body, METRIC_REFUSED_CONNECTIONS);
}

static void so_many_of_one_address(void **state)
{
    static const char body[] =
        "{\"code\":4,\"message\":\"Too many connections from this address\"}";
    (void)state;
    w.config.max_connections_per_address = 2;
    world_start(&w);
    world_get(&w, 0, POLLING);
    assert_true(world_ws(&w, 1, WEBSOCKET, NULL));
    refused_polling(2, 503, body, METRIC_REFUSED_ADDRESS);
    refused_ws(3, 503, body, METRIC_REFUSED_ADDRESS);
    w.peer = "::ffff:192.0.2.1";
    refused_ws(3, 503, body, METRIC_REFUSED_ADDRESS);
    w.peer = "192.0.2.2";
    assert_true(world_ws(&w, 3, WEBSOCKET, NULL));
    w.peer = "192.0.2.1";
    engine_ws_gone(w.place[1].session, &w.place[1], w.now);
    engine_flush(w.engine);
    world_get(&w, 4, POLLING);
    assert_int_equal(w.place[4].status, 200);
    assert_int_equal(metric(METRIC_REFUSED_CONNECTIONS), 0);
}

static const char *upgrade_query(const char *sid)
{
    static char query[128];
    snprintf(query, sizeof query, WEBSOCKET "&sid=%s", sid);
    return query;
}

static void so_many_that_poll(void **state)
{
    static const char body[] = "{\"code\":4,\"message\":\"Too many polling connections\"}";
    char sid[32];
    (void)state;
    w.config.max_polling = 2;
    world_start(&w);
    snprintf(sid, sizeof sid, "%s", world_handshake(&w, NULL));
    world_handshake(&w, NULL);
    refused_polling(0, 503, body, METRIC_REFUSED_POLLING);
    assert_true(world_ws(&w, 1, WEBSOCKET, NULL)); /* which does not poll */
    refused_polling(0, 503, body, METRIC_REFUSED_POLLING);
    /* One that becomes a WebSocket makes room for another; once. */
    assert_true(world_ws(&w, 2, upgrade_query(sid), NULL));
    refused_polling(0, 503, body, METRIC_REFUSED_POLLING);
    world_say(&w, 2, "2probe");
    world_say(&w, 2, "5");
    world_handshake(&w, NULL);
    refused_polling(0, 503, body, METRIC_REFUSED_POLLING);
    engine_ws_gone(w.place[2].session, &w.place[2], w.now);
    engine_ws_gone(w.place[1].session, &w.place[1], w.now);
    engine_flush(w.engine);
    refused_polling(0, 503, body, METRIC_REFUSED_POLLING);
    /* And so does one that ends. */
    engine_close_some(w.engine, 1);
    world_handshake(&w, NULL);
    refused_polling(0, 503, body, METRIC_REFUSED_POLLING);
}

static void so_many_new_ones_a_second(void **state)
{
    static const char body[] =
        "{\"code\":4,\"message\":\"Too many new connections from this address\"}";
    (void)state;
    w.config.handshake_rate = 2;
    world_start(&w);
    assert_true(world_ws(&w, 0, WEBSOCKET, NULL));
    world_get(&w, 1, POLLING);
    refused_polling(2, 429, body, METRIC_REFUSED_RATE);
    refused_ws(3, 429, body, METRIC_REFUSED_RATE);
    w.peer = "192.0.2.2";
    assert_true(world_ws(&w, 3, WEBSOCKET, NULL));
    w.peer = "192.0.2.1";
    world_pass(&w, 499);
    refused_polling(2, 429, body, METRIC_REFUSED_RATE);
    world_pass(&w, 1);
    assert_true(world_ws(&w, 5, WEBSOCKET, NULL)); /* counted once, though asked for twice */
    refused_ws(6, 429, body, METRIC_REFUSED_RATE);
    world_pass(&w, 500);
    world_get(&w, 6, POLLING);
    assert_int_equal(w.place[6].status, 200);
}

/* Each refusal has its own reason. */
static void refusals_are_counted_by_reason(void **state)
{
    static const struct {
        const char *query;
        enum metric_id metric;
    } cases[] = {
        {"EIO=4&transport=x", METRIC_REFUSED_TRANSPORT},
        {"EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA", METRIC_REFUSED_SID},
        {"EIO=3&transport=polling", METRIC_REFUSED_VERSION},
        {"EIO=4&transport=websocket", METRIC_REFUSED_MALFORMED},
    };
    (void)state;
    world_start(&w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world_get(&w, 0, cases[i].query);
        assert_int_equal(metric(cases[i].metric), 1);
    }
    world_post(&w, 0, POLLING, "");
    assert_int_equal(metric(METRIC_REFUSED_METHOD), 1);
    engine_drain(w.engine);
    world_get(&w, 0, POLLING);
    assert_int_equal(metric(METRIC_REFUSED_STOPPING), 1);
    double all = 0;
    for (int i = METRIC_REFUSED_MALFORMED; i <= METRIC_REFUSED_STOPPING; i++)
        all += w.metrics.value[i];
    assert_int_equal((int)all, 6);
}

static const char *address_of(const char *peer, const char *forwarded_for)
{
    static char text[64];
    static int n;
    n = (n + 1) % (PLACES - 1);
    w.peer = peer;
    w.forwarded_for = forwarded_for;
    assert_true(world_ws(&w, n, WEBSOCKET, NULL));
    snprintf(text, sizeof text, "%s", w.place[n].session->address);
    return text;
}

static void the_address_of_a_client_comes_from_trusted_proxies_only(void **state)
{
    (void)state;
    set(&w.config.trusted_proxies, "10.0.0.0/8");
    world_start(&w);
    assert_string_equal(address_of("10.0.0.1", "203.0.113.9"), "203.0.113.9");
    assert_string_equal(address_of("10.0.0.1", "198.51.100.1, 203.0.113.9, 10.0.0.2"),
                        "203.0.113.9");
    assert_string_equal(address_of("10.0.0.1", NULL), "10.0.0.1");
    assert_string_equal(address_of("192.0.2.1", "203.0.113.9"), "192.0.2.1");
    assert_string_equal(address_of("192.0.2.1", NULL), "192.0.2.1");
    assert_string_equal(address_of("::ffff:192.0.2.1", NULL), "192.0.2.1");
    assert_string_equal(address_of("getpeername: no", "203.0.113.9"), "::");
    assert_string_equal(address_of(NULL, "203.0.113.9"), "::");
}

static void it_is_the_one_that_is_counted(void **state)
{
    (void)state;
    w.config.max_connections_per_address = 1;
    set(&w.config.trusted_proxies, "10.0.0.0/8");
    world_start(&w);
    w.peer = "10.0.0.1";
    w.forwarded_for = "203.0.113.1";
    assert_true(world_ws(&w, 0, WEBSOCKET, NULL));
    assert_false(world_ws(&w, 1, WEBSOCKET, NULL));
    w.forwarded_for = "203.0.113.2";
    assert_true(world_ws(&w, 1, WEBSOCKET, NULL));
    w.peer = "192.0.2.1"; /* not trusted: whatever it writes, it is one */
    w.forwarded_for = "203.0.113.3";
    assert_true(world_ws(&w, 2, WEBSOCKET, NULL));
    w.forwarded_for = "203.0.113.4";
    assert_false(world_ws(&w, 3, WEBSOCKET, NULL));
}

static void a_cookie_holds_the_sid_of_a_polling_handshake(void **state)
{
    char query[128];
    (void)state;
    set(&w.config.cookie, "io");
    world_start(&w);
    const char *sid = world_handshake(&w, NULL);
    assert_string_equal(w.place[PLACES - 1].cookie, sid);
    snprintf(query, sizeof query, POLLING "&sid=%s", sid);
    world_post(&w, 0, query, "40/tasks,");
    assert_string_equal(w.place[0].cookie, "");
    world_get(&w, 0, POLLING "&sid=x");
    assert_string_equal(w.place[0].cookie, "");
}

static void none_unless_it_has_a_name(void **state)
{
    (void)state;
    world_start(&w);
    world_handshake(&w, NULL);
    assert_string_equal(w.place[PLACES - 1].cookie, "");
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
        TEST(so_many_in_all),
        TEST(so_many_of_one_address),
        TEST(so_many_that_poll),
        TEST(so_many_new_ones_a_second),
        TEST(refusals_are_counted_by_reason),
        TEST(the_address_of_a_client_comes_from_trusted_proxies_only),
        TEST(it_is_the_one_that_is_counted),
        TEST(a_cookie_holds_the_sid_of_a_polling_handshake),
        TEST(none_unless_it_has_a_name),
    };
    return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
