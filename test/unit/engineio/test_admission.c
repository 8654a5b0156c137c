/* Who may begin a session: how many, from where, how fast; and whose address it is behind a proxy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engineio/session.h"
#include "mock_stack.h"

static struct mock_stack m;

#define POLLING "EIO=4&transport=polling"
#define WEBSOCKET "EIO=4&transport=websocket"

static void set(char **option, const char *value)
{
    free(*option);
    *option = strdup(value);
}

static int metric(enum metric_id id)
{
    return (int)m.metrics.value[id];
}

static int sessions(void)
{
    return (int)engine_sessions(m.engine);
}

static void refused_polling(int n, int status, const char *body, enum metric_id id)
{
    int before = metric(id), all = sessions();
    stack_get(&m, n, POLLING);
    assert_int_equal(m.net.handle[n].status, status);
    assert_string_equal(m.net.handle[n].text, body);
    assert_int_equal(metric(id), before + 1);
    assert_int_equal(sessions(), all);
}

static void refused_ws(int n, int status, const char *body, enum metric_id id)
{
    int before = metric(id), all = sessions();
    assert_false(stack_ws(&m, n, WEBSOCKET, NULL));
    assert_int_equal(m.net.handle[n].status, status);
    assert_string_equal(m.net.handle[n].text, body);
    assert_int_equal(metric(id), before + 1);
    assert_int_equal(sessions(), all);
}

static void so_many_in_all(void **state)
{
    static const char body[] = "{\"code\":4,\"message\":\"Too many connections\"}";
    (void)state;
    m.config.max_connections = 2;
    stack_start(&m);
    stack_get(&m, 0, POLLING);
    m.peer = "192.0.2.2";
    assert_true(stack_ws(&m, 1, WEBSOCKET, NULL));
    m.peer = "192.0.2.3";
    refused_polling(2, 503, body, METRIC_REFUSED_CONNECTIONS);
    refused_ws(3, 503, body, METRIC_REFUSED_CONNECTIONS);
    engine_ws_gone(m.net.handle[1].session, &m.net.handle[1], m.now);
    engine_flush(m.engine);
    assert_true(stack_ws(&m, 3, WEBSOCKET, NULL));
    refused_ws(4, 503, body, METRIC_REFUSED_CONNECTIONS);
}

static void so_many_of_one_address(void **state)
{
    static const char body[] =
        "{\"code\":4,\"message\":\"Too many connections from this address\"}";
    (void)state;
    m.config.max_connections_per_address = 2;
    stack_start(&m);
    stack_get(&m, 0, POLLING);
    assert_true(stack_ws(&m, 1, WEBSOCKET, NULL));
    refused_polling(2, 503, body, METRIC_REFUSED_ADDRESS);
    refused_ws(3, 503, body, METRIC_REFUSED_ADDRESS);
    m.peer = "::ffff:192.0.2.1";
    refused_ws(3, 503, body, METRIC_REFUSED_ADDRESS);
    m.peer = "192.0.2.2";
    assert_true(stack_ws(&m, 3, WEBSOCKET, NULL));
    m.peer = "192.0.2.1";
    engine_ws_gone(m.net.handle[1].session, &m.net.handle[1], m.now);
    engine_flush(m.engine);
    stack_get(&m, 4, POLLING);
    assert_int_equal(m.net.handle[4].status, 200);
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
    m.config.max_polling = 2;
    stack_start(&m);
    snprintf(sid, sizeof sid, "%s", stack_handshake(&m, NULL));
    stack_handshake(&m, NULL);
    refused_polling(0, 503, body, METRIC_REFUSED_POLLING);
    assert_true(stack_ws(&m, 1, WEBSOCKET, NULL)); /* which does not poll */
    refused_polling(0, 503, body, METRIC_REFUSED_POLLING);
    /* One that becomes a WebSocket makes room for another; once. */
    assert_true(stack_ws(&m, 2, upgrade_query(sid), NULL));
    refused_polling(0, 503, body, METRIC_REFUSED_POLLING);
    stack_say(&m, 2, "2probe");
    stack_say(&m, 2, "5");
    stack_handshake(&m, NULL);
    refused_polling(0, 503, body, METRIC_REFUSED_POLLING);
    engine_ws_gone(m.net.handle[2].session, &m.net.handle[2], m.now);
    engine_ws_gone(m.net.handle[1].session, &m.net.handle[1], m.now);
    engine_flush(m.engine);
    refused_polling(0, 503, body, METRIC_REFUSED_POLLING);
    /* And so does one that ends. */
    engine_close_some(m.engine, 1);
    stack_handshake(&m, NULL);
    refused_polling(0, 503, body, METRIC_REFUSED_POLLING);
}

static void so_many_new_ones_a_second(void **state)
{
    static const char body[] =
        "{\"code\":4,\"message\":\"Too many new connections from this address\"}";
    (void)state;
    m.config.handshake_rate = 2;
    stack_start(&m);
    assert_true(stack_ws(&m, 0, WEBSOCKET, NULL));
    stack_get(&m, 1, POLLING);
    refused_polling(2, 429, body, METRIC_REFUSED_RATE);
    refused_ws(3, 429, body, METRIC_REFUSED_RATE);
    m.peer = "192.0.2.2";
    assert_true(stack_ws(&m, 3, WEBSOCKET, NULL));
    m.peer = "192.0.2.1";
    stack_pass(&m, 499);
    refused_polling(2, 429, body, METRIC_REFUSED_RATE);
    stack_pass(&m, 1);
    assert_true(stack_ws(&m, 5, WEBSOCKET, NULL)); /* counted once, though asked for twice */
    refused_ws(6, 429, body, METRIC_REFUSED_RATE);
    stack_pass(&m, 500);
    stack_get(&m, 6, POLLING);
    assert_int_equal(m.net.handle[6].status, 200);
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
    stack_start(&m);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stack_get(&m, 0, cases[i].query);
        assert_int_equal(metric(cases[i].metric), 1);
    }
    stack_post(&m, 0, POLLING, "");
    assert_int_equal(metric(METRIC_REFUSED_METHOD), 1);
    engine_drain(m.engine);
    stack_get(&m, 0, POLLING);
    assert_int_equal(metric(METRIC_REFUSED_STOPPING), 1);
    double all = 0;
    for (int i = METRIC_REFUSED_MALFORMED; i <= METRIC_REFUSED_STOPPING; i++)
        all += m.metrics.value[i];
    assert_int_equal((int)all, 6);
}

static const char *address_of(const char *peer, const char *forwarded_for)
{
    static char text[64];
    static int n;
    n = (n + 1) % (HANDLES - 1);
    m.peer = peer;
    m.forwarded_for = forwarded_for;
    assert_true(stack_ws(&m, n, WEBSOCKET, NULL));
    snprintf(text, sizeof text, "%s", m.net.handle[n].session->address);
    return text;
}

static void the_address_of_a_client_comes_from_trusted_proxies_only(void **state)
{
    (void)state;
    set(&m.config.trusted_proxies, "10.0.0.0/8");
    stack_start(&m);
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
    m.config.max_connections_per_address = 1;
    set(&m.config.trusted_proxies, "10.0.0.0/8");
    stack_start(&m);
    m.peer = "10.0.0.1";
    m.forwarded_for = "203.0.113.1";
    assert_true(stack_ws(&m, 0, WEBSOCKET, NULL));
    assert_false(stack_ws(&m, 1, WEBSOCKET, NULL));
    m.forwarded_for = "203.0.113.2";
    assert_true(stack_ws(&m, 1, WEBSOCKET, NULL));
    m.peer = "192.0.2.1"; /* not trusted: whatever it writes, it is one */
    m.forwarded_for = "203.0.113.3";
    assert_true(stack_ws(&m, 2, WEBSOCKET, NULL));
    m.forwarded_for = "203.0.113.4";
    assert_false(stack_ws(&m, 3, WEBSOCKET, NULL));
}

static void a_cookie_holds_the_sid_of_a_polling_handshake(void **state)
{
    char query[128];
    (void)state;
    set(&m.config.cookie, "io");
    stack_start(&m);
    const char *sid = stack_handshake(&m, NULL);
    assert_string_equal(m.net.handle[HANDLES - 1].cookie, sid);
    snprintf(query, sizeof query, POLLING "&sid=%s", sid);
    stack_post(&m, 0, query, "40/tasks,");
    assert_string_equal(m.net.handle[0].cookie, "");
    stack_get(&m, 0, POLLING "&sid=x");
    assert_string_equal(m.net.handle[0].cookie, "");
}

static void none_unless_it_has_a_name(void **state)
{
    (void)state;
    stack_start(&m);
    stack_handshake(&m, NULL);
    assert_string_equal(m.net.handle[HANDLES - 1].cookie, "");
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
    return cmocka_run_group_tests_name("admission", tests, NULL, NULL);
}
