/* Clients that come back, over paper: offsets behind events, resumes, and expired tokens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

static struct world w;
static const char WS[] = "EIO=4&transport=websocket", OLD[] = "AAAAAAAAAAAAAAAAAAAA";

static int setup(void **state)
{
    (void)state;
    world_setup(&w);
    w.config.ping_interval = w.config.ping_timeout = 100000000;
    world_start(&w);
    w.user_agent = "Mozilla/5.0";
    offset_open(&w.offsets, "secret", "epoch");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_end(&w);
    return 0;
}

static void admit(const char *rooms, const char *snapshot, const char *missed)
{
    json_t *m = missed ? json_loads(missed, 0, NULL) : NULL;
    struct registration a = {.sid = w.sid,
                             .principal = 1,
                             .rooms = rooms,
                             .snapshot = snapshot,
                             .recovers = true,
                             .missed = m};
    assert_true(!missed || m);
    hub_set_rooms(w.hub, &a, w.now);
    json_decref(m);
    engine_flush(w.engine);
}

/* A WebSocket with this token, which then sends this CONNECT. */
static void connect_with(int n, int exp, const char *packet)
{
    assert_true(world_ws(&w, n, WS, world_bearer(&w, 7, exp, "")));
    world_received(&w, n);
    w.asked[0] = '\0';
    world_say(&w, n, packet);
}

static void read_of(const char *prev, const char *cur)
{
    hub_read_begin(w.hub);
    hub_read_marks(w.hub, prev, cur);
}

static void event(int64_t id, uint64_t xid)
{
    struct event e = {.id = id,
                      .xid = xid,
                      .nsp = "/tasks",
                      .rooms = "a",
                      .payload = "[\"e\"]",
                      .payload_len = 5};
    hub_publish(w.hub, &e, w.now);
    engine_flush(w.engine);
}

/* What place n has heard is the event with this offset, or without one. */
static void expect_at(int n, const char *prev, const char *cur, int64_t id)
{
    char packet[2 * OFFSET_MAX];
    snprintf(packet, sizeof packet, "42/tasks,[\"e\",\"%s\"]\n",
             offset_make(&w.offsets, prev, cur, id));
    assert_string_equal(world_received(&w, n), packet);
}

static void events_have_offsets_where_they_are_understood(void **state)
{
    static const char *const agents[] = {"python-requests/2.28.1", "Python/3.11", "", NULL};
    (void)state;
    connect_with(0, 3600, "40/tasks,");
    assert_non_null(strstr(world_received(&w, 0), "\",\"pid\":\""));
    admit("a", NULL, NULL);
    for (int i = 0; i < 4; i++) {
        w.user_agent = agents[i];
        connect_with(i + 1, 3600, "40/tasks,");
        assert_null(strstr(world_received(&w, i + 1), "pid"));
        admit("a", NULL, NULL);
    }
    read_of("5:5:", "9:9:");
    event(3, 6);
    expect_at(0, "5:5:", "9:9:", 3);
    for (int i = 1; i <= 4; i++)
        assert_string_equal(world_received(&w, i), "42/tasks,[\"e\"]\n");
    struct registration node = {.sid = w.sid, .principal = 1, .rooms = "a"};
    w.user_agent = "Mozilla/5.0";
    connect_with(5, 3600, "40/tasks,");
    world_received(&w, 5);
    node.sid = w.sid;
    hub_set_rooms(w.hub, &node, w.now); /* the database says that it does not recover */
    event(4, 6);
    assert_string_equal(world_received(&w, 5), "42/tasks,[\"e\"]\n");
}

static void in_its_first_read_a_socket_begins_at_its_snapshot(void **state)
{
    (void)state;
    connect_with(0, 3600, "40/tasks,");
    world_received(&w, 0);
    admit("a", "7:7:", NULL);
    read_of("5:5:", "9:9:");
    event(3, 6); /* before its time */
    event(4, 8);
    expect_at(0, "7:7:", "9:9:", 4);
    hub_read_end(w.hub);
    read_of("9:9:", "12:12:");
    event(5, 10);
    expect_at(0, "9:9:", "12:12:", 5);
    read_of(NULL, NULL); /* a read that goes on with a lost one */
    event(6, 13);
    assert_string_equal(world_received(&w, 0), "42/tasks,[\"e\",\"-\"]\n");
}

static void a_resume_is_answered_when_it_is_judged(void **state)
{
    char packet[256], asked[256];
    (void)state;
    snprintf(packet, sizeof packet, "40/tasks,{\"pid\":\"%s\",\"offset\":\"o\"}", OLD);
    connect_with(0, 3600, packet);
    assert_string_equal(world_received(&w, 0), "");
    snprintf(asked, sizeof asked, "connect /tasks 7 websocket was %s at o\n", OLD);
    assert_string_equal(w.asked, asked);
    admit("a", "9:9:",
          "{\"prev\":\"3:3:\",\"cur\":\"5:5:\",\"events\":[[1,\"[\\\"x\\\"]\",false],"
          "[2,\"[\\\"y\\\",1]\",true]]}");
    snprintf(packet, sizeof packet, "42/tasks,[\"x\",\"%s\"]\n",
             offset_make(&w.offsets, "3:3:", "5:5:", 1));
    const char *heard = world_received(&w, 0);
    assert_memory_equal(heard, packet, strlen(packet));
    heard += strlen(packet);
    snprintf(packet, sizeof packet, "42/tasks,[\"y\",1,\"%s\"]\n",
             offset_make(&w.offsets, "5:5:", "9:9:", 2));
    assert_memory_equal(heard, packet, strlen(packet));
    heard += strlen(packet);
    snprintf(packet, sizeof packet, "40/tasks,{\"sid\":\"%s\",\"pid\":\"%s\"}\n", w.sid, OLD);
    assert_string_equal(heard, packet);
    assert_int_equal((int)w.metrics.value[METRIC_RECOVERED], 1);
}

static void a_resume_that_is_not_good_is_a_new_connection(void **state)
{
    char packet[256];
    (void)state;
    snprintf(packet, sizeof packet, "40/tasks,{\"pid\":\"%s\"}", OLD);
    connect_with(0, 3600, packet);
    admit("a", "9:9:", NULL);
    const char *heard = world_received(&w, 0);
    assert_non_null(strstr(heard, "\",\"pid\":\""));
    assert_null(strstr(heard, OLD));
    assert_int_equal((int)w.metrics.value[METRIC_NOT_RECOVERED], 1);
    static const char *const none[] = {"40/tasks,{\"pid\":\"short\"}", "40/tasks,{\"pid\":5}",
                                       "40/tasks,{\"offset\":\"o\"}"};
    for (int i = 0; i < 3; i++) {
        connect_with(1 + i, 3600, none[i]);
        assert_string_equal(w.asked, "connect /tasks 7 websocket\n");
        assert_memory_equal(world_received(&w, 1 + i), "40/tasks,{\"sid\"", 15);
    }
}

static void a_resume_may_prove_who_shows_an_expired_token(void **state)
{
    char packet[256];
    (void)state;
    snprintf(packet, sizeof packet, "40/tasks,{\"pid\":\"%s\"}", OLD);
    connect_with(0, -11, packet);
    assert_non_null(strstr(w.asked, " expired\n"));
    admit("a", NULL, NULL);
    assert_memory_equal(world_received(&w, 0), "40/tasks,{\"sid\"", 15);
    world_say(&w, 0, "42/tasks,[\"x\"]");
    assert_non_null(strstr(w.asked, "receive 1 /tasks x "));
    world_pass(&w, 3600000);
    assert_false(w.place[0].closed);

    connect_with(1, -11, packet);
    struct registration nobody = {.sid = w.sid, .principal = 0, .rooms = ""};
    hub_set_rooms(w.hub, &nobody, w.now);
    engine_flush(w.engine);
    const char *heard = world_received(&w, 1);
    assert_memory_equal(heard, "40/tasks,{\"sid\"", 15);
    assert_non_null(strstr(heard, "\n42/tasks,[\"expired_token\"]\n"));
    w.asked[0] = '\0';
    world_say(&w, 1, "42/tasks,[\"x\"]");
    assert_string_equal(w.asked, "");
    world_closed_after(&w, 1, 30000);
}

static void an_expired_token_ends_the_connection_if_that_is_wanted(void **state)
{
    char packet[256];
    (void)state;
    w.config.token_expiry = TOKEN_EXPIRY_CLOSE;
    snprintf(packet, sizeof packet, "40/tasks,{\"pid\":\"%s\"}", OLD);
    connect_with(0, -11, packet);
    assert_string_equal(w.asked, "");
    assert_non_null(strstr(world_received(&w, 0), "expired_token"));
}

static void expect_asked(const char *what)
{
    assert_string_equal(w.asked, what);
    w.asked[0] = '\0';
}

static void a_resume_whose_database_went_away_waits_for_it(void **state)
{
    char packet[256], asked[256];
    (void)state;
    w.config.connect_timeout = 1000;
    w.config.claim_timeout = 5000;
    snprintf(packet, sizeof packet, "40/tasks,{\"pid\":\"%s\",\"offset\":\"o\"}", OLD);
    connect_with(0, 3600, packet);
    w.asked[0] = '\0';
    world_pass(&w, 4999);
    hub_renew(w.hub, w.now);
    engine_flush(w.engine);
    assert_string_equal(world_received(&w, 0), "");
    snprintf(asked, sizeof asked, "connect again /tasks 7 websocket was %s at o\n", OLD);
    expect_asked(asked);
    admit("a", "9:9:", "{\"prev\":\"3:3:\",\"cur\":\"5:5:\",\"events\":[]}");
    assert_non_null(strstr(world_received(&w, 0), OLD));
    hub_renew(w.hub, w.now); /* it resumes no more */
    expect_asked("connect again /tasks 7 websocket\n");
    world_pass(&w, 1);
    expect_asked("");
}

static void it_does_not_wait_for_ever(void **state)
{
    char packet[256];
    (void)state;
    w.config.claim_timeout = 5000;
    snprintf(packet, sizeof packet, "40/tasks,{\"pid\":\"%s\"}", OLD);
    connect_with(0, 3600, packet);
    w.asked[0] = '\0';
    world_pass(&w, 4999);
    assert_string_equal(world_received(&w, 0), "");
    world_pass(&w, 1);
    expect_asked("connect /tasks 7 websocket\n");
    assert_memory_equal(world_received(&w, 0), "40/tasks,{\"sid\"", 15);
    assert_int_equal((int)w.metrics.value[METRIC_NOT_RECOVERED], 1);
    admit("a",
          "9:9:", "{\"prev\":\"3:3:\",\"cur\":\"5:5:\",\"events\":[[1,\"[\\\"x\\\"]\",true]]}");
    assert_string_equal(world_received(&w, 0), ""); /* a late answer recovers nothing */
    admit("a", "9:9:", NULL);
    read_of("9:9:", "12:12:");
    event(3, 10);
    expect_at(0, "9:9:", "12:12:", 3);

    connect_with(1, -11, packet);
    world_pass(&w, 5000);
    const char *heard = world_received(&w, 1);
    assert_memory_equal(heard, "40/tasks,{\"sid\"", 15);
    assert_non_null(strstr(heard, "\n42/tasks,[\"expired_token\"]\n"));
    world_closed_after(&w, 1, 30000);
}

/* A place that has connected while there were no keys, with this resume. */
static void connect_before_keys(int n, int exp, const char *packet)
{
    auth_set_keys(w.auth, NULL, w.now, w.now);
    connect_with(n, exp, packet);
    expect_asked("");
    assert_string_equal(world_received(&w, n), "");
}

static void a_resume_waits_for_a_key_too(void **state)
{
    char packet[256], asked[256];
    (void)state;
    snprintf(packet, sizeof packet, "40/tasks,{\"pid\":\"%s\"}", OLD);
    snprintf(asked, sizeof asked, "connect /tasks 7 websocket was %s at its beginning", OLD);
    connect_before_keys(0, 3600, packet);
    auth_set_keys(w.auth, w.keys, w.now, w.now);
    assert_memory_equal(w.asked, asked, strlen(asked));
    admit("a", "9:9:", "{\"prev\":\"3:3:\",\"cur\":\"5:5:\",\"events\":[]}");
    assert_non_null(strstr(world_received(&w, 0), OLD));

    connect_before_keys(1, -11, packet);
    auth_set_keys(w.auth, w.keys, w.now, w.now);
    assert_memory_equal(w.asked, asked, strlen(asked));
    assert_non_null(strstr(w.asked, " expired\n"));
    assert_string_equal(world_received(&w, 1), "");

    connect_before_keys(2, 3600, packet);
    world_pass(&w, w.config.claim_timeout);
    expect_asked("");
    assert_memory_equal(world_received(&w, 2), "40/tasks,{\"sid\"", 15);
    auth_set_keys(w.auth, w.keys, w.now, w.now);
    expect_asked("connect /tasks 7 websocket\n");

    auth_set_keys(w.auth, NULL, w.now, w.now);
    assert_true(world_ws(&w, 3, WS, "Bearer none.of.ours"));
    world_received(&w, 3);
    world_say(&w, 3, packet);
    auth_set_keys(w.auth, w.keys, w.now, w.now);
    engine_flush(w.engine);
    expect_asked("");
    assert_memory_equal(world_received(&w, 3), "40/tasks,{\"sid\"", 15);
}

static void one_that_leaves_before_its_resume_is_judged_is_told_to_the_backend(void **state)
{
    char packet[256];
    (void)state;
    snprintf(packet, sizeof packet, "40/tasks,{\"pid\":\"%s\"}", OLD);
    connect_with(0, -11, packet);
    w.asked[0] = '\0';
    world_say(&w, 0, "1");
    assert_string_equal(w.asked, "disconnect transport close 1\n");
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
        TEST(a_resume_whose_database_went_away_waits_for_it),
        TEST(it_does_not_wait_for_ever),
        TEST(a_resume_waits_for_a_key_too),
        TEST(one_that_leaves_before_its_resume_is_judged_is_told_to_the_backend),
    };
    return cmocka_run_group_tests_name("recovery", tests, NULL, NULL);
}
