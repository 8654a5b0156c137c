/* test_utf8: what is UTF-8, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"

static bool valid(const char *text)
{
    return utf8_valid(text, strlen(text));
}

static void texts_are_valid(void **state)
{
    (void)state;
    static const char *const good[] = {
        "",
        "plain",
        "gr\xc3\xbc\xc3\x9f"
        "e",
        "\xe2\x82\xac",
        "\xf0\x9f\x98\x80",
        "\xc2\x80",         /* the first of two bytes */
        "\xdf\xbf",         /* the last */
        "\xe0\xa0\x80",     /* the first of three */
        "\xed\x9f\xbf",     /* before the surrogates */
        "\xee\x80\x80",     /* after them */
        "\xef\xbf\xbf",     /* the last of three */
        "\xf0\x90\x80\x80", /* the first of four */
        "\xf4\x8f\xbf\xbf", /* the last of all */
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(valid(good[i]));
    assert_true(utf8_valid("a\0b", 3));
    assert_true(utf8_valid(NULL, 0));
}

static void other_bytes_are_not(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80", /* goes on with nothing */
        "\xbf",
        "\xc0\x80", /* overlong */
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80", /* surrogates */
        "\xed\xbf\xbf",
        "\xf4\x90\x80\x80", /* beyond U+10FFFF */
        "\xf5\x80\x80\x80",
        "\xff",
        "\xc3", /* cut off */
        "\xe2\x82",
        "\xf0\x9f\x98",
        "\xc3(", /* goes on with something else */
        "\xe2\x28\xa1",
        "\xe2\x82(",
        "\xf0\x9f\x98(",
        "\xf0\x9f(\x80",
        "a\xc3\xbc\xff",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(valid(bad[i]));
}

/* Of three bytes: all of the first plane but those of one or two bytes, and the surrogates. */
static void as_many_are_valid_as_there_are(void **state)
{
    (void)state;
    unsigned count = 0;
    for (unsigned n = 0xe00000; n < 0xf00000; n++) {
        char text[3] = {(char)(n >> 16), (char)(n >> 8), (char)n};
        count += utf8_valid(text, 3);
    }
    assert_int_equal(count, 0x10000 - 0x800 - 0x800);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_valid),
        cmocka_unit_test(other_bytes_are_not),
        cmocka_unit_test(as_many_are_valid_as_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
