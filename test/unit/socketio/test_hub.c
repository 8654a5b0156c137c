/* The hub over paper: rooms, delivery, limits. */
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

static void other_namespaces_do_not_exist(void **state)
{
    (void)state;
    assert_true(world_ws(&w, 0, WS, world_bearer(&w, 7, 3600, "")));
    world_received(&w, 0);
    world_say(&w, 0, "40/admin,");
    assert_string_equal(world_received(&w, 0), "44/admin,{\"message\":\"Invalid namespace\"}\n");
    world_say(&w, 0, "40");
    assert_string_equal(world_received(&w, 0), "44{\"message\":\"Invalid namespace\"}\n");
    world_closed_after(&w, 0, 45000); /* a refused CONNECT does not count */
}

static void an_event_reaches_its_rooms_once_and_nobody_else(void **state)
{
    (void)state;
    world_client(&w, 0, "a,b", 1);
    world_client(&w, 1, "b", 2);
    world_client(&w, 2, "c", 3);
    world_event(&w, 20, "a,b", "[\"e\",1]");
    engine_flush(w.engine);
    assert_string_equal(world_received(&w, 0), "42/tasks,[\"e\",1]\n");
    assert_string_equal(world_received(&w, 1), "42/tasks,[\"e\",1]\n");
    assert_string_equal(world_received(&w, 2), "");

    struct event except = {.xid = 21,
                           .nsp = "/tasks",
                           .rooms = "b",
                           .except = 2,
                           .payload = "[\"e\"]",
                           .payload_len = 5};
    hub_publish(w.hub, &except, w.now);
    engine_flush(w.engine);
    assert_string_equal(world_received(&w, 0), "42/tasks,[\"e\"]\n");
    assert_string_equal(world_received(&w, 1), "");
}

static void one_send_per_client_and_turn(void **state)
{
    (void)state;
    world_client(&w, 0, "a", 1);
    size_t before = w.place[0].sends;
    for (int i = 0; i < 100; i++)
        world_event(&w, 20, "a", "[\"e\"]");
    assert_int_equal(w.place[0].sends, before);
    engine_flush(w.engine);
    assert_int_equal(w.place[0].sends, before + 1);
    assert_int_equal(strlen(world_received(&w, 0)), 100 * strlen("42/tasks,[\"e\"]\n"));
}

static void events_older_than_the_admission_are_ignored(void **state)
{
    (void)state;
    world_connect_as(&w, 0, world_bearer(&w, 7, 3600, ""));
    hub_read_begin(w.hub); /* under way when the socket is admitted */
    world_set_rooms(&w, w.sid, "a", 1, "20:30:25");
    world_event(&w, 19, "a", "[\"seen\"]");
    world_event(&w, 25, "a", "[\"open then\"]");
    hub_read_end(w.hub);
    hub_read_begin(w.hub);
    world_event(&w, 29, "a", "[\"seen\"]");
    world_event(&w, 30, "a", "[\"later\"]");
    hub_read_end(w.hub);
    engine_flush(w.engine);
    assert_string_equal(world_received(&w, 0), "42/tasks,[\"open then\"]\n42/tasks,[\"later\"]\n");
    world_event(&w, 1, "a", "[\"a reused xid\"]"); /* the snapshot has been forgotten */
    engine_flush(w.engine);
    assert_string_equal(world_received(&w, 0), "42/tasks,[\"a reused xid\"]\n");
}

static void registered_again_only_the_rooms_change(void **state)
{
    json_t *greeting = json_pack("[{ss}]", "payload", "[\"sync\"]");
    struct registration a = {
        .principal = 1, .rooms = "a", .greeting = greeting, .snapshot = "10:10:"};
    (void)state;
    world_connect_as(&w, 0, world_bearer(&w, 7, 3600, ""));
    a.sid = w.sid;
    hub_set_rooms(w.hub, &a, w.now);
    engine_flush(w.engine);
    assert_string_equal(world_received(&w, 0), "42/tasks,[\"sync\"]\n");
    hub_read_begin(w.hub);
    hub_read_end(w.hub);
    assert_int_equal(hub_waiting(w.hub), 0);
    w.asked[0] = '\0';
    hub_renew(w.hub, w.now);
    hub_renew(w.hub, w.now);
    assert_string_equal(w.asked, "connect again /tasks 7 websocket\n"
                                 "connect again /tasks 7 websocket\n");
    assert_int_equal(hub_waiting(w.hub), 1);
    world_event(&w, 39, "a", "[\"while rights are unknown\"]");
    a.rooms = "b";
    a.snapshot = "50:50:";
    hub_set_rooms(w.hub, &a, w.now);
    assert_int_equal(hub_waiting(w.hub), 0);
    world_event(&w, 40, "a", "[\"no longer\"]");
    world_event(&w, 41, "b", "[\"missed meanwhile\"]");
    engine_flush(w.engine);
    assert_string_equal(world_received(&w, 0), "42/tasks,[\"missed meanwhile\"]\n");
    json_decref(greeting);
}

static void rooms_that_change_take_effect_at_once(void **state)
{
    struct registration a = {.principal = 1, .rooms = "a"};
    (void)state;
    world_client(&w, 0, "a", 1);
    world_received(&w, 0);
    a.sid = w.sid;
    assert_false(hub_differs(w.hub, &a));
    a.rooms = "a,b";
    assert_true(hub_differs(w.hub, &a));
    hub_set_rooms(w.hub, &a, w.now);
    assert_false(hub_differs(w.hub, &a));
    world_event(&w, 1, "b", "[\"granted\"]");
    a.rooms = "b";
    hub_set_rooms(w.hub, &a, w.now);
    world_event(&w, 2, "a", "[\"revoked\"]");
    a.principal = 2;
    assert_true(hub_differs(w.hub, &a));
    a.sid = "no such socket";
    assert_false(hub_differs(w.hub, &a));
    engine_flush(w.engine);
    assert_string_equal(world_received(&w, 0), "42/tasks,[\"granted\"]\n");
}

static void who_exists_no_more_is_out_at_once_and_closed(void **state)
{
    (void)state;
    world_client(&w, 0, "a", 1);
    struct registration gone = {.sid = w.sid, .principal = 0, .rooms = ""};
    assert_true(hub_differs(w.hub, &gone));
    hub_set_rooms(w.hub, &gone, w.now);
    assert_false(hub_differs(w.hub, &gone));
    world_event(&w, 2, "a", "[\"e\"]");
    engine_flush(w.engine);
    w.asked[0] = '\0';
    world_received(&w, 0);
    world_say(&w, 0, "42/tasks,5[\"x\"]");
    assert_string_equal(world_received(&w, 0), "43/tasks,5[]\n");
    assert_string_equal(w.asked, "");
    world_closed_after(&w, 0, 30000);
}

static void in_doubt_a_socket_hears_nothing_until_it_is_admitted(void **state)
{
    (void)state;
    world_client(&w, 0, "a", 1);
    world_client(&w, 1, "a", 2);
    world_received(&w, 0);
    world_received(&w, 1);
    w.asked[0] = '\0';
    hub_doubt(w.hub, w.sid, w.now);
    assert_string_equal(w.asked, "connect again /tasks 7 websocket\n");
    assert_int_equal(hub_waiting(w.hub), 0); /* reads go on */
    world_event(&w, 1, "a", "[\"one\"]");
    world_set_rooms(&w, w.sid, "a", 2, "5:5:");
    world_event(&w, 2, "a", "[\"two\"]");
    engine_flush(w.engine);
    assert_string_equal(world_received(&w, 0), "42/tasks,[\"one\"]\n42/tasks,[\"two\"]\n");
    assert_string_equal(world_received(&w, 1), "");
    assert_true(w.place[1].closed); /* it may have missed one, and comes back */
    assert_false(w.place[0].closed);
    assert_int_equal((int)w.metrics.value[METRIC_CLOSED_DOUBT], 1);
    hub_doubt(w.hub, "no such socket", w.now);
}

static void one_that_was_in_doubt_while_nothing_was_read_goes_on(void **state)
{
    (void)state;
    world_client(&w, 0, "a", 1);
    world_received(&w, 0);
    world_event(&w, 1, "a", "[\"before\"]");
    hub_doubt(w.hub, w.sid, w.now);
    hub_doubt(w.hub, w.sid, w.now);
    world_set_rooms(&w, w.sid, "a", 1, "5:5:");
    world_event(&w, 2, "a", "[\"after\"]");
    world_set_rooms(&w, w.sid, "b", 1, "6:6:"); /* that there were events before is no doubt */
    engine_flush(w.engine);
    assert_string_equal(world_received(&w, 0), "42/tasks,[\"before\"]\n42/tasks,[\"after\"]\n");
    assert_false(w.place[0].closed);
}

static void an_upgrade_is_told_once_the_socket_is_joined(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        char query[128];
        const char *sid = world_handshake(&w, world_bearer(&w, 7, 3600, ""));
        snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
        world_post(&w, 1, query, "40/tasks,");
        if (!late)
            world_set_rooms(&w, w.sid, "a", 1, NULL);
        w.asked[0] = '\0';
        snprintf(query, sizeof query, "EIO=4&transport=websocket&sid=%s", sid);
        assert_true(world_ws(&w, 2 + late, query, NULL));
        world_say(&w, 2 + late, "2probe");
        world_say(&w, 2 + late, "5");
        assert_string_equal(w.asked, late ? "" : "upgraded\n");
        world_set_rooms(&w, w.sid, "b", 1, NULL);
        world_set_rooms(&w, w.sid, "c", 1, NULL);
        assert_string_equal(w.asked, "upgraded\n");
    }
    w.asked[0] = '\0';
    world_client(&w, 4, "a", 1);
    assert_null(strstr(w.asked, "upgraded"));
}

static void only_good_tokens_are_registered_again(void **state)
{
    (void)state;
    world_connect_as(&w, 0, world_bearer(&w, 7, 3600, ""));
    world_connect_as(&w, 1, NULL);
    world_connect_as(&w, 2, world_bearer(&w, 8, 3600, ""));
    world_connect_as(&w, 3, world_bearer(&w, 9, -11, ""));
    w.asked[0] = '\0';
    hub_renew(w.hub, w.now);
    engine_flush(w.engine);
    assert_string_equal(w.asked, "connect again /tasks 7 websocket\n"
                                 "connect again /tasks 8 websocket\n");
    assert_string_equal(world_received(&w, 3), ""); /* is not told again that it has expired */
}

static void every_ack_is_answered(void **state)
{
    (void)state;
    world_client(&w, 0, "a", 1);
    w.asked[0] = '\0';
    world_say(&w, 0, "42/tasks,0[\"ping\"]");
    assert_string_equal(world_received(&w, 0), "43/tasks,0[]\n");
    assert_string_equal(w.asked, "receive 1 /tasks ping 17\n");
    world_connect_as(&w, 1, NULL);
    w.asked[0] = '\0';
    world_say(&w, 1, "42/tasks,12[\"ping\"]");
    assert_string_equal(world_received(&w, 1), "43/tasks,12[]\n");
    assert_string_equal(w.asked, ""); /* without a good token: no effect */
}

static void an_event_before_the_rooms_are_known_waits(void **state)
{
    (void)state;
    w.config.inbox_bytes = 30;
    world_connect_as(&w, 0, world_bearer(&w, 7, 3600, ""));
    world_connect_as(&w, 1, world_bearer(&w, 8, 3600, ""));
    w.asked[0] = '\0';
    for (int i = 0; i < 2; i++)
        world_say(&w, 1, "42/tasks,[\"ping\"]");
    assert_string_equal(w.asked, "");
    assert_true(w.place[1].paused);
    world_set_rooms(&w, w.sid, "a", 2, "10:10:");
    assert_string_equal(w.asked, "receive 2 /tasks ping 16\nreceive 2 /tasks ping 16\n");
    assert_true(w.place[1].paused); /* the backend has not taken them */
    hub_taken(w.hub, w.sid, 32);
    assert_false(w.place[1].paused);

    world_connect_as(&w, 2, world_bearer(&w, 9, 3600, ""));
    for (int i = 0; i < 2; i++)
        world_say(&w, 2, "42/tasks,[\"ping\"]");
    assert_true(w.place[2].paused);
    w.asked[0] = '\0';
    world_set_rooms(&w, w.sid, NULL, 0, "10:10:");
    world_say(&w, 2, "42/tasks,[\"ping\"]");
    assert_string_equal(w.asked, "");
    assert_false(w.place[2].paused);
}

static void leaving_a_namespace_empties_its_inbox(void **state)
{
    (void)state;
    w.config.inbox_bytes = 10;
    world_client(&w, 0, "a", 1);
    world_say(&w, 0, "42/tasks,[\"ping\"]");
    assert_true(w.place[0].paused);
    world_say(&w, 0, "41/tasks,"); /* had already arrived */
    assert_false(w.place[0].paused);
}

static void a_full_inbox_is_not_read(void **state)
{
    (void)state;
    w.config.inbox_bytes = 30;
    w.config.ping_interval = 1000;
    w.config.ping_timeout = 1000;
    world_client(&w, 0, "a", 1);
    world_say(&w, 0, "42/tasks,[\"ping\"]");
    assert_false(w.place[0].paused);
    world_say(&w, 0, "42/tasks,[\"ping\"]");
    assert_true(w.place[0].paused);
    world_pass(&w, 10000); /* it cannot send a pong: that is not its fault */
    assert_false(w.place[0].closed);
    hub_taken(w.hub, w.sid, 16);
    assert_true(w.place[0].paused);
    hub_taken(w.hub, w.sid, 16);
    assert_false(w.place[0].paused);
    world_pass(&w, 2000);
    assert_true(w.place[0].closed);
}

static void a_full_inbox_holds_the_post(void **state)
{
    char query[128];
    (void)state;
    w.config.inbox_bytes = 10;
    const char *sid = world_handshake(&w, world_bearer(&w, 7, 3600, ""));
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
    world_post(&w, 0, query, "40/tasks,");
    world_set_rooms(&w, w.sid, "a", 1, "10:10:");
    world_post(&w, 1, query, "42/tasks,[\"ping\"]");
    assert_int_equal(w.place[1].status, 0);
    hub_taken(w.hub, w.sid, 16);
    assert_int_equal(w.place[1].status, 200);
}

static void a_slow_client_is_closed_and_others_are_not(void **state)
{
    (void)state;
    w.config.queue_bytes = 1000;
    world_client(&w, 0, "a", 1);
    world_client(&w, 1, "a", 2);
    w.place[0].stalled = true;
    for (int i = 0; i < 100; i++) {
        world_event(&w, 20, "a", "[\"0123456789\"]");
        engine_flush(w.engine);
    }
    assert_true(w.place[0].closed);
    assert_false(w.place[1].closed);
    assert_int_equal((int)w.metrics.value[METRIC_CLOSED_QUEUE_FULL], 1);
    assert_non_null(strstr(w.asked, "disconnect queue full 0\n"));
}

static void a_backlog_is_waited_for(void **state)
{
    (void)state;
    world_client(&w, 0, "a", 1);
    w.place[0].stalled = true;
    for (int i = 0; i < 3; i++) {
        world_event(&w, 20, "a", "[\"e\"]");
        engine_flush(w.engine); /* paper refuses a send while there is a backlog */
    }
    assert_string_equal(world_received(&w, 0), "42/tasks,[\"e\"]\n");
    world_writable(&w, 0);
    assert_string_equal(world_received(&w, 0), "42/tasks,[\"e\"]\n42/tasks,[\"e\"]\n");
}

static void leaving_a_namespace_keeps_the_connection(void **state)
{
    (void)state;
    world_client(&w, 0, "a", 1);
    assert_true(hub_has(w.hub, w.sid));
    world_say(&w, 0, "41/tasks,");
    assert_non_null(strstr(w.asked, "disconnect client namespace disconnect 1\n"));
    assert_false(hub_has(w.hub, w.sid));
    world_event(&w, 20, "a", "[\"e\"]");
    engine_flush(w.engine);
    world_say(&w, 0, "42/tasks,[\"late\"]"); /* crossed our way: ignored */
    assert_string_equal(world_received(&w, 0), "");
    assert_false(w.place[0].closed);
    world_say(&w, 0, "40/tasks,{}");
    assert_memory_equal(world_received(&w, 0), "40/tasks,", 9);
    world_say(&w, 0, "40/tasks,{}"); /* twice is a violation */
    assert_true(w.place[0].closed);
}

static void a_namespace_never_joined_is_a_violation(void **state)
{
    (void)state;
    assert_true(world_ws(&w, 0, WS, NULL));
    world_say(&w, 0, "42/tasks,[\"e\"]");
    assert_true(w.place[0].closed);
}

static void a_drain_never_sends_a_disconnect_packet(void **state)
{
    (void)state;
    world_client(&w, 0, "a", 1);
    world_client(&w, 1, "a", 2);
    world_event(&w, 20, "a", "[\"last\"]");
    engine_close_some(w.engine, 1);
    engine_flush(w.engine);
    assert_int_equal(engine_sessions(w.engine), 1);
    assert_int_equal(w.place[0].closed + w.place[1].closed, 1);
    int gone = w.place[0].closed ? 0 : 1;
    assert_string_equal(world_received(&w, gone), "42/tasks,[\"last\"]\n");
    assert_non_null(strstr(w.asked, "disconnect server shutting down 0\n"));
    engine_drain(w.engine);
    assert_false(world_ws(&w, 2, WS, NULL));
    assert_int_equal(w.place[2].status, 503);
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
        TEST(in_doubt_a_socket_hears_nothing_until_it_is_admitted),
        TEST(one_that_was_in_doubt_while_nothing_was_read_goes_on),
        TEST(an_upgrade_is_told_once_the_socket_is_joined),
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
