/* What a socket and its backend say to each other: acceptance, acks both ways, attachments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engineio/frame.h"
#include "world.h"

static struct world w;
static const char WS[] = "EIO=4&transport=websocket";

/* The paper backend right behind the hub: without the auth, which accepts all. */
static int setup(void **state)
{
    (void)state;
    world_setup(&w);
    w.config.ping_interval = w.config.ping_timeout = 100000000;
    world_start(&w);
    hub_set_backend(w.hub, &w.backend);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_end(&w);
    return 0;
}

static void open_ws(int n)
{
    assert_true(world_ws(&w, n, WS, NULL));
    world_received(&w, n);
}

/* A socket that was admitted; forgets what was asked for it. */
static void client(int n)
{
    open_ws(n);
    world_say(&w, n, "40/tasks,");
    world_set_rooms(&w, w.sid, "a", 1, NULL);
    world_received(&w, n);
    w.asked[0] = '\0';
}

static void a_refusal_says_why_and_the_client_may_try_again(void **state)
{
    (void)state;
    open_ws(0);
    w.refusal = "not \"you\"";
    world_say(&w, 0, "40/tasks,{\"a\":1}");
    assert_string_equal(world_received(&w, 0),
                        "44/tasks,{\"message\":\"not \\\"you\\\"\",\"data\":{\"a\":1}}\n");
    assert_string_equal(w.asked, "connect /tasks (null) websocket\ndisconnect refused 0\n");
    world_say(&w, 0, "40/tasks,");
    assert_string_equal(world_received(&w, 0), "44/tasks,{\"message\":\"not \\\"you\\\"\"}\n");
    w.refusal = NULL;
    world_say(&w, 0, "40/tasks,");
    assert_memory_equal(world_received(&w, 0), "40/tasks,{\"sid\":", 16);
    world_pass(&w, 60000);
    assert_false(w.place[0].closed);
}

static void a_refused_client_was_never_connected(void **state)
{
    (void)state;
    open_ws(0);
    open_ws(1);
    w.refusal = "no";
    world_say(&w, 0, "40/tasks,");
    world_say(&w, 1, "40/tasks,");
    world_pass(&w, 44999);
    world_say(&w, 0, "42/tasks,[\"e\"]"); /* a violation */
    assert_true(w.place[0].closed);
    assert_false(w.place[1].closed);
    world_pass(&w, 1); /* connect_timeout */
    assert_true(w.place[1].closed);
}

static void an_answer_may_take_its_time(void **state)
{
    (void)state;
    w.silent = true;
    open_ws(0);
    world_say(&w, 0, "40/tasks,");
    hub_emit(w.hub, w.sid, "[\"too early\"]", 13, -1, NULL);
    world_set_rooms(&w, w.sid, "a", 1, NULL);
    assert_string_equal(world_received(&w, 0), "");
    hub_accept(w.hub, w.sid);
    hub_accept(w.hub, w.sid);
    hub_refuse(w.hub, w.sid, "too late", NULL);
    engine_flush(w.engine);
    const char *heard = world_received(&w, 0);
    assert_memory_equal(heard, "40/tasks,{\"sid\":", 16);
    assert_null(strstr(heard, "}\n4"));

    open_ws(1);
    world_say(&w, 1, "40/tasks,");
    world_say(&w, 1, "42/tasks,[\"e\"]"); /* before the answer: a violation */
    assert_true(w.place[1].closed);
    hub_accept(w.hub, w.sid); /* and nobody is there any more */

    open_ws(2);
    world_say(&w, 2, "40/tasks,");
    world_say(&w, 2, "41/tasks,");
    assert_false(w.place[2].closed);
    hub_accept(w.hub, w.sid);
    engine_flush(w.engine);
    assert_string_equal(world_received(&w, 2), "");
}

static void acks_of_the_client(void **state)
{
    (void)state;
    client(0);
    hub_emit(w.hub, w.sid, "[\"q\"]", 5, 0, NULL);
    hub_emit(w.hub, w.sid, "[\"q\"]", 5, 9007199254740993, NULL);
    engine_flush(w.engine);
    assert_string_equal(world_received(&w, 0),
                        "42/tasks,0[\"q\"]\n42/tasks,9007199254740993[\"q\"]\n");
    world_say(&w, 0, "43/tasks,9007199254740993[{\"a\":[]}]");
    world_say(&w, 0, "43/tasks,0[]");
    assert_string_equal(w.asked, "acked 9007199254740993 [{\"a\":[]}]\nacked 0 []\n");
    w.asked[0] = '\0';
    world_say(&w, 0, "43/tasks,[]");
    world_say(&w, 0, "43/tasks,99999999999999999999[]");
    assert_string_equal(w.asked, ""); /* no id that was given */
    assert_false(w.place[0].closed);
}

static void acks_of_the_backend(void **state)
{
    (void)state;
    client(0);
    w.backend.acks = true;
    world_say(&w, 0, "42/tasks,12[\"e\"]");
    assert_string_equal(world_received(&w, 0), "");
    assert_string_equal(w.asked, "receive 1 /tasks e 15 ack 12\n");
    hub_ack(w.hub, w.sid, "12", "[1]", 3, NULL);
    engine_flush(w.engine);
    assert_string_equal(world_received(&w, 0), "43/tasks,12[1]\n");
    hub_mute(w.hub, w.sid, true); /* the backend hears no more, so the hub answers */
    world_say(&w, 0, "42/tasks,13[\"e\"]");
    assert_string_equal(world_received(&w, 0), "43/tasks,13[]\n");
}

static void attachments_of_the_client(void **state)
{
    size_t len;
    (void)state;
    client(0);
    world_say(&w, 0, "452-/tasks,[\"e\",{\"_placeholder\":true,\"num\":1}]");
    world_say_binary(&w, 0, "abc", 3);
    world_say(&w, 0, "3"); /* a pong may come between */
    assert_string_equal(w.asked, "");
    world_say_binary(&w, 0, "defg", 4);
    assert_memory_equal(w.asked, "receive 1 /tasks e ", 19);
    assert_memory_equal(frame_data(w.kept, &len), "defg", 4);
    assert_int_equal(len, 4);
    world_say(&w, 0, "461-/tasks,5[{\"_placeholder\":true,\"num\":0}]");
    world_say_binary(&w, 0, "x", 1);
    assert_non_null(strstr(w.asked, "acked 5 [{"));
    assert_memory_equal(frame_data(w.kept, &len), "x", 1);
}

static void attachments_of_an_event_that_is_held(void **state)
{
    size_t len;
    (void)state;
    open_ws(0);
    world_say(&w, 0, "40/tasks,");
    world_say(&w, 0, "451-/tasks,[\"e\",{\"_placeholder\":true,\"num\":0}]");
    world_say_binary(&w, 0, "abc", 3);
    assert_null(w.kept);
    world_set_rooms(&w, w.sid, "a", 1, NULL);
    assert_memory_equal(frame_data(w.kept, &len), "abc", 3);
    open_ws(1); /* and of one that leaves before; the sanitizer looks */
    world_say(&w, 1, "40/tasks,");
    world_say(&w, 1, "451-/tasks,[\"e\",{\"_placeholder\":true,\"num\":0}]");
    world_say_binary(&w, 1, "abc", 3);
    world_say(&w, 1, "451-/tasks,[\"e\",{\"_placeholder\":true,\"num\":0}]");
}

static void attachments_count_in_the_inbox(void **state)
{
    (void)state;
    w.config.inbox_bytes = 1000;
    client(0);
    char bytes[1000] = "";
    world_say(&w, 0, "451-/tasks,[\"e\",{\"_placeholder\":true,\"num\":0}]");
    world_say_binary(&w, 0, bytes, sizeof bytes);
    assert_true(w.place[0].paused);
    hub_taken(w.hub, w.sid, sizeof bytes + 46);
    assert_false(w.place[0].paused);
}

static void attachments_to_the_client(void **state)
{
    static const char args[] = "[{\"_placeholder\":true,\"num\":0}]";
    char query[128];
    (void)state;
    struct frame *frames[] = {frame_new_binary("\1\2", 2), frame_new_binary("x", 1)};
    client(0);
    hub_emit(w.hub, w.sid, "[\"e\"]", 5, 3, &(struct attachments){2, frames});
    hub_ack(w.hub, w.sid, "4", args, sizeof args - 1, &(struct attachments){1, frames + 1});
    engine_flush(w.engine);
    assert_string_equal(world_received(&w, 0), "452-/tasks,3[\"e\"]\nb\1\2\nbx\n461-/tasks,4"
                                               "[{\"_placeholder\":true,\"num\":0}]\nbx\n");

    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", world_handshake(&w, NULL));
    world_post(&w, 1, query, "40/tasks,");
    world_get(&w, 1, query);
    hub_emit(w.hub, w.sid, "[\"e\"]", 5, -1, &(struct attachments){2, frames});
    world_get(&w, 1, query);
    assert_string_equal(w.place[1].text, "452-/tasks,[\"e\"]\x1e"
                                         "bAQI=\x1e"
                                         "beA==");
    frame_unref(frames[0]);
    frame_unref(frames[1]);
}

static void attachments_out_of_order_are_violations(void **state)
{
    static const char *const first[] = {NULL, "451-/tasks,[\"e\"]", "4511-/tasks,[\"e\"]"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        client(i);
        if (first[i])
            world_say(&w, i, first[i]);
        if (i == 0)
            world_say_binary(&w, i, "x", 1); /* none is awaited */
        else if (i == 1)
            world_say(&w, i, "42/tasks,[\"e\"]"); /* one is */
        assert_true(w.place[i].closed);
    }
}

static void what_crosses_a_leave_is_ignored(void **state)
{
    (void)state;
    client(0);
    world_say(&w, 0, "41/tasks,");
    world_say(&w, 0, "43/tasks,1[]");
    world_say(&w, 0, "451-/tasks,[\"e\",{\"_placeholder\":true,\"num\":0}]");
    world_say_binary(&w, 0, "x", 1);
    assert_string_equal(w.asked, "disconnect client namespace disconnect 1\n");
    assert_false(w.place[0].closed);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_refusal_says_why_and_the_client_may_try_again),
        TEST(a_refused_client_was_never_connected),
        TEST(an_answer_may_take_its_time),
        TEST(acks_of_the_client),
        TEST(acks_of_the_backend),
        TEST(attachments_of_the_client),
        TEST(attachments_of_an_event_that_is_held),
        TEST(attachments_count_in_the_inbox),
        TEST(attachments_to_the_client),
        TEST(attachments_out_of_order_are_violations),
        TEST(what_crosses_a_leave_is_ignored),
    };
    return cmocka_run_group_tests_name("socket", tests, NULL, NULL);
}
