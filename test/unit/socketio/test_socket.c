/* What a socket and its backend say to each other: acceptance, acks both ways, attachments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frame_data.h"
#include "mock_stack.h"

static struct mock_stack m;
static const char WS[] = "EIO=4&transport=websocket";

static int setup(void **state)
{
    (void)state;
    stack_setup(&m, NULL);
    m.config.ping_interval = m.config.ping_timeout = 100000000;
    m.without_auth = true;
    stack_start(&m);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stack_end(&m);
    return 0;
}

static void open_ws(int n)
{
    assert_true(stack_ws(&m, n, WS, NULL));
    stack_received(&m, n);
}

/* A socket that was admitted; forgets what was asked for it. */
static void client(int n)
{
    open_ws(n);
    stack_say(&m, n, "40/tasks,");
    stack_set_rooms(&m, m.mock.sid, "a", 1, NULL);
    stack_received(&m, n);
    m.mock.asked[0] = '\0';
}

static void a_refusal_says_why_and_the_client_may_try_again(void **state)
{
    (void)state;
    open_ws(0);
    m.mock.refusal = "not \"you\"";
    stack_say(&m, 0, "40/tasks,{\"a\":1}");
    assert_string_equal(stack_received(&m, 0),
                        "44/tasks,{\"message\":\"not \\\"you\\\"\",\"data\":{\"a\":1}}\n");
    assert_string_equal(m.mock.asked, "connect /tasks (null) websocket\ndisconnect refused 0\n");
    stack_say(&m, 0, "40/tasks,");
    assert_string_equal(stack_received(&m, 0), "44/tasks,{\"message\":\"not \\\"you\\\"\"}\n");
    m.mock.refusal = NULL;
    stack_say(&m, 0, "40/tasks,");
    assert_memory_equal(stack_received(&m, 0), "40/tasks,{\"sid\":", 16);
    stack_pass(&m, 60000);
    assert_false(m.net.handle[0].closed);
}

static void a_refused_client_was_never_connected(void **state)
{
    (void)state;
    open_ws(0);
    open_ws(1);
    m.mock.refusal = "no";
    stack_say(&m, 0, "40/tasks,");
    stack_say(&m, 1, "40/tasks,");
    stack_pass(&m, 44999);
    stack_say(&m, 0, "42/tasks,[\"e\"]"); /* a violation */
    assert_true(m.net.handle[0].closed);
    assert_false(m.net.handle[1].closed);
    stack_pass(&m, 1); /* connect_timeout */
    assert_true(m.net.handle[1].closed);
}

static void an_answer_may_take_its_time(void **state)
{
    (void)state;
    m.mock.silent = true;
    open_ws(0);
    stack_say(&m, 0, "40/tasks,");
    hub_emit(m.hub, m.mock.sid, "[\"too early\"]", 13, -1, NULL);
    stack_set_rooms(&m, m.mock.sid, "a", 1, NULL);
    assert_string_equal(stack_received(&m, 0), "");
    hub_accept(m.hub, m.mock.sid);
    hub_accept(m.hub, m.mock.sid);
    hub_refuse(m.hub, m.mock.sid, "too late", NULL);
    engine_flush(m.engine);
    const char *received = stack_received(&m, 0);
    assert_memory_equal(received, "40/tasks,{\"sid\":", 16);
    assert_null(strstr(received, "}\n4"));

    open_ws(1);
    stack_say(&m, 1, "40/tasks,");
    stack_say(&m, 1, "42/tasks,[\"e\"]"); /* before the answer: a violation */
    assert_true(m.net.handle[1].closed);
    hub_accept(m.hub, m.mock.sid); /* and nobody is there any more */

    open_ws(2);
    stack_say(&m, 2, "40/tasks,");
    stack_say(&m, 2, "41/tasks,");
    assert_false(m.net.handle[2].closed);
    hub_accept(m.hub, m.mock.sid);
    engine_flush(m.engine);
    assert_string_equal(stack_received(&m, 2), "");
}

static void acks_of_the_client(void **state)
{
    (void)state;
    client(0);
    hub_emit(m.hub, m.mock.sid, "[\"q\"]", 5, 0, NULL);
    hub_emit(m.hub, m.mock.sid, "[\"q\"]", 5, 9007199254740993, NULL);
    engine_flush(m.engine);
    assert_string_equal(stack_received(&m, 0),
                        "42/tasks,0[\"q\"]\n42/tasks,9007199254740993[\"q\"]\n");
    stack_say(&m, 0, "43/tasks,9007199254740993[{\"a\":[]}]");
    stack_say(&m, 0, "43/tasks,0[]");
    assert_string_equal(m.mock.asked, "acked 9007199254740993 [{\"a\":[]}]\nacked 0 []\n");
    m.mock.asked[0] = '\0';
    stack_say(&m, 0, "43/tasks,[]");
    stack_say(&m, 0, "43/tasks,99999999999999999999[]");
    assert_string_equal(m.mock.asked, ""); /* no id that was given */
    assert_false(m.net.handle[0].closed);
}

static void acks_of_the_backend(void **state)
{
    (void)state;
    client(0);
    m.mock.backend.acks = true;
    stack_say(&m, 0, "42/tasks,12[\"e\"]");
    assert_string_equal(stack_received(&m, 0), "");
    assert_string_equal(m.mock.asked, "receive 1 /tasks e 15 ack 12\n");
    hub_ack(m.hub, m.mock.sid, "12", "[1]", 3, NULL);
    engine_flush(m.engine);
    assert_string_equal(stack_received(&m, 0), "43/tasks,12[1]\n");
    hub_mute(m.hub, m.mock.sid, true); /* the backend receives no more, so the hub answers */
    stack_say(&m, 0, "42/tasks,13[\"e\"]");
    assert_string_equal(stack_received(&m, 0), "43/tasks,13[]\n");
}

static void attachments_of_the_client(void **state)
{
    size_t len;
    (void)state;
    client(0);
    stack_say(&m, 0, "452-/tasks,[\"e\",{\"_placeholder\":true,\"num\":1}]");
    stack_say_binary(&m, 0, "abc", 3);
    stack_say(&m, 0, "3"); /* a pong may come between */
    assert_string_equal(m.mock.asked, "");
    stack_say_binary(&m, 0, "defg", 4);
    assert_memory_equal(m.mock.asked, "receive 1 /tasks e ", 19);
    assert_memory_equal(frame_data(m.mock.kept, &len), "defg", 4);
    assert_int_equal(len, 4);
    stack_say(&m, 0, "461-/tasks,5[{\"_placeholder\":true,\"num\":0}]");
    stack_say_binary(&m, 0, "x", 1);
    assert_non_null(strstr(m.mock.asked, "acked 5 [{"));
    assert_memory_equal(frame_data(m.mock.kept, &len), "x", 1);
}

static void attachments_of_an_event_that_is_held(void **state)
{
    size_t len;
    (void)state;
    open_ws(0);
    stack_say(&m, 0, "40/tasks,");
    stack_say(&m, 0, "451-/tasks,[\"e\",{\"_placeholder\":true,\"num\":0}]");
    stack_say_binary(&m, 0, "abc", 3);
    assert_null(m.mock.kept);
    stack_set_rooms(&m, m.mock.sid, "a", 1, NULL);
    assert_memory_equal(frame_data(m.mock.kept, &len), "abc", 3);
    open_ws(1); /* and of one that leaves before; the sanitizer looks */
    stack_say(&m, 1, "40/tasks,");
    stack_say(&m, 1, "451-/tasks,[\"e\",{\"_placeholder\":true,\"num\":0}]");
    stack_say_binary(&m, 1, "abc", 3);
    stack_say(&m, 1, "451-/tasks,[\"e\",{\"_placeholder\":true,\"num\":0}]");
}

static void attachments_count_in_the_inbox(void **state)
{
    (void)state;
    m.config.inbox_bytes = 1000;
    client(0);
    char bytes[1000] = "";
    stack_say(&m, 0, "451-/tasks,[\"e\",{\"_placeholder\":true,\"num\":0}]");
    stack_say_binary(&m, 0, bytes, sizeof bytes);
    assert_true(m.net.handle[0].paused);
    hub_taken(m.hub, m.mock.sid, sizeof bytes + 46);
    assert_false(m.net.handle[0].paused);
}

static void attachments_to_the_client(void **state)
{
    static const char args[] = "[{\"_placeholder\":true,\"num\":0}]";
    char query[128];
    (void)state;
    struct frame *frames[] = {frame_new_binary("\1\2", 2), frame_new_binary("x", 1)};
    client(0);
    hub_emit(m.hub, m.mock.sid, "[\"e\"]", 5, 3, &(struct attachments){2, frames});
    hub_ack(m.hub, m.mock.sid, "4", args, sizeof args - 1, &(struct attachments){1, frames + 1});
    engine_flush(m.engine);
    assert_string_equal(stack_received(&m, 0), "452-/tasks,3[\"e\"]\nb\1\2\nbx\n461-/tasks,4"
                                               "[{\"_placeholder\":true,\"num\":0}]\nbx\n");

    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", stack_handshake(&m, NULL));
    stack_post(&m, 1, query, "40/tasks,");
    stack_get(&m, 1, query);
    hub_emit(m.hub, m.mock.sid, "[\"e\"]", 5, -1, &(struct attachments){2, frames});
    stack_get(&m, 1, query);
    assert_string_equal(m.net.handle[1].text, "452-/tasks,[\"e\"]\x1e"
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
            stack_say(&m, i, first[i]);
        if (i == 0)
            stack_say_binary(&m, i, "x", 1); /* none is awaited */
        else if (i == 1)
            stack_say(&m, i, "42/tasks,[\"e\"]"); /* one is */
        assert_true(m.net.handle[i].closed);
    }
}

static void what_crosses_a_leave_is_ignored(void **state)
{
    (void)state;
    client(0);
    stack_say(&m, 0, "41/tasks,");
    stack_say(&m, 0, "43/tasks,1[]");
    stack_say(&m, 0, "451-/tasks,[\"e\",{\"_placeholder\":true,\"num\":0}]");
    stack_say_binary(&m, 0, "x", 1);
    assert_string_equal(m.mock.asked, "disconnect client namespace disconnect 1\n");
    assert_false(m.net.handle[0].closed);
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
