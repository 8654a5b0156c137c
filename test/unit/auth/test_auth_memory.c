/* What is kept of clients that nobody knows yet, and of those that are asked for. */
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
static const char TWO[] = "452-/tasks,[\"x\",{\"_placeholder\":true,\"num\":0},"
                          "{\"_placeholder\":true,\"num\":1}]";
static char data[1000000];

static int setup(void **state)
{
    (void)state;
    stack_setup(&m, NULL);
    m.config.ping_interval = m.config.ping_timeout = 100000000;
    stack_start(&m);
    memset(data, 'x', sizeof data);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stack_end(&m); /* nothing is counted any more */
    return 0;
}

static double kept(void)
{
    return m.metrics.value[METRIC_RECEIVING];
}

static bool is_closed(int n, unsigned code)
{
    return m.net.handle[n].closed && m.net.handle[n].code == code;
}

/* An event whose text has this many numbers. */
static void say_numbers(int n, int numbers)
{
    char *text = malloc((size_t)numbers * 4 + 64), *end = text;
    end += sprintf(end, "42/tasks,[\"x\",[0.1");
    for (int i = 1; i < numbers; i++)
        end += sprintf(end, ",0.1");
    strcpy(end, "]]");
    stack_say(&m, n, text);
    free(text);
}

static void attachments_are_not_awaited_before_a_connect(void **state)
{
    (void)state;
    assert_true(stack_ws(&m, 0, WS, stack_bearer(&m, 7, 3600, "")));
    stack_say(&m, 0, TWO);
    assert_true(m.net.handle[0].closed);
    assert_true(m.metrics.value[METRIC_CLOSED_MALFORMED] == 1);
    assert_true(kept() == 0);
}

static void attachments_of_a_stranger_are_closed_at_stranger_bytes(void **state)
{
    static const char *const tokens[] = {NULL, "Bearer x"};
    (void)state;
    for (int n = 0; n < 2; n++) {
        stack_connect_as(&m, n, tokens[n]);
        stack_say(&m, n, TWO);
        stack_say_binary(&m, n, data, 8000);
        assert_false(m.net.handle[n].closed);
        assert_true(kept() > 8000 && kept() < 9000);
        stack_say_binary(&m, n, data, 1); /* it is whole, and has no effect */
        assert_true(kept() == 0);
        stack_say(&m, n, TWO);
        stack_say_binary(&m, n, data, 16384);
        assert_true(is_closed(n, WS_TRY_LATER));
        assert_true(m.metrics.value[METRIC_CLOSED_STRANGER] == n + 1);
        assert_true(kept() == 0);
    }
}

static void who_left_awaits_no_more_than_a_stranger(void **state)
{
    (void)state;
    stack_connect_as(&m, 0, NULL);
    stack_say(&m, 0, "41/tasks,");
    stack_say(&m, 0, TWO);
    stack_say_binary(&m, 0, data, 16384);
    assert_true(is_closed(0, WS_TRY_LATER));
}

static void events_that_wait_for_a_key_are_few(void **state)
{
    (void)state;
    auth_set_keys(m.auth, NULL, 0, m.now);
    stack_connect_as(&m, 0, stack_bearer(&m, 7, 3600, ""));
    say_numbers(0, 500); /* longer when it is kept: 0.10000000000000001 */
    assert_false(m.net.handle[0].closed);
    assert_true(kept() > 10000);
    auth_set_keys(m.auth, m.keys, 0, m.now);
    stack_set_rooms(&m, m.mock.sid, "a", 3, "10:10:");
    assert_non_null(strstr(m.mock.asked, "receive 3 /tasks x "));
    assert_true(kept() == 0);

    auth_set_keys(m.auth, NULL, 0, m.now);
    stack_connect_as(&m, 1, stack_bearer(&m, 7, 3600, ""));
    say_numbers(1, 1000); /* 4 kB, and 19 kB when it is kept */
    assert_true(is_closed(1, WS_TRY_LATER));
    assert_true(kept() == 0);
    auth_set_keys(m.auth, m.keys, 0, m.now);
}

/* The database is away: nothing is joined. */
static void what_waits_for_the_database_counts_in_receive_bytes(void **state)
{
    (void)state;
    m.config.receive_bytes = 1000000;
    for (int n = 0; n < 3; n++)
        stack_connect_as(&m, n, stack_bearer(&m, 7, 3600, ""));
    say_numbers(0, 20000);
    assert_true(kept() > 380000 && kept() < 410000);
    stack_say(&m, 1, TWO);
    stack_say_binary(&m, 1, data, 590000);
    assert_false(m.net.handle[1].closed);
    stack_say(&m, 2, "42/tasks,[\"small\"]"); /* a few kB are always allowed */
    assert_false(m.net.handle[2].closed);
    say_numbers(2, 1000);
    assert_true(is_closed(2, WS_TRY_LATER));
    assert_true(m.metrics.value[METRIC_CLOSED_RECEIVE] == 1);
    assert_true(kept() > 970000 && kept() < 1010000);
}

/* Each CONNECT to a namespace that is not there is answered. */
static void ask_and_read_nothing(const char *authorization, int times)
{
    assert_true(stack_ws(&m, 0, WS, authorization));
    m.net.handle[0].stalled = true;
    for (int i = 0; i < times && !m.net.handle[0].closed; i++)
        stack_say(&m, 0, "40/none,");
}

static void answers_that_a_stranger_does_not_read_are_few(void **state)
{
    static const char *const tokens[] = {NULL, "Bearer x"};
    (void)state;
    for (int n = 0; n < 2; n++) {
        ask_and_read_nothing(tokens[n], 5000);
        assert_true(is_closed(0, 1013));
        assert_true(m.metrics.value[METRIC_CLOSED_STRANGER] == n + 1);
        assert_true(m.metrics.value[METRIC_QUEUED_BYTES] == 0);
    }
}

static void answers_to_one_that_is_known_may_wait(void **state)
{
    (void)state;
    ask_and_read_nothing(stack_bearer(&m, 7, 3600, ""), 5000);
    assert_false(m.net.handle[0].closed);
    assert_true(m.metrics.value[METRIC_QUEUED_BYTES] > m.config.stranger_bytes);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(attachments_are_not_awaited_before_a_connect),
        TEST(attachments_of_a_stranger_are_closed_at_stranger_bytes),
        TEST(who_left_awaits_no_more_than_a_stranger),
        TEST(answers_that_a_stranger_does_not_read_are_few),
        TEST(answers_to_one_that_is_known_may_wait),
        TEST(events_that_wait_for_a_key_are_few),
        TEST(what_waits_for_the_database_counts_in_receive_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
