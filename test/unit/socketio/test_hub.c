/* The hub: rooms, delivery, limits. */
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

static void other_namespaces_do_not_exist(void **state)
{
    (void)state;
    assert_true(stack_ws(&m, 0, WS, stack_bearer(&m, 7, 3600, "")));
    stack_received(&m, 0);
    stack_say(&m, 0, "40/admin,");
    assert_string_equal(stack_received(&m, 0), "44/admin,{\"message\":\"Invalid namespace\"}\n");
    stack_say(&m, 0, "40");
    assert_string_equal(stack_received(&m, 0), "44{\"message\":\"Invalid namespace\"}\n");
    stack_closed_after(&m, 0, 45000); /* a refused CONNECT does not count */
}

static void an_event_reaches_its_rooms_once_and_nobody_else(void **state)
{
    (void)state;
    stack_client(&m, 0, "a,b", 1);
    stack_client(&m, 1, "b", 2);
    stack_client(&m, 2, "c", 3);
    stack_event(&m, 20, "a,b", "[\"e\",1]");
    engine_flush(m.engine);
    assert_string_equal(stack_received(&m, 0), "42/tasks,[\"e\",1]\n");
    assert_string_equal(stack_received(&m, 1), "42/tasks,[\"e\",1]\n");
    assert_string_equal(stack_received(&m, 2), "");

    struct event except = {.xid = 21,
                           .nsp = "/tasks",
                           .rooms = "b",
                           .except = 2,
                           .payload = "[\"e\"]",
                           .payload_len = 5};
    hub_publish(m.hub, &except, m.now);
    engine_flush(m.engine);
    assert_string_equal(stack_received(&m, 0), "42/tasks,[\"e\"]\n");
    assert_string_equal(stack_received(&m, 1), "");
}

static void one_send_per_client_and_turn(void **state)
{
    (void)state;
    stack_client(&m, 0, "a", 1);
    size_t before = m.net.handle[0].sends;
    for (int i = 0; i < 100; i++)
        stack_event(&m, 20, "a", "[\"e\"]");
    assert_int_equal(m.net.handle[0].sends, before);
    engine_flush(m.engine);
    assert_int_equal(m.net.handle[0].sends, before + 1);
    assert_int_equal(strlen(stack_received(&m, 0)), 100 * strlen("42/tasks,[\"e\"]\n"));
}

static void events_older_than_the_admission_are_ignored(void **state)
{
    (void)state;
    stack_connect_as(&m, 0, stack_bearer(&m, 7, 3600, ""));
    hub_read_begin(m.hub); /* under way when the socket is admitted */
    stack_set_rooms(&m, m.mock.sid, "a", 1, "20:30:25");
    stack_event(&m, 19, "a", "[\"seen\"]");
    stack_event(&m, 25, "a", "[\"open then\"]");
    hub_read_end(m.hub);
    hub_read_begin(m.hub);
    stack_event(&m, 29, "a", "[\"seen\"]");
    stack_event(&m, 30, "a", "[\"later\"]");
    hub_read_end(m.hub);
    engine_flush(m.engine);
    assert_string_equal(stack_received(&m, 0), "42/tasks,[\"open then\"]\n42/tasks,[\"later\"]\n");
    stack_event(&m, 1, "a", "[\"a reused xid\"]"); /* the snapshot has been forgotten */
    engine_flush(m.engine);
    assert_string_equal(stack_received(&m, 0), "42/tasks,[\"a reused xid\"]\n");
}

static void registered_again_only_the_rooms_change(void **state)
{
    json_t *events = json_pack("[{ss}]", "payload", "[\"sync\"]");
    struct greeting *greeting = hub_greeting(m.hub, events);
    struct registration a = {
        .principal = 1, .rooms = "a", .greeting = greeting, .snapshot = "10:10:"};
    (void)state;
    stack_connect_as(&m, 0, stack_bearer(&m, 7, 3600, ""));
    a.sid = m.mock.sid;
    hub_set_rooms(m.hub, &a, m.now);
    engine_flush(m.engine);
    assert_string_equal(stack_received(&m, 0), "42/tasks,[\"sync\"]\n");
    hub_read_begin(m.hub);
    hub_read_end(m.hub);
    assert_int_equal(hub_waiting(m.hub), 0);
    m.mock.asked[0] = '\0';
    hub_renew(m.hub, m.now);
    hub_renew(m.hub, m.now);
    assert_string_equal(m.mock.asked, "connect again /tasks 7 websocket\n"
                                      "connect again /tasks 7 websocket\n");
    assert_int_equal(hub_waiting(m.hub), 1);
    stack_event(&m, 39, "a", "[\"while rights are unknown\"]");
    a.rooms = "b";
    a.snapshot = "50:50:";
    hub_set_rooms(m.hub, &a, m.now);
    assert_int_equal(hub_waiting(m.hub), 0);
    stack_event(&m, 40, "a", "[\"no longer\"]");
    stack_event(&m, 41, "b", "[\"missed meanwhile\"]");
    engine_flush(m.engine);
    assert_string_equal(stack_received(&m, 0), "42/tasks,[\"missed meanwhile\"]\n");
    greeting_free(greeting);
    json_decref(events);
}

static void rooms_that_change_take_effect_at_once(void **state)
{
    struct registration a = {.principal = 1, .rooms = "a"};
    (void)state;
    stack_client(&m, 0, "a", 1);
    stack_received(&m, 0);
    a.sid = m.mock.sid;
    assert_false(hub_differs(m.hub, &a));
    a.rooms = "a,b";
    assert_true(hub_differs(m.hub, &a));
    hub_set_rooms(m.hub, &a, m.now);
    assert_false(hub_differs(m.hub, &a));
    stack_event(&m, 1, "b", "[\"granted\"]");
    a.rooms = "b";
    hub_set_rooms(m.hub, &a, m.now);
    stack_event(&m, 2, "a", "[\"revoked\"]");
    a.principal = 2;
    assert_true(hub_differs(m.hub, &a));
    a.sid = "no such socket";
    assert_false(hub_differs(m.hub, &a));
    engine_flush(m.engine);
    assert_string_equal(stack_received(&m, 0), "42/tasks,[\"granted\"]\n");
}

static void who_exists_no_more_is_out_at_once_and_closed(void **state)
{
    (void)state;
    stack_client(&m, 0, "a", 1);
    struct registration gone = {.sid = m.mock.sid, .principal = 0, .rooms = ""};
    assert_true(hub_differs(m.hub, &gone));
    hub_set_rooms(m.hub, &gone, m.now);
    assert_false(hub_differs(m.hub, &gone));
    stack_event(&m, 2, "a", "[\"e\"]");
    engine_flush(m.engine);
    m.mock.asked[0] = '\0';
    stack_received(&m, 0);
    stack_say(&m, 0, "42/tasks,5[\"x\"]");
    assert_string_equal(stack_received(&m, 0), "43/tasks,5[]\n");
    assert_string_equal(m.mock.asked, "");
    stack_closed_after(&m, 0, 30000);
}

static void in_doubt_a_socket_receives_nothing_until_it_is_admitted(void **state)
{
    (void)state;
    stack_client(&m, 0, "a", 1);
    stack_client(&m, 1, "a", 2);
    stack_received(&m, 0);
    stack_received(&m, 1);
    m.mock.asked[0] = '\0';
    hub_doubt(m.hub, m.mock.sid, m.now);
    assert_string_equal(m.mock.asked, "connect again /tasks 7 websocket\n");
    assert_int_equal(hub_waiting(m.hub), 0); /* reads go on */
    stack_event(&m, 1, "a", "[\"one\"]");
    stack_set_rooms(&m, m.mock.sid, "a", 2, "5:5:");
    stack_event(&m, 2, "a", "[\"two\"]");
    engine_flush(m.engine);
    assert_string_equal(stack_received(&m, 0), "42/tasks,[\"one\"]\n42/tasks,[\"two\"]\n");
    assert_string_equal(stack_received(&m, 1), "");
    assert_true(m.net.handle[1].closed); /* it may have missed one, and comes back */
    assert_false(m.net.handle[0].closed);
    assert_int_equal((int)m.metrics.value[METRIC_CLOSED_DOUBT], 1);
    hub_doubt(m.hub, "no such socket", m.now);
}

static void who_is_kicked_receives_nothing_more_and_its_session_ends(void **state)
{
    (void)state;
    stack_client(&m, 0, "a", 1);
    stack_client(&m, 1, "a", 2);
    stack_received(&m, 0);
    stack_received(&m, 1);
    m.mock.asked[0] = '\0';
    hub_kick(m.hub, m.mock.sid);
    stack_event(&m, 1, "a", "[\"one\"]");
    stack_say(&m, 1, "42/tasks,[\"late\"]");
    engine_flush(m.engine);
    assert_string_equal(stack_received(&m, 0), "42/tasks,[\"one\"]\n");
    assert_string_equal(stack_received(&m, 1), "");
    assert_true(m.net.handle[1].closed);
    assert_int_equal((int)m.net.handle[1].code, 0); /* it may connect again */
    assert_false(m.net.handle[0].closed);
    assert_string_equal(m.mock.asked, "disconnect kicked 1\n");
    assert_int_equal((int)m.metrics.value[METRIC_CLOSED_KICKED], 1);
    hub_kick(m.hub, m.mock.sid);
    hub_kick(m.hub, "no such socket");
}

static void one_that_was_in_doubt_while_nothing_was_read_goes_on(void **state)
{
    (void)state;
    stack_client(&m, 0, "a", 1);
    stack_received(&m, 0);
    stack_event(&m, 1, "a", "[\"before\"]");
    hub_doubt(m.hub, m.mock.sid, m.now);
    hub_doubt(m.hub, m.mock.sid, m.now);
    stack_set_rooms(&m, m.mock.sid, "a", 1, "5:5:");
    stack_event(&m, 2, "a", "[\"after\"]");
    stack_set_rooms(&m, m.mock.sid, "b", 1, "6:6:"); /* that there were events before is no doubt */
    engine_flush(m.engine);
    assert_string_equal(stack_received(&m, 0), "42/tasks,[\"before\"]\n42/tasks,[\"after\"]\n");
    assert_false(m.net.handle[0].closed);
}

static void an_upgrade_is_reported_once_the_socket_is_joined(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        char query[128];
        const char *sid = stack_handshake(&m, stack_bearer(&m, 7, 3600, ""));
        snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
        stack_post(&m, 1, query, "40/tasks,");
        if (!late)
            stack_set_rooms(&m, m.mock.sid, "a", 1, NULL);
        m.mock.asked[0] = '\0';
        snprintf(query, sizeof query, "EIO=4&transport=websocket&sid=%s", sid);
        assert_true(stack_ws(&m, 2 + late, query, NULL));
        stack_say(&m, 2 + late, "2probe");
        stack_say(&m, 2 + late, "5");
        assert_string_equal(m.mock.asked, late ? "" : "upgraded\n");
        stack_set_rooms(&m, m.mock.sid, "b", 1, NULL);
        stack_set_rooms(&m, m.mock.sid, "c", 1, NULL);
        assert_string_equal(m.mock.asked, "upgraded\n");
    }
    m.mock.asked[0] = '\0';
    stack_client(&m, 4, "a", 1);
    assert_null(strstr(m.mock.asked, "upgraded"));
}

static void only_good_tokens_are_registered_again(void **state)
{
    (void)state;
    stack_connect_as(&m, 0, stack_bearer(&m, 7, 3600, ""));
    stack_connect_as(&m, 1, NULL);
    stack_connect_as(&m, 2, stack_bearer(&m, 8, 3600, ""));
    stack_connect_as(&m, 3, stack_bearer(&m, 9, -11, ""));
    stack_set_rooms(&m, m.mock.sid, NULL, 0, NULL);
    assert_string_equal(stack_received(&m, 3), "42/tasks,[\"expired_token\"]\n");
    m.mock.asked[0] = '\0';
    hub_renew(m.hub, m.now);
    engine_flush(m.engine);
    assert_string_equal(m.mock.asked, "connect again /tasks 7 websocket\n"
                                      "connect again /tasks 8 websocket\n");
    assert_string_equal(stack_received(&m, 3), ""); /* is not told again that it has expired */
}

static void every_ack_is_answered(void **state)
{
    (void)state;
    stack_client(&m, 0, "a", 1);
    m.mock.asked[0] = '\0';
    stack_say(&m, 0, "42/tasks,0[\"ping\"]");
    assert_string_equal(stack_received(&m, 0), "43/tasks,0[]\n");
    assert_string_equal(m.mock.asked, "receive 1 /tasks ping 17\n");
    stack_connect_as(&m, 1, NULL);
    m.mock.asked[0] = '\0';
    stack_say(&m, 1, "42/tasks,12[\"ping\"]");
    assert_string_equal(stack_received(&m, 1), "43/tasks,12[]\n");
    assert_string_equal(m.mock.asked, ""); /* without a good token: no effect */
}

static void an_event_before_the_rooms_are_known_waits(void **state)
{
    (void)state;
    m.config.inbox_bytes = 30;
    stack_connect_as(&m, 0, stack_bearer(&m, 7, 3600, ""));
    stack_connect_as(&m, 1, stack_bearer(&m, 8, 3600, ""));
    m.mock.asked[0] = '\0';
    for (int i = 0; i < 2; i++)
        stack_say(&m, 1, "42/tasks,[\"ping\"]");
    assert_string_equal(m.mock.asked, "");
    assert_true(m.net.handle[1].paused);
    stack_set_rooms(&m, m.mock.sid, "a", 2, "10:10:");
    assert_string_equal(m.mock.asked, "receive 2 /tasks ping 16\nreceive 2 /tasks ping 16\n");
    assert_true(m.net.handle[1].paused); /* the backend has not taken them */
    hub_taken(m.hub, m.mock.sid, 32);
    assert_false(m.net.handle[1].paused);

    stack_connect_as(&m, 2, stack_bearer(&m, 9, 3600, ""));
    for (int i = 0; i < 2; i++)
        stack_say(&m, 2, "42/tasks,[\"ping\"]");
    assert_true(m.net.handle[2].paused);
    m.mock.asked[0] = '\0';
    stack_set_rooms(&m, m.mock.sid, NULL, 0, "10:10:");
    stack_say(&m, 2, "42/tasks,[\"ping\"]");
    assert_string_equal(m.mock.asked, "");
    assert_false(m.net.handle[2].paused);
}

static void leaving_a_namespace_empties_its_inbox(void **state)
{
    (void)state;
    m.config.inbox_bytes = 10;
    stack_client(&m, 0, "a", 1);
    stack_say(&m, 0, "42/tasks,[\"ping\"]");
    assert_true(m.net.handle[0].paused);
    stack_say(&m, 0, "41/tasks,"); /* had already arrived */
    assert_false(m.net.handle[0].paused);
}

static void a_full_inbox_is_not_read(void **state)
{
    (void)state;
    m.config.inbox_bytes = 30;
    m.config.ping_interval = 1000;
    m.config.ping_timeout = 1000;
    stack_client(&m, 0, "a", 1);
    stack_say(&m, 0, "42/tasks,[\"ping\"]");
    assert_false(m.net.handle[0].paused);
    stack_say(&m, 0, "42/tasks,[\"ping\"]");
    assert_true(m.net.handle[0].paused);
    stack_pass(&m, 10000); /* it cannot send a pong: that is not its fault */
    assert_false(m.net.handle[0].closed);
    hub_taken(m.hub, m.mock.sid, 16);
    assert_true(m.net.handle[0].paused);
    hub_taken(m.hub, m.mock.sid, 16);
    assert_false(m.net.handle[0].paused);
    stack_pass(&m, 2000);
    assert_true(m.net.handle[0].closed);
}

static void a_full_inbox_holds_the_post(void **state)
{
    char query[128];
    (void)state;
    m.config.inbox_bytes = 10;
    const char *sid = stack_handshake(&m, stack_bearer(&m, 7, 3600, ""));
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
    stack_post(&m, 0, query, "40/tasks,");
    stack_set_rooms(&m, m.mock.sid, "a", 1, "10:10:");
    stack_post(&m, 1, query, "42/tasks,[\"ping\"]");
    assert_int_equal(m.net.handle[1].status, 0);
    hub_taken(m.hub, m.mock.sid, 16);
    assert_int_equal(m.net.handle[1].status, 200);
}

static void a_slow_client_is_closed_and_others_are_not(void **state)
{
    (void)state;
    m.config.queue_bytes = 1000;
    stack_client(&m, 0, "a", 1);
    stack_client(&m, 1, "a", 2);
    m.net.handle[0].stalled = true;
    for (int i = 0; i < 100; i++) {
        stack_event(&m, 20, "a", "[\"0123456789\"]");
        engine_flush(m.engine);
    }
    assert_true(m.net.handle[0].closed);
    assert_false(m.net.handle[1].closed);
    assert_int_equal((int)m.metrics.value[METRIC_CLOSED_QUEUE_FULL], 1);
    assert_non_null(strstr(m.mock.asked, "disconnect queue full 0\n"));
}

static void a_backlog_is_waited_for(void **state)
{
    (void)state;
    stack_client(&m, 0, "a", 1);
    m.net.handle[0].stalled = true;
    for (int i = 0; i < 3; i++) {
        stack_event(&m, 20, "a", "[\"e\"]");
        engine_flush(m.engine); /* the mock refuses a send while there is a backlog */
    }
    assert_string_equal(stack_received(&m, 0), "42/tasks,[\"e\"]\n");
    stack_writable(&m, 0);
    assert_string_equal(stack_received(&m, 0), "42/tasks,[\"e\"]\n42/tasks,[\"e\"]\n");
}

static void leaving_a_namespace_keeps_the_connection(void **state)
{
    (void)state;
    stack_client(&m, 0, "a", 1);
    assert_true(hub_has(m.hub, m.mock.sid));
    stack_say(&m, 0, "41/tasks,");
    assert_non_null(strstr(m.mock.asked, "disconnect client namespace disconnect 1\n"));
    assert_false(hub_has(m.hub, m.mock.sid));
    stack_event(&m, 20, "a", "[\"e\"]");
    engine_flush(m.engine);
    stack_say(&m, 0, "42/tasks,[\"late\"]"); /* crossed our way: ignored */
    assert_string_equal(stack_received(&m, 0), "");
    assert_false(m.net.handle[0].closed);
    stack_say(&m, 0, "40/tasks,{}");
    assert_memory_equal(stack_received(&m, 0), "40/tasks,", 9);
    stack_say(&m, 0, "40/tasks,{}"); /* twice is a violation */
    assert_true(m.net.handle[0].closed);
}

static void a_namespace_never_joined_is_a_violation(void **state)
{
    (void)state;
    assert_true(stack_ws(&m, 0, WS, NULL));
    stack_say(&m, 0, "42/tasks,[\"e\"]");
    assert_true(m.net.handle[0].closed);
}

static void a_drain_never_sends_a_disconnect_packet(void **state)
{
    (void)state;
    stack_client(&m, 0, "a", 1);
    stack_client(&m, 1, "a", 2);
    stack_event(&m, 20, "a", "[\"last\"]");
    engine_close_some(m.engine, 1);
    engine_flush(m.engine);
    assert_int_equal(engine_sessions(m.engine), 1);
    assert_int_equal(m.net.handle[0].closed + m.net.handle[1].closed, 1);
    int gone = m.net.handle[0].closed ? 0 : 1;
    assert_string_equal(stack_received(&m, gone), "42/tasks,[\"last\"]\n");
    assert_non_null(strstr(m.mock.asked, "disconnect server shutting down 0\n"));
    engine_drain(m.engine);
    assert_false(stack_ws(&m, 2, WS, NULL));
    assert_int_equal(m.net.handle[2].status, 503);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(other_namespaces_do_not_exist),
        TEST(an_event_reaches_its_rooms_once_and_nobody_else),
        TEST(one_send_per_client_and_turn),
        TEST(events_older_than_the_admission_are_ignored),
        TEST(registered_again_only_the_rooms_change),
        TEST(rooms_that_change_take_effect_at_once),
        TEST(who_exists_no_more_is_out_at_once_and_closed),
        TEST(who_is_kicked_receives_nothing_more_and_its_session_ends),
        TEST(in_doubt_a_socket_receives_nothing_until_it_is_admitted),
        TEST(one_that_was_in_doubt_while_nothing_was_read_goes_on),
        TEST(an_upgrade_is_reported_once_the_socket_is_joined),
        TEST(only_good_tokens_are_registered_again),
        TEST(every_ack_is_answered),
        TEST(an_event_before_the_rooms_are_known_waits),
        TEST(leaving_a_namespace_empties_its_inbox),
        TEST(a_full_inbox_is_not_read),
        TEST(a_full_inbox_holds_the_post),
        TEST(a_slow_client_is_closed_and_others_are_not),
        TEST(a_backlog_is_waited_for),
        TEST(leaving_a_namespace_keeps_the_connection),
        TEST(a_namespace_never_joined_is_a_violation),
        TEST(a_drain_never_sends_a_disconnect_packet),
    };
    return cmocka_run_group_tests_name("hub", tests, NULL, NULL);
}
