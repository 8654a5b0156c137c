/* Sessions without anything above them: what is sent comes back, over either transport. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engineio/session.h"
#include "mock_stack.h"

static struct mock_stack m;
static struct session *opened;
static char ended[64];
static bool unwanted; /* a session is ended as it begins */
static bool too_much; /* a message pauses its session, for two reasons */

static void on_opened(void *ctx, struct session *s, const struct request *rq, uint64_t now)
{
    (void)now;
    assert_ptr_equal(ctx, &m);
    assert_non_null(rq->query);
    assert_null(s->user);
    s->user = &opened;
    opened = s;
    if (unwanted)
        session_end(s, END_DISMISSED);
}

static void on_message(void *ctx, struct session *s, bool binary, const char *data, size_t len,
                       uint64_t now)
{
    struct frame_part parts[] = {{"4", 1}, {data, len}};
    struct frame *f = binary ? frame_new_binary(data, len) : frame_new(2, parts);
    (void)ctx;
    (void)now;
    assert_ptr_equal(s->user, &opened);
    session_queue(s, f);
    frame_unref(f);
    if (too_much) {
        session_pause(s, PAUSE_INBOX, true);
        session_pause(s, PAUSE_EVENTS, true);
    }
}

static void on_ended(void *ctx, struct session *s, const char *reason, bool by_client)
{
    (void)ctx;
    assert_ptr_equal(s->user, &opened);
    snprintf(ended, sizeof ended, "%s %d", reason, by_client);
}

static int setup(void **state)
{
    (void)state;
    stack_setup(&m, NULL);
    stack_start(&m);
    m.net.engine = NULL;
    ended[0] = '\0';
    too_much = unwanted = false;
    engine_set_user(m.engine,
                    &(struct engine_user){&m, on_opened, on_message, on_ended, NULL, NULL, NULL});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stack_end(&m);
    return 0;
}

static const char *query(void)
{
    static char text[128];
    snprintf(text, sizeof text, "EIO=4&transport=polling&sid=%s", stack_handshake(&m, NULL));
    return text;
}

static void open_ws(void)
{
    assert_true(stack_ws(&m, 0, "EIO=4&transport=websocket", NULL));
    stack_received(&m, 0);
}

static void text_and_binary_over_polling(void **state)
{
    (void)state;
    const char *q = query();
    stack_post(&m, 0, q,
               "4hello\x1e"
               "bAQIDBA==\x1e"
               "4");
    assert_string_equal(m.net.handle[0].text, "ok");
    stack_get(&m, 1, q);
    assert_string_equal(m.net.handle[1].text, "4hello\x1e"
                                              "bAQIDBA==\x1e"
                                              "4");
}

static void text_and_binary_over_websocket(void **state)
{
    (void)state;
    open_ws();
    stack_say(&m, 0, "4hello");
    stack_say_binary(&m, 0, "1234", 4);
    assert_string_equal(stack_received(&m, 0), "4hello\nb1234\n");
    stack_say(&m, 0,
              "4a\x1e"
              "4b"); /* a frame is one packet */
    assert_string_equal(stack_received(&m, 0), "4a\x1e"
                                               "4b\n");
}

static void a_packet_that_is_none_ends_it_and_what_follows_is_not_read(void **state)
{
    (void)state;
    const char *q = query();
    stack_get(&m, 1, q);
    stack_post(&m, 0, q,
               "4a\x1e"
               "abc\x1e"
               "4b");
    assert_int_equal(m.net.handle[0].status, 400);
    assert_string_equal(m.net.handle[1].text, "1");
    assert_string_equal(ended, "parse error 1");
}

static void a_client_that_closes_gets_a_noop(void **state)
{
    (void)state;
    const char *q = query();
    stack_get(&m, 1, q);
    stack_post(&m, 0, q, "1");
    assert_string_equal(m.net.handle[0].text, "ok");
    assert_string_equal(m.net.handle[1].text, "6");
    assert_string_equal(ended, "transport close 1");
}

static void each_reason_to_pause_is_taken_back_for_itself(void **state)
{
    (void)state;
    open_ws();
    session_pause(opened, PAUSE_INBOX, true);
    session_pause(opened, PAUSE_EVENTS, true);
    assert_true(m.net.handle[0].paused);
    session_pause(opened, PAUSE_INBOX, false);
    assert_true(m.net.handle[0].paused);
    session_pause(opened, PAUSE_INBOX, false); /* twice is once */
    assert_true(m.net.handle[0].paused);
    session_pause(opened, PAUSE_EVENTS, false);
    assert_false(m.net.handle[0].paused);
}

static void a_paused_post_waits_for_the_last_reason(void **state)
{
    (void)state;
    too_much = true;
    stack_post(&m, 0, query(), "4a");
    session_pause(opened, PAUSE_EVENTS, false);
    assert_int_equal(m.net.handle[0].status, 0);
    session_pause(opened, PAUSE_INBOX, false);
    assert_string_equal(m.net.handle[0].text, "ok");
}

static void a_session_may_end_as_it_begins(void **state)
{
    (void)state;
    unwanted = true;
    assert_false(stack_ws(&m, 0, "EIO=4&transport=websocket", NULL)); /* no handle of it is left */
    assert_true(m.net.handle[0].closed);
    const char *q = query();
    stack_get(&m, 1, q);
    assert_int_equal(m.net.handle[1].status, 400);
}

static void an_end_soon_comes_with_the_end_of_the_turn(void **state)
{
    (void)state;
    open_ws();
    session_end_soon(opened, END_DISMISSED);
    assert_false(m.net.handle[0].closed);
    assert_string_equal(ended, "");
    engine_flush(m.engine);
    assert_true(m.net.handle[0].closed);
    assert_string_equal(ended, "dismissed 1");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(text_and_binary_over_polling),
        TEST(text_and_binary_over_websocket),
        TEST(a_packet_that_is_none_ends_it_and_what_follows_is_not_read),
        TEST(a_client_that_closes_gets_a_noop),
        TEST(each_reason_to_pause_is_taken_back_for_itself),
        TEST(a_paused_post_waits_for_the_last_reason),
        TEST(a_session_may_end_as_it_begins),
        TEST(an_end_soon_comes_with_the_end_of_the_turn),
    };
    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
