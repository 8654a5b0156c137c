/* What the database is told of errands: no acknowledgement is lost, no sending counts twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "receipt.h"

static struct receipts *receipts;

static int setup(void **state)
{
    (void)state;
    receipts = receipts_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    receipts_free(receipts);
    return 0;
}

/* The next batch: "<id><sid>" of each, with a + if it was acknowledged. */
static void expect(size_t max, const char *what)
{
    char found[256] = "", *json = receipts_take(receipts, max);
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
    receipts_put(receipts, 1, 5, "a", false);
    receipts_put(receipts, 1, 5, "a", true);
    receipts_put(receipts, INT64_C(9007199254740993), 5, "b", false);
    expect(2, "1a 1a+");
    expect(2, "");
    receipts_answered(receipts, NULL);
    expect(2, "9007199254740993b");
    receipts_answered(receipts, NULL);
    expect(2, "");
}

static void what_the_database_wants_again_comes_again_later(void **state)
{
    (void)state;
    receipts_put(receipts, 1, 5, "a", true);
    expect(9, "1a+");
    receipts_answered(receipts, "[{\"id\":1,\"principal\":5,\"sid\":\"a\",\"acked\":true}]");
    expect(9, "");
    receipts_put(receipts, 2, 5, "a", false);
    expect(9, "2a");
    receipts_answered(receipts, "no JSON");
    receipts_retry(receipts);
    expect(9, "1a+");
}

static void of_a_lost_batch_only_acknowledgements_come_again(void **state)
{
    (void)state;
    receipts_put(receipts, 1, 5, "a", false);
    receipts_put(receipts, 1, 5, "a", true);
    receipts_put(receipts, 2, 5, "a", false);
    expect(9, "1a 1a+ 2a");
    receipts_put(receipts, 3, 5, "a", false);
    receipts_lost(receipts);
    expect(9, "3a");
    receipts_answered(receipts, NULL);
    receipts_retry(receipts);
    receipts_retry(receipts);
    expect(9, "1a+");
    receipts_lost(receipts);
    receipts_lost(receipts);
    receipts_retry(receipts);
    expect(9, "1a+");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(in_batches_one_at_a_time),
        TEST(what_the_database_wants_again_comes_again_later),
        TEST(of_a_lost_batch_only_acknowledgements_come_again),
    };
    return cmocka_run_group_tests_name("receipt", tests, NULL, NULL);
}
