/* Events of clients: numbered, repeated with the same numbers, given up one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "feed/inbox.h"

static struct inbox *inbox;
static size_t left;

static void on_left(void *ctx, const char *sid, size_t bytes)
{
    assert_null(ctx);
    assert_string_equal(sid, "s");
    left += bytes;
}

static int setup(void **state)
{
    (void)state;
    left = 0;
    inbox = inbox_new(on_left, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    inbox_free(inbox);
    return 0;
}

static void put(int n)
{
    json_t *event = json_pack("[si]", "e", n);
    inbox_put(inbox, "s", 7, "/tasks", event, 1);
    json_decref(event);
}

/* The next batch holds the events first..last with numbers from seq on. */
static void expect(int first, int last, int64_t seq)
{
    char *text = inbox_batch(inbox);
    json_t *item, *batch = json_loads(text ? text : "[]", 0, NULL);
    size_t i;
    assert_non_null(batch);
    assert_int_equal(json_array_size(batch), last - first + 1);
    json_array_foreach (batch, i, item) {
        const json_t *event = json_object_get(item, "event");
        assert_int_equal(json_integer_value(json_object_get(item, "seq")), seq + (int64_t)i);
        assert_int_equal(json_integer_value(json_array_get(event, 1)), first + (int64_t)i);
    }
    json_decref(batch);
    free(text);
}

/* The last batch was an item that is given up, and reported. */
static void refuse(void)
{
    char *report = inbox_refused(inbox, "encoding");
    assert_string_equal(report, "{\"refused\":[{\"principal\":7,\"event\":\"e\","
                                "\"reason\":\"encoding\",\"n\":1}]}");
    free(report);
}

static void an_item_is_what_receive_takes(void **state)
{
    (void)state;
    put(5);
    char *text = inbox_batch(inbox);
    assert_string_equal(
        text, "[{\"seq\":1,\"sid\":\"s\",\"principal\":7,\"nsp\":\"/tasks\",\"event\":[\"e\",5]}]");
    free(text);
}

static void what_was_not_answered_is_repeated_with_its_numbers(void **state)
{
    (void)state;
    put(1);
    put(2);
    expect(1, 2, 1);
    put(3);
    expect(1, 3, 1);
    assert_false(inbox_taken(inbox, 2));
    assert_int_equal(left, 2);
    expect(3, 3, 3);
    assert_true(inbox_taken(inbox, 3));
    assert_null(inbox_batch(inbox));
}

static void an_answer_takes_no_more_than_was_sent(void **state)
{
    (void)state;
    put(1);
    expect(1, 1, 1);
    put(2);
    assert_true(inbox_taken(inbox, 99));
    assert_int_equal(left, 1);
    expect(2, 2, 2);
}

/* Whoever counts by number counts an item once, however often it came and whatever came between. */
static void numbers_are_never_used_again(void **state)
{
    (void)state;
    put(1);
    put(2);
    expect(1, 2, 1);
    inbox_taken(inbox, 1);
    expect(2, 2, 2);
    refuse();
    assert_int_equal(left, 2);
    assert_null(inbox_batch(inbox));
    put(3);
    expect(3, 3, 3);
}

static void a_batch_refused_for_its_data_is_tried_one_by_one(void **state)
{
    (void)state;
    for (int i = 1; i <= 3; i++)
        put(i);
    expect(1, 3, 1);
    assert_null(inbox_refused(inbox, "encoding"));
    put(4);
    put(5);
    expect(1, 1, 1);
    assert_true(inbox_taken(inbox, 1));
    expect(2, 2, 2);
    refuse();
    assert_int_equal(left, 2);
    expect(3, 3, 3);
    assert_true(inbox_taken(inbox, 3));
    expect(4, 5, 4);
}

static void batches_are_bounded(void **state)
{
    (void)state;
    for (int i = 1; i <= 2500; i++)
        put(i);
    expect(1, 1000, 1);
    assert_true(inbox_taken(inbox, 1000));
    expect(1001, 2000, 1001);
    assert_true(inbox_taken(inbox, 2000));
    expect(2001, 2500, 2001);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_item_is_what_receive_takes),
        TEST(what_was_not_answered_is_repeated_with_its_numbers),
        TEST(an_answer_takes_no_more_than_was_sent),
        TEST(numbers_are_never_used_again),
        TEST(a_batch_refused_for_its_data_is_tried_one_by_one),
        TEST(batches_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
