/* test_base64: both alphabets there and back, and which spellings are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"

static bool decodes(enum base64 alphabet, const char *text, const char *expected)
{
    uint8_t out[16];
    size_t len = 0;
    if (!base64_decode(alphabet, text, strlen(text), out, &len))
        return false;
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(out, expected, len);
    return true;
}

static void base64url_has_one_spelling(void **state)
{
    static const char *const bad[] = {"A",  "AAAAA", "AB",  "AAB", "Zg==",     "Zm8=",
                                      "+A", "/A",    "A A", "\n",  "Zm9v\xff", "Zm9vAAA\x80"};
    size_t len;
    (void)state;
    assert_true(decodes(BASE64URL, "", ""));
    assert_true(decodes(BASE64URL, "Zg", "f"));
    assert_true(decodes(BASE64URL, "Zm8", "fo"));
    assert_true(decodes(BASE64URL, "Zm9v", "foo"));
    assert_true(decodes(BASE64URL, "-_-_", "\xfb\xff\xbf"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(decodes(BASE64URL, bad[i], ""));
    assert_false(base64_decode(BASE64URL, "AA\0A", 4, (uint8_t[8]){0}, &len));
}

static void the_standard_alphabet_ignores_what_is_left_over(void **state)
{
    (void)state;
    assert_true(decodes(BASE64, "Zh", "f"));
    assert_true(decodes(BASE64, "Zm9", "fo"));
    assert_true(decodes(BASE64, "Zm9vA", "foo"));
    assert_true(decodes(BASE64, "+/+/", "\xfb\xff\xbf"));
    assert_false(decodes(BASE64, "-_-_", ""));
    assert_false(decodes(BASE64, "Zg==", ""));
}

static void all_bytes_come_back(void **state)
{
    uint8_t bytes[256], back[BASE64_BYTES(BASE64_LEN(sizeof bytes))];
    char text[BASE64_LEN(sizeof bytes)];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 167 + i / 3);
    for (int alphabet = BASE64; alphabet <= BASE64URL; alphabet++)
        for (size_t len = 0; len <= sizeof bytes; len++) {
            size_t n = base64_encode(alphabet, bytes, len, text), digits = n, again = 0;
            assert_int_equal(n, alphabet == BASE64 ? (len + 2) / 3 * 4 : (4 * len + 2) / 3);
            while (digits > 0 && text[digits - 1] == '=')
                digits--;
            assert_true(base64_decode(alphabet, text, digits, back, &again));
            assert_int_equal(again, len);
            assert_memory_equal(back, bytes, len);
        }
    assert_int_equal(base64_encode(BASE64, "\xfb\xff\xbf?", 4, text), 8);
    assert_memory_equal(text, "+/+/Pw==", 8);
    assert_int_equal(base64_encode(BASE64URL, "\xfb\xff\xbf?", 4, text), 6);
    assert_memory_equal(text, "-_-_Pw", 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64url_has_one_spelling),
        cmocka_unit_test(the_standard_alphabet_ignores_what_is_left_over),
        cmocka_unit_test(all_bytes_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
