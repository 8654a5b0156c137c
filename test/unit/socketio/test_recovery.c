/* Clients that reconnect: offsets behind events, resumes, and expired tokens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mock_stack.h"

static struct mock_stack m;
static const char WS[] = "EIO=4&transport=websocket", OLD[] = "AAAAAAAAAAAAAAAAAAAA";

static int setup(void **state)
{
    (void)state;
    stack_setup(&m, NULL);
    m.config.ping_interval = m.config.ping_timeout = 100000000;
    stack_start(&m);
    m.user_agent = "Mozilla/5.0";
    offset_open(&m.offsets, "secret", "epoch");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stack_end(&m);
    return 0;
}

static void admit(const char *rooms, const char *snapshot, const char *missed)
{
    json_t *events = missed ? json_loads(missed, 0, NULL) : NULL;
    struct registration a = {.sid = m.mock.sid,
                             .principal = 1,
                             .rooms = rooms,
                             .snapshot = snapshot,
                             .recovers = true,
                             .missed = events};
    assert_true(!missed || events);
    hub_set_rooms(m.hub, &a, m.now);
    json_decref(events);
    engine_flush(m.engine);
}

/* A WebSocket with this token, which then sends this CONNECT. */
static void connect_with(int n, int exp, const char *packet)
{
    assert_true(stack_ws(&m, n, WS, stack_bearer(&m, 7, exp, "")));
    stack_received(&m, n);
    m.mock.asked[0] = '\0';
    stack_say(&m, n, packet);
}

static void read_of(const char *prev, const char *cur)
{
    hub_read_begin(m.hub);
    hub_read_marks(m.hub, prev, cur);
}

static void event(int64_t id, uint64_t xid)
{
    struct event e = {.id = id,
                      .xid = xid,
                      .nsp = "/tasks",
                      .rooms = "a",
                      .payload = "[\"e\"]",
                      .payload_len = 5};
    hub_publish(m.hub, &e, m.now);
    engine_flush(m.engine);
}

/* What handle n has received is the event with this offset, or without one. */
static void expect_at(int n, const char *prev, const char *cur, int64_t id)
{
    char packet[2 * OFFSET_MAX];
    snprintf(packet, sizeof packet, "42/tasks,[\"e\",\"%s\"]\n",
             offset_make(&m.offsets, prev, cur, id));
    assert_string_equal(stack_received(&m, n), packet);
}

static void events_have_offsets_where_they_are_understood(void **state)
{
    static const char *const agents[] = {"python-requests/2.28.1", "Python/3.11", "", NULL};
    (void)state;
    connect_with(0, 3600, "40/tasks,");
    assert_non_null(strstr(stack_received(&m, 0), "\",\"pid\":\""));
    admit("a", NULL, NULL);
    for (int i = 0; i < 4; i++) {
        m.user_agent = agents[i];
        connect_with(i + 1, 3600, "40/tasks,");
        assert_null(strstr(stack_received(&m, i + 1), "pid"));
        admit("a", NULL, NULL);
    }
    read_of("5:5:", "9:9:");
    event(3, 6);
    expect_at(0, "5:5:", "9:9:", 3);
    for (int i = 1; i <= 4; i++)
        assert_string_equal(stack_received(&m, i), "42/tasks,[\"e\"]\n");
    struct registration node = {.sid = m.mock.sid, .principal = 1, .rooms = "a"};
    m.user_agent = "Mozilla/5.0";
    connect_with(5, 3600, "40/tasks,");
    stack_received(&m, 5);
    node.sid = m.mock.sid;
    hub_set_rooms(m.hub, &node, m.now); /* the database says that it does not recover */
    event(4, 6);
    assert_string_equal(stack_received(&m, 5), "42/tasks,[\"e\"]\n");
}

static void in_its_first_read_a_socket_begins_at_its_snapshot(void **state)
{
    (void)state;
    connect_with(0, 3600, "40/tasks,");
    stack_received(&m, 0);
    admit("a", "7:7:", NULL);
    read_of("5:5:", "9:9:");
    event(3, 6); /* before its time */
    event(4, 8);
    expect_at(0, "7:7:", "9:9:", 4);
    hub_read_end(m.hub);
    read_of("9:9:", "12:12:");
    event(5, 10);
    expect_at(0, "9:9:", "12:12:", 5);
    read_of(NULL, NULL); /* a read that goes on with a lost one */
    event(6, 13);
    assert_string_equal(stack_received(&m, 0), "42/tasks,[\"e\",\"-\"]\n");
}

static void a_resume_is_answered_when_it_is_judged(void **state)
{
    char packet[256], asked[256];
    (void)state;
    snprintf(packet, sizeof packet, "40/tasks,{\"pid\":\"%s\",\"offset\":\"o\"}", OLD);
    connect_with(0, 3600, packet);
    assert_string_equal(stack_received(&m, 0), "");
    snprintf(asked, sizeof asked, "connect /tasks 7 websocket was %s at o\n", OLD);
    assert_string_equal(m.mock.asked, asked);
    admit("a", "9:9:",
          "{\"prev\":\"3:3:\",\"cur\":\"5:5:\",\"events\":[[1,\"[\\\"x\\\"]\",false],"
          "[2,\"[\\\"y\\\",1]\",true]]}");
    snprintf(packet, sizeof packet, "42/tasks,[\"x\",\"%s\"]\n",
             offset_make(&m.offsets, "3:3:", "5:5:", 1));
    const char *received = stack_received(&m, 0);
    assert_memory_equal(received, packet, strlen(packet));
    received += strlen(packet);
    snprintf(packet, sizeof packet, "42/tasks,[\"y\",1,\"%s\"]\n",
             offset_make(&m.offsets, "5:5:", "9:9:", 2));
    assert_memory_equal(received, packet, strlen(packet));
    received += strlen(packet);
    snprintf(packet, sizeof packet, "40/tasks,{\"sid\":\"%s\",\"pid\":\"%s\"}\n", m.mock.sid, OLD);
    assert_string_equal(received, packet);
    assert_int_equal((int)m.metrics.value[METRIC_RECOVERED], 1);
}

static void a_resume_that_is_not_good_is_a_new_connection(void **state)
{
    char packet[256];
    (void)state;
    snprintf(packet, sizeof packet, "40/tasks,{\"pid\":\"%s\"}", OLD);
    connect_with(0, 3600, packet);
    admit("a", "9:9:", NULL);
    const char *received = stack_received(&m, 0);
    assert_non_null(strstr(received, "\",\"pid\":\""));
    assert_null(strstr(received, OLD));
    assert_int_equal((int)m.metrics.value[METRIC_NOT_RECOVERED], 1);
    static const char *const none[] = {
        "40/tasks,{\"pid\":\"short\"}", "40/tasks,{\"pid\":5}", "40/tasks,{\"offset\":\"o\"}",
        "40/tasks,{\"pid\":\"€€€€€€aa\"}", "40/tasks,{\"pid\":\"aaaaaaaaaaaaaaaaaaa,\"}"};
    for (int i = 0; i < 5; i++) {
        connect_with(1 + i, 3600, none[i]);
        assert_string_equal(m.mock.asked, "connect /tasks 7 websocket\n");
        assert_memory_equal(stack_received(&m, 1 + i), "40/tasks,{\"sid\"", 15);
    }
}

static void a_resume_may_prove_who_shows_an_expired_token(void **state)
{
    char packet[256];
    (void)state;
    snprintf(packet, sizeof packet, "40/tasks,{\"pid\":\"%s\"}", OLD);
    connect_with(0, -11, packet);
    assert_non_null(strstr(m.mock.asked, " expired\n"));
    admit("a", NULL, NULL);
    assert_memory_equal(stack_received(&m, 0), "40/tasks,{\"sid\"", 15);
    stack_say(&m, 0, "42/tasks,[\"x\"]");
    assert_non_null(strstr(m.mock.asked, "receive 1 /tasks x "));
    stack_pass(&m, 3600000);
    assert_false(m.net.handle[0].closed);

    connect_with(1, -11, packet);
    struct registration nobody = {.sid = m.mock.sid, .principal = 0, .rooms = ""};
    hub_set_rooms(m.hub, &nobody, m.now);
    engine_flush(m.engine);
    const char *received = stack_received(&m, 1);
    assert_memory_equal(received, "40/tasks,{\"sid\"", 15);
    assert_non_null(strstr(received, "\n42/tasks,[\"expired_token\"]\n"));
    m.mock.asked[0] = '\0';
    stack_say(&m, 1, "42/tasks,[\"x\"]");
    assert_string_equal(m.mock.asked, "");
    stack_closed_after(&m, 1, 30000);
}

static void an_expired_token_ends_the_connection_if_that_is_wanted(void **state)
{
    char packet[256];
    (void)state;
    m.config.token_expiry = TOKEN_EXPIRY_CLOSE;
    snprintf(packet, sizeof packet, "40/tasks,{\"pid\":\"%s\"}", OLD);
    connect_with(0, -11, packet);
    assert_string_equal(m.mock.asked, "");
    assert_non_null(strstr(stack_received(&m, 0), "expired_token"));
}

static void expect_asked(const char *what)
{
    assert_string_equal(m.mock.asked, what);
    m.mock.asked[0] = '\0';
}

/* What it missed is queued before its proof is judged. */
static void a_resume_with_an_expired_token_may_have_missed_much(void **state)
{
    static char large[20000], missed[sizeof large + 200];
    char packet[256];
    (void)state;
    memset(large, 'x', sizeof large - 1);
    snprintf(missed, sizeof missed,
             "{\"prev\":\"3:3:\",\"cur\":\"5:5:\",\"events\":[[1,\"[\\\"%s\\\"]\",false]]}", large);
    snprintf(packet, sizeof packet, "40/tasks,{\"pid\":\"%s\",\"offset\":\"o\"}", OLD);
    connect_with(0, -11, packet);
    admit("a", "9:9:", missed);
    assert_false(m.net.handle[0].closed);
    assert_int_equal((int)m.metrics.value[METRIC_CLOSED_STRANGER], 0);
}

static void a_resume_whose_database_went_away_waits_for_it(void **state)
{
    char packet[256], asked[256];
    (void)state;
    m.config.connect_timeout = 1000;
    m.config.claim_timeout = 5000;
    snprintf(packet, sizeof packet, "40/tasks,{\"pid\":\"%s\",\"offset\":\"o\"}", OLD);
    connect_with(0, 3600, packet);
    m.mock.asked[0] = '\0';
    stack_pass(&m, 4999);
    hub_renew(m.hub, m.now);
    engine_flush(m.engine);
    assert_string_equal(stack_received(&m, 0), "");
    snprintf(asked, sizeof asked, "connect again /tasks 7 websocket was %s at o\n", OLD);
    expect_asked(asked);
    admit("a", "9:9:", "{\"prev\":\"3:3:\",\"cur\":\"5:5:\",\"events\":[]}");
    assert_non_null(strstr(stack_received(&m, 0), OLD));
    hub_renew(m.hub, m.now); /* it resumes no more */
    expect_asked("connect again /tasks 7 websocket\n");
    stack_pass(&m, 1);
    expect_asked("");
}

static void it_does_not_wait_for_ever(void **state)
{
    char packet[256];
    (void)state;
    m.config.claim_timeout = 5000;
    snprintf(packet, sizeof packet, "40/tasks,{\"pid\":\"%s\"}", OLD);
    connect_with(0, 3600, packet);
    m.mock.asked[0] = '\0';
    stack_pass(&m, 4999);
    assert_string_equal(stack_received(&m, 0), "");
    stack_pass(&m, 1);
    expect_asked("connect /tasks 7 websocket\n");
    assert_memory_equal(stack_received(&m, 0), "40/tasks,{\"sid\"", 15);
    assert_int_equal((int)m.metrics.value[METRIC_NOT_RECOVERED], 1);
    admit("a",
          "9:9:", "{\"prev\":\"3:3:\",\"cur\":\"5:5:\",\"events\":[[1,\"[\\\"x\\\"]\",true]]}");
    assert_string_equal(stack_received(&m, 0), ""); /* a late answer recovers nothing */
    admit("a", "9:9:", NULL);
    read_of("9:9:", "12:12:");
    event(3, 10);
    expect_at(0, "9:9:", "12:12:", 3);

    connect_with(1, -11, packet);
    stack_pass(&m, 5000);
    const char *received = stack_received(&m, 1);
    assert_memory_equal(received, "40/tasks,{\"sid\"", 15);
    assert_non_null(strstr(received, "\n42/tasks,[\"expired_token\"]\n"));
    stack_closed_after(&m, 1, 30000);
}

/* A client that has connected while there were no keys, with this resume. */
static void connect_before_keys(int n, int exp, const char *packet)
{
    auth_set_keys(m.auth, NULL, m.now, m.now);
    connect_with(n, exp, packet);
    expect_asked("");
    assert_string_equal(stack_received(&m, n), "");
}

static void a_resume_waits_for_a_key_too(void **state)
{
    char packet[256], asked[256];
    (void)state;
    snprintf(packet, sizeof packet, "40/tasks,{\"pid\":\"%s\"}", OLD);
    snprintf(asked, sizeof asked, "connect /tasks 7 websocket was %s at its beginning", OLD);
    connect_before_keys(0, 3600, packet);
    auth_set_keys(m.auth, m.keys, m.now, m.now);
    assert_memory_equal(m.mock.asked, asked, strlen(asked));
    admit("a", "9:9:", "{\"prev\":\"3:3:\",\"cur\":\"5:5:\",\"events\":[]}");
    assert_non_null(strstr(stack_received(&m, 0), OLD));

    connect_before_keys(1, -11, packet);
    auth_set_keys(m.auth, m.keys, m.now, m.now);
    assert_memory_equal(m.mock.asked, asked, strlen(asked));
    assert_non_null(strstr(m.mock.asked, " expired\n"));
    assert_string_equal(stack_received(&m, 1), "");

    connect_before_keys(2, 3600, packet);
    stack_pass(&m, m.config.claim_timeout);
    expect_asked("");
    assert_memory_equal(stack_received(&m, 2), "40/tasks,{\"sid\"", 15);
    auth_set_keys(m.auth, m.keys, m.now, m.now);
    expect_asked("connect /tasks 7 websocket\n");

    auth_set_keys(m.auth, NULL, m.now, m.now);
    assert_true(stack_ws(&m, 3, WS, "Bearer none.of.ours"));
    stack_received(&m, 3);
    stack_say(&m, 3, packet);
    auth_set_keys(m.auth, m.keys, m.now, m.now);
    engine_flush(m.engine);
    expect_asked("");
    assert_memory_equal(stack_received(&m, 3), "40/tasks,{\"sid\"", 15);
}

static void one_that_leaves_before_its_resume_is_judged_is_reported_to_the_backend(void **state)
{
    char packet[256];
    (void)state;
    snprintf(packet, sizeof packet, "40/tasks,{\"pid\":\"%s\"}", OLD);
    connect_with(0, -11, packet);
    m.mock.asked[0] = '\0';
    stack_say(&m, 0, "1");
    assert_string_equal(m.mock.asked, "disconnect transport close 1\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(events_have_offsets_where_they_are_understood),
        TEST(in_its_first_read_a_socket_begins_at_its_snapshot),
        TEST(a_resume_is_answered_when_it_is_judged),
        TEST(a_resume_that_is_not_good_is_a_new_connection),
        TEST(a_resume_may_prove_who_shows_an_expired_token),
        TEST(an_expired_token_ends_the_connection_if_that_is_wanted),
        TEST(a_resume_with_an_expired_token_may_have_missed_much),
        TEST(a_resume_whose_database_went_away_waits_for_it),
        TEST(it_does_not_wait_for_ever),
        TEST(a_resume_waits_for_a_key_too),
        TEST(one_that_leaves_before_its_resume_is_judged_is_reported_to_the_backend),
    };
    return cmocka_run_group_tests_name("recovery", tests, NULL, NULL);
}
