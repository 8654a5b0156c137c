/* A report: what it calls, and what of it is malformed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "feed/client_report.h"

/* What was called, one line each. */
static char noted[4096];

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
    size_t len = strlen(noted);
    va_list args;
    va_start(args, format);
    vsnprintf(noted + len, sizeof noted - len, format, args);
    va_end(args);
}

static bool on_gauges(void *ctx, const char *sid, const json_t *list)
{
    assert_ptr_equal(ctx, noted);
    note("gauges %s %zu\n", sid, json_array_size(list));
    return strcmp(sid, "bad") != 0;
}

static void on_refused(void *ctx, int64_t principal, const char *event, const char *reason,
                       int64_t n)
{
    assert_ptr_equal(ctx, noted);
    note("refused %lld %s %s %lld\n", (long long)principal, event, reason, (long long)n);
}

static void on_said(void *ctx, int64_t principal, const char *event, const char *text)
{
    assert_ptr_equal(ctx, noted);
    note("said %lld %s %s\n", (long long)principal, event, text);
}

static void on_over(void *ctx, int64_t principal, const char *reason, int64_t ms)
{
    assert_ptr_equal(ctx, noted);
    note("over %lld %s %lld\n", (long long)principal, reason, (long long)ms);
}

static void on_log(void *ctx, int64_t bytes, int64_t most)
{
    assert_ptr_equal(ctx, noted);
    note("log %lld %lld\n", (long long)bytes, (long long)most);
}

static bool read_report(const char *text)
{
    static const struct client_report_calls calls = {on_gauges, on_refused, on_said, on_over,
                                                     on_log};
    noted[0] = '\0';
    return client_report_read(text, &calls, noted);
}

static void each_part_is_given_to_its_function(void **state)
{
    (void)state;
    assert_true(read_report(
        "{\"said\":[{\"principal\":3,\"event\":\"error\",\"text\":\"oh no\"}],"
        "\"gauges\":[{\"sid\":\"s\",\"gauges\":[1,2]},{\"sid\":\"t\",\"gauges\":[]}],"
        "\"refused\":[{\"principal\":1,\"event\":\"e v\",\"reason\":\"r\",\"n\":3}],\"later\":1,"
        "\"over\":[{\"principal\":5,\"reason\":\"a_rate\",\"ms\":3600000}],"
        "\"log\":[{\"bytes\":8,\"most\":10}]}"));
    assert_string_equal(noted, "gauges s 2\ngauges t 0\nlog 8 10\nover 5 a_rate 3600000\n"
                               "refused 1 e v r 3\nsaid 3 error oh no\n");
}

static void a_report_may_be_empty(void **state)
{
    (void)state;
    assert_true(read_report("{}"));
    assert_true(read_report("{\"gauges\":[],\"refused\":[],\"said\":[]}"));
    assert_string_equal(noted, "");
}

static void what_is_malformed_is_left_out_alone(void **state)
{
    static const char *const bad[] = {
        "\"gauges\":[1,{\"sid\":\"s\",\"gauges\":[]}]",
        "\"gauges\":[{\"sid\":1,\"gauges\":[]},{\"sid\":\"s\",\"gauges\":[]}]",
        "\"gauges\":[{\"gauges\":[]},{\"sid\":\"s\",\"gauges\":[]}]",
        "\"gauges\":[{\"sid\":\"t\"},{\"sid\":\"s\",\"gauges\":[]}]",
        "\"gauges\":[{\"sid\":\"t\",\"gauges\":{}},{\"sid\":\"s\",\"gauges\":[]}]",
        "\"refused\":{},\"gauges\":[{\"sid\":\"s\",\"gauges\":[]}]",
        "\"refused\":[{\"principal\":null,\"event\":\"e\",\"reason\":\"r\",\"n\":1}],"
        "\"gauges\":[{\"sid\":\"s\",\"gauges\":[]}]",
        "\"refused\":[{\"principal\":1,\"event\":\"e\",\"reason\":\"r\",\"n\":0}],"
        "\"gauges\":[{\"sid\":\"s\",\"gauges\":[]}]",
        "\"refused\":[{\"principal\":1,\"event\":\"e\",\"n\":1}],"
        "\"gauges\":[{\"sid\":\"s\",\"gauges\":[]}]",
        "\"said\":[{\"principal\":1,\"event\":\"e\"}],\"gauges\":[{\"sid\":\"s\",\"gauges\":[]}]",
        "\"over\":[{\"principal\":5,\"reason\":\"r\",\"ms\":0}],"
        "\"gauges\":[{\"sid\":\"s\",\"gauges\":[]}]",
        "\"over\":[{\"principal\":5,\"reason\":\"r\",\"ms\":3600001}],"
        "\"gauges\":[{\"sid\":\"s\",\"gauges\":[]}]",
        "\"log\":[{\"bytes\":1,\"most\":0}],\"gauges\":[{\"sid\":\"s\",\"gauges\":[]}]",
        "\"log\":[{\"bytes\":-1,\"most\":1}],\"gauges\":[{\"sid\":\"s\",\"gauges\":[]}]",
        "\"said\":null,\"gauges\":[{\"sid\":\"s\",\"gauges\":[]}]",
    };
    char text[1024];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "{%s}", bad[i]);
        if (read_report(text))
            fail_msg("good: %s", bad[i]);
        assert_string_equal(noted, "gauges s 0\n");
    }
    assert_false(read_report("{\"gauges\":[{\"sid\":\"bad\",\"gauges\":[]},"
                             "{\"sid\":\"s\",\"gauges\":[]}],"
                             "\"said\":[{\"principal\":1,\"event\":\"e\",\"text\":\"t\"}]}"));
    assert_string_equal(noted, "gauges bad 0\ngauges s 0\nsaid 1 e t\n");
}

static void what_is_no_report_calls_nothing(void **state)
{
    static const char *const bad[] = {"", "{", "[]", "1", "null", "{\"a\":[[[[[[[[[]]]]]]]]]}"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(read_report(bad[i]));
        assert_string_equal(noted, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_part_is_given_to_its_function),
        cmocka_unit_test(a_report_may_be_empty),
        cmocka_unit_test(what_is_malformed_is_left_out_alone),
        cmocka_unit_test(what_is_no_report_calls_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
