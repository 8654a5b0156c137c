/* Addresses of the web: taken apart, or refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/url.h"

static void good_ones_are_taken_apart(void **state)
{
    static const struct {
        const char *text, *host, *port;
        bool numeric;
    } good[] = {
        {"http://iam", "iam", "80", false},
        {"https://iam.example.org/realms/x?a=b", "iam.example.org", "443", false},
        {"HTTPS://Iam:8443/", "Iam", "8443", false},
        {"http://127.0.0.1:80/c", "127.0.0.1", "80", true},
        {"http://127.0.0.1:080/c", "127.0.0.1", "80", true},
        {"https://127.0.0.1:80/c", "127.0.0.1", "80", true},
        {"https://[::1]/c", "::1", "443", true},
        {"https://[fd00::7]:8443", "fd00::7", "8443", true},
        {"http://h:/c", "h", "80", false},
        {"http://h?x=y", "h", "80", false},
        {"http://a_b-c.d/e:f/g@h", "a_b-c.d", "80", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct url u;
        print_message("# %s\n", good[i].text);
        assert_true(url_parse(good[i].text, &u));
        assert_string_equal(u.host, good[i].host);
        assert_string_equal(u.port, good[i].port);
        assert_int_equal(u.numeric, good[i].numeric);
    }
}

static void others_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "h",
                                      "//h",
                                      "ftp://h",
                                      "http:/h",
                                      "http://",
                                      "http:///c",
                                      "http://:80/",
                                      "http://u@h/",
                                      "http://u:p@h/",
                                      "http://h:0/",
                                      "http://h:65536/",
                                      "http://h:-1/",
                                      "http://h:80x/",
                                      "http://h:123456/",
                                      "http://::1/",
                                      "http://[::1",
                                      "http://[::1]x/",
                                      "http://[::1]x:80/",
                                      "http://[127.0.0.1]/",
                                      "http://[]/",
                                      "http://h/a b",
                                      "http://h/\\a",
                                      "http://h/#a",
                                      "http://h#a",
                                      "http://h/\r\nX: y",
                                      "http://h/\xc3\xa4",
                                      "http://\xc3\xa4/",
                                      "http://h\\x/",
                                      "http://h /"};
    char longest[URL_HOST + 16] = "http://";
    struct url u;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (url_parse(bad[i], &u))
            fail_msg("accepted: %s", bad[i]);
    memset(longest + 7, 'h', URL_HOST - 1);
    assert_true(url_parse(longest, &u));
    longest[7 + URL_HOST - 1] = 'h';
    assert_false(url_parse(longest, &u));
}

static void a_query_is_not_shown(void **state)
{
    (void)state;
    assert_int_equal(url_length_to_tell("http://h/a?token=b"), 10);
    assert_int_equal(url_length_to_tell("http://h/a"), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones_are_taken_apart),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(a_query_is_not_shown),
    };
    return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
