/* Numbers with a unit, in and out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"

static void numbers_go_there_and_back(void **state)
{
    static const struct {
        const struct unit *units;
        const char *text;
        uint64_t n;
        const char *printed;
    } cases[] = {{units_duration, "1500ms", 1500, "1500ms"},
                 {units_duration, "90", 90000, "90s"},
                 {units_duration, "120s", 120000, "2min"},
                 {units_duration, "24h", 86400000, "24h"},
                 {units_size, "2000", 2000, "2kB"},
                 {units_size, "1MB", 1000000, "1MB"},
                 {units_size, "7B", 7, "7"},
                 {units_count, "0", 0, "0"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t n = UINT64_MAX;
        char text[UNITS_TEXT];
        assert_true(units_parse(cases[i].units, cases[i].text, strlen(cases[i].text), &n));
        assert_int_equal(n, cases[i].n);
        units_print(cases[i].units, n, text);
        assert_string_equal(text, cases[i].printed);
    }
}

static void what_is_no_number_with_a_unit_is_refused(void **state)
{
    static const char *const wrong[] = {"",     "s",  "-1s", "1 s",
                                        "1.5s", "1d", "1ss", "1234567890123s"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint64_t n;
        assert_false(units_parse(units_duration, wrong[i], strlen(wrong[i]), &n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_go_there_and_back),
        cmocka_unit_test(what_is_no_number_with_a_unit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
