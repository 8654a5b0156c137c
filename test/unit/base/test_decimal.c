/* test_decimal: which texts are numbers, and up to which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/decimal.h"

static bool is(const char *text, uint64_t most, uint64_t expected)
{
    uint64_t n = 0;
    return decimal(text, strlen(text), most, &n) && n == expected;
}

static void a_number_is_digits_up_to_a_limit(void **state)
{
    static const char *const none[] = {"", "-1", "+1", " 1", "1 ", "1a", "0x1", "1.0"};
    uint64_t n;
    (void)state;
    assert_true(is("0", 0, 0));
    assert_true(is("007", 7, 7));
    assert_true(is("65535", 65535, 65535));
    assert_false(decimal("65536", 5, 65535, &n));
    assert_false(decimal("5", 1, 4, &n));
    assert_true(is("18446744073709551615", UINT64_MAX, UINT64_MAX));
    assert_false(decimal("18446744073709551616", 20, UINT64_MAX, &n));
    assert_false(decimal("99999999999999999999999999", 26, UINT64_MAX, &n));
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_false(decimal(none[i], strlen(none[i]), UINT64_MAX, &n));
}

static void one_is_taken_off_a_text(void **state)
{
    const char *text = "12-345", *end = text + 5, *at = text;
    uint64_t n;
    (void)state;
    assert_true(decimal_take(&at, end, 12, &n));
    assert_int_equal(n, 12);
    assert_ptr_equal(at, text + 2);
    assert_false(decimal_take(&at, end, 99, &n));
    assert_ptr_equal(at, text + 2);
    at++;
    assert_true(decimal_take(&at, end, 99, &n)); /* no further than the end */
    assert_int_equal(n, 34);
    at = text;
    assert_false(decimal_take(&at, end, 11, &n));
    assert_ptr_equal(at, text + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_digits_up_to_a_limit),
        cmocka_unit_test(one_is_taken_off_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
