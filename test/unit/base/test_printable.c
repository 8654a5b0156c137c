/* What clients say of themselves: cut, and nothing that a terminal or a table would act on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/printable.h"

static void expect(const char *text, size_t size, const char *expected)
{
    char *out = malloc(size);
    assert_non_null(out);
    printable_cut(text, out, size);
    assert_string_equal(out, expected);
    free(out);
}

static void what_is_printable_stays(void **state)
{
    (void)state;
    expect("", 8, "");
    expect("", 1, "");
    expect("python-requests/2.31.0", 101, "python-requests/2.31.0");
    expect(" !#$%&'()*+,-./09:;<=>?@AZ[]^_`az{|}~", 101, " !#$%&'()*+,-./09:;<=>?@AZ[]^_`az{|}~");
}

static void what_is_not_is_escaped(void **state)
{
    (void)state;
    expect("a\tb\n\x1b[31m\x7f", 101, "a\\x09b\\x0a\\x1b[31m\\x7f");
    expect("\"quoted\" \\x41", 101, "\\x22quoted\\x22 \\x5cx41");
    expect("K\xc3\xb6ln \xff", 101, "K\\xc3\\xb6ln \\xff");
}

static void it_is_cut_at_whole_characters(void **state)
{
    (void)state;
    expect("abcdef", 4, "abc");
    expect("ab\ncd", 6, "ab");
    expect("ab\ncd", 7, "ab\\x0a");
    char many[300];
    memset(many, 0xe4, sizeof many - 1);
    many[sizeof many - 1] = '\0';
    char out[101];
    printable_cut(many, out, sizeof out);
    assert_int_equal(strlen(out), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_printable_stays),
        cmocka_unit_test(what_is_not_is_escaped),
        cmocka_unit_test(it_is_cut_at_whole_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
