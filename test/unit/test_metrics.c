/* The exposition is OpenMetrics 1.0.0. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metrics.h"

static bool has_line(const char *text, const char *line)
{
    size_t len = strlen(line);
    for (const char *at = text; (at = strstr(at, line)) != NULL; at++)
        if ((at == text || at[-1] == '\n') && at[len] == '\n')
            return true;
    return false;
}

static void counters_end_in_total_and_gauges_do_not(void **state)
{
    (void)state;
    struct metrics m = {{0}};
    size_t len;
    metrics_add(&m, METRIC_EVENTS, 2);
    metrics_add(&m, METRIC_EVENTS, 3);
    metrics_set(&m, METRIC_SESSIONS, 7);
    metrics_set(&m, METRIC_QUEUED_BYTES, 0.5);
    metrics_set(&m, METRIC_BYTES_SENT, 123456789012345);
    char *text = metrics_text(&m, &len);
    assert_int_equal(len, strlen(text));
    assert_true(has_line(text, "# TYPE vantage6_pushd_events counter"));
    assert_true(has_line(text, "# HELP vantage6_pushd_events Events read from the log"));
    assert_true(has_line(text, "vantage6_pushd_events_total 5"));
    assert_true(has_line(text, "# TYPE vantage6_pushd_sessions gauge"));
    assert_true(has_line(text, "vantage6_pushd_sessions 7"));
    assert_true(has_line(text, "vantage6_pushd_queued_bytes 0.5"));
    assert_true(has_line(text, "vantage6_pushd_sent_bytes_total 123456789012345"));
    assert_true(has_line(text, "vantage6_pushd_ready 0"));
    free(text);
}

static void it_ends_with_eof_and_has_three_lines_a_metric(void **state)
{
    (void)state;
    struct metrics m = {{0}};
    size_t len, lines = 0;
    char *text = metrics_text(&m, &len);
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    assert_int_equal(lines, 3 * METRIC_COUNT + 1);
    assert_string_equal(text + len - strlen("\n# EOF\n"), "\n# EOF\n");
    assert_null(strstr(text, "_total_total"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_end_in_total_and_gauges_do_not),
        cmocka_unit_test(it_ends_with_eof_and_has_three_lines_a_metric),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
