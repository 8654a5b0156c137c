/* What the database is told of instructions: no acknowledgement is lost, no sending counts twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "feed/ack_report.h"

static struct ack_reports *ack_reports;

static int setup(void **state)
{
    (void)state;
    ack_reports = ack_reports_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ack_reports_free(ack_reports);
    return 0;
}

/* The next batch: "<id><sid>" of each, with a + if it was acknowledged. */
static void expect(size_t max, const char *what)
{
    char found[256] = "", *json = ack_reports_take(ack_reports, max);
    size_t i, n = 0;
    json_t *item, *batch = json ? json_loads(json, 0, NULL) : json_array();
    json_array_foreach (batch, i, item) {
        assert_int_equal(json_integer_value(json_object_get(item, "principal")), 5);
        n += (size_t)snprintf(found + n, sizeof found - n, "%s%lld%s%s", i ? " " : "",
                              (long long)json_integer_value(json_object_get(item, "id")),
                              json_string_value(json_object_get(item, "sid")),
                              json_is_true(json_object_get(item, "acked")) ? "+" : "");
    }
    json_decref(batch);
    free(json);
    assert_string_equal(found, what);
}

static void in_batches_one_at_a_time(void **state)
{
    (void)state;
    expect(2, "");
    ack_reports_put(ack_reports, 1, 5, "a", false);
    ack_reports_put(ack_reports, 1, 5, "a", true);
    ack_reports_put(ack_reports, INT64_C(9007199254740993), 5, "b", false);
    expect(2, "1a 1a+");
    expect(2, "");
    ack_reports_answered(ack_reports, NULL);
    expect(2, "9007199254740993b");
    ack_reports_answered(ack_reports, NULL);
    expect(2, "");
}

static void what_the_database_wants_again_comes_again_later(void **state)
{
    (void)state;
    ack_reports_put(ack_reports, 1, 5, "a", true);
    expect(9, "1a+");
    ack_reports_answered(ack_reports, "[{\"id\":1,\"principal\":5,\"sid\":\"a\",\"acked\":true}]");
    expect(9, "");
    ack_reports_put(ack_reports, 2, 5, "a", false);
    expect(9, "2a");
    ack_reports_answered(ack_reports, "no JSON");
    ack_reports_retry(ack_reports);
    expect(9, "1a+");
}

static void of_a_lost_batch_only_acknowledgements_come_again(void **state)
{
    (void)state;
    ack_reports_put(ack_reports, 1, 5, "a", false);
    ack_reports_put(ack_reports, 1, 5, "a", true);
    ack_reports_put(ack_reports, 2, 5, "a", false);
    expect(9, "1a 1a+ 2a");
    ack_reports_put(ack_reports, 3, 5, "a", false);
    ack_reports_lost(ack_reports);
    expect(9, "3a");
    ack_reports_answered(ack_reports, NULL);
    ack_reports_retry(ack_reports);
    ack_reports_retry(ack_reports);
    expect(9, "1a+");
    ack_reports_lost(ack_reports);
    ack_reports_lost(ack_reports);
    ack_reports_retry(ack_reports);
    expect(9, "1a+");
}

/* The times of each report of the next batch. */
static void expect_times(const char *what)
{
    char found[256] = "", *json = ack_reports_take(ack_reports, 9);
    size_t i, n = 0;
    json_t *item, *batch = json_loads(json, 0, NULL);
    json_array_foreach (batch, i, item)
        n += (size_t)snprintf(found + n, sizeof found - n, "%lld%s%lld ",
                              (long long)json_integer_value(json_object_get(item, "id")),
                              json_string_value(json_object_get(item, "sid")),
                              (long long)json_integer_value(json_object_get(item, "times")));
    json_decref(batch);
    free(json);
    assert_string_equal(found, what);
}

static void what_many_connections_say_is_one_report(void **state)
{
    (void)state;
    ack_reports_put(ack_reports, 9, 5, "a", false);
    expect(1, "9a");
    for (int i = 0; i < 1000; i++) {
        ack_reports_put(ack_reports, 1, 5, i == 999 ? "z" : "a", false);
        ack_reports_put(ack_reports, 9, 5, "b", false);
        ack_reports_put(ack_reports, 1, 5, "c", true);
    }
    ack_reports_put(ack_reports, 1, 6, "d", false);
    ack_reports_answered(ack_reports, NULL);
    expect_times("1z1000 9b1000 1c1000 1d0 ");
    ack_reports_put(ack_reports, 1, 5, "a", false);
    ack_reports_answered(ack_reports, NULL);
    expect_times("1a0 ");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(in_batches_one_at_a_time),
        TEST(what_the_database_wants_again_comes_again_later),
        TEST(of_a_lost_batch_only_acknowledgements_come_again),
        TEST(what_many_connections_say_is_one_report),
    };
    return cmocka_run_group_tests_name("ack_report", tests, NULL, NULL);
}
