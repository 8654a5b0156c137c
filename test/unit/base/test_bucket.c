/* A rate: what a second brings at once, then no faster than the rate; debts are paid, not split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bucket.h"

static void zero_bytes_are_full(void **state)
{
    struct bucket b = {0};
    (void)state;
    assert_true(bucket_has(&b, 200, 200, 12345));
    assert_false(bucket_has(&b, 200, 201, 12345));
    assert_int_equal(bucket_wait(&b, 200, 12345), 0);
}

static void a_second_at_once_is_no_debt_and_one_more_is(void **state)
{
    struct bucket b = {0};
    (void)state;
    for (int i = 0; i < 200; i++)
        bucket_take(&b, 200, 1, 1000);
    assert_int_equal(bucket_wait(&b, 200, 1000), 0);
    assert_false(bucket_has(&b, 200, 1, 1000));
    bucket_take(&b, 200, 1, 1000);
    assert_int_equal(bucket_wait(&b, 200, 1000), 5);
    assert_int_equal(bucket_wait(&b, 200, 1004), 1);
    assert_int_equal(bucket_wait(&b, 200, 1005), 0);
    assert_false(bucket_has(&b, 200, 1, 1009));
    assert_true(bucket_has(&b, 200, 1, 1010));
    assert_true(bucket_has(&b, 200, 200, 2005));
    assert_false(bucket_has(&b, 200, 200, 2004));
}

static void it_never_holds_more_than_a_second(void **state)
{
    struct bucket b = {0};
    (void)state;
    bucket_take(&b, 10, 10, 0);
    assert_true(bucket_has(&b, 10, 10, 3600000));
    assert_false(bucket_has(&b, 10, 11, 3600000));
    bucket_take(&b, 10, 11, 3600000);
    assert_int_equal(bucket_wait(&b, 10, 3600000), 100);
}

static void a_message_larger_than_the_bucket_is_a_debt(void **state)
{
    struct bucket b = {0};
    (void)state;
    bucket_take(&b, 1000, 5000, 77);
    assert_int_equal(bucket_wait(&b, 1000, 77), 4000);
    bucket_take(&b, 1000, 1000, 77); /* who is in debt may go deeper */
    assert_int_equal(bucket_wait(&b, 1000, 77), 5000);
    assert_int_equal(bucket_wait(&b, 1000, 77 + 4999), 1);
    assert_int_equal(bucket_wait(&b, 1000, 77 + 5000), 0);
    b = (struct bucket){0};
    bucket_take(&b, 3, 4, 0); /* a third of a second, and no ms less */
    assert_int_equal(bucket_wait(&b, 3, 0), 334);
}

/* In the long run no more passes than the rate and one second, and no less than the rate. */
static void the_rate_is_kept(void **state)
{
    static const uint64_t rates[] = {1, 3, 200, 999, 1000, 1001, 2000000};
    (void)state;
    srand(1);
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        enum { SECONDS = 100 };
        uint64_t rate = rates[i], now = 5, end = now + SECONDS * 1000, taken = 0, largest = 0;
        struct bucket b = {0};
        while (now < end) {
            uint64_t n = 1 + (uint64_t)rand() % (rate + 1), wait = bucket_wait(&b, rate, now);
            if (wait == 0) {
                bucket_take(&b, rate, n, now);
                taken += n;
                largest = n > largest ? n : largest;
            }
            now += wait;
        }
        if (taken > rate * (SECONDS + 1) + largest || taken < rate * SECONDS)
            fail_msg("rate %d: %d in %d s", (int)rate, (int)taken, SECONDS);
    }
}

static void nothing_overflows(void **state)
{
    struct bucket b = {0};
    (void)state;
    for (int i = 0; i < 10; i++) {
        uint64_t before = bucket_wait(&b, 1, 1);
        bucket_take(&b, 1, UINT64_MAX, 1);
        assert_true(bucket_wait(&b, 1, 1) >= before);
    }
    assert_true(bucket_wait(&b, 1, 1) > 1000000000000);
    assert_false(bucket_has(&b, 1, 1, 1));
    assert_int_equal(bucket_wait(&b, 1000000000, UINT64_MAX), 0);
    assert_true(bucket_has(&b, 1000000000, 1000000000, UINT64_MAX));
}

static void a_clock_that_stands_or_goes_back_brings_nothing(void **state)
{
    struct bucket b = {0};
    (void)state;
    bucket_take(&b, 10, 20, 5000);
    assert_int_equal(bucket_wait(&b, 10, 4000), 1000);
    bucket_take(&b, 10, 0, 4000);
    assert_int_equal(bucket_wait(&b, 10, 5000), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_bytes_are_full),
        cmocka_unit_test(a_second_at_once_is_no_debt_and_one_more_is),
        cmocka_unit_test(it_never_holds_more_than_a_second),
        cmocka_unit_test(a_message_larger_than_the_bucket_is_a_debt),
        cmocka_unit_test(the_rate_is_kept),
        cmocka_unit_test(nothing_overflows),
        cmocka_unit_test(a_clock_that_stands_or_goes_back_brings_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
