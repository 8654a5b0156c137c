/* The exposition is OpenMetrics 1.0.0. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/metrics.h"

static bool has_line(const char *text, const char *line)
{
    size_t len = strlen(line);
    for (const char *at = text; (at = strstr(at, line)) != NULL; at++)
        if ((at == text || at[-1] == '\n') && at[len] == '\n')
            return true;
    return false;
}

static char *text_of(const struct metrics *m, size_t *len)
{
    struct gauges *none = gauges_new(0);
    char *text = metrics_text(m, none, len);
    gauges_free(none);
    return text;
}

static void counters_end_in_total_and_gauges_do_not(void **state)
{
    (void)state;
    struct metrics m = {.value = {0}};
    size_t len;
    metrics_add(&m, METRIC_EVENTS, 2);
    metrics_add(&m, METRIC_EVENTS, 3);
    metrics_set(&m, METRIC_SESSIONS, 7);
    metrics_set(&m, METRIC_QUEUED_BYTES, 0.5);
    metrics_set(&m, METRIC_BYTES_SENT, 123456789012345);
    char *text = text_of(&m, &len);
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

static void a_family_has_one_head_and_a_sample_for_each_value_of_its_label(void **state)
{
    (void)state;
    struct metrics m = {.value = {0}};
    size_t len;
    metrics_add(&m, METRIC_PAUSED_EVENTS, 4);
    char *text = text_of(&m, &len);
    assert_non_null(strstr(text, "# TYPE vantage6_pushd_paused_clients counter\n"
                                 "# HELP vantage6_pushd_paused_clients Times that a client was not "
                                 "read from for a while\n"
                                 "vantage6_pushd_paused_clients_total{reason=\"inbox_bytes\"} 0\n"
                                 "vantage6_pushd_paused_clients_total{reason=\"event_rate\"} 4\n"
                                 "vantage6_pushd_paused_clients_total{reason=\"byte_rate\"} 0\n"
                                 "vantage6_pushd_paused_clients_total{reason=\"principal\"} 0\n"
                                 "# TYPE "));
    free(text);
}

static void the_kind_of_bell_is_a_word_of_the_database(void **state)
{
    (void)state;
    struct metrics m = {.value = {0}};
    size_t len;
    char *text = text_of(&m, &len);
    assert_null(strstr(text, "\nvantage6_pushd_bell"));
    free(text);
    metrics_bell(&m, "worker");
    text = text_of(&m, &len);
    assert_true(has_line(text, "vantage6_pushd_bell{kind=\"worker\"} 1"));
    free(text);
    metrics_bell(&m, "bad\"} 1\n");
    text = text_of(&m, &len);
    assert_true(has_line(text, "vantage6_pushd_bell{kind=\"other\"} 1"));
    assert_null(strstr(text, "worker"));
    free(text);
}

static void reasons_of_the_database_are_samples_of_one_family(void **state)
{
    (void)state;
    struct metrics m = {.value = {0}};
    size_t len;
    assert_string_equal(metrics_refused(&m, "no_such_thing", 2), "no_such_thing");
    assert_string_equal(metrics_refused(&m, "b", 1), "b");
    assert_string_equal(metrics_refused(&m, "no_such_thing", 3), "no_such_thing");
    assert_string_equal(metrics_refused(&m, "other", 1), "other");
    char *text = text_of(&m, &len);
    assert_non_null(strstr(text, "vantage6_pushd_refused_events_total{reason=\"other\"} 1\n"
                                 "vantage6_pushd_refused_events_total{reason=\"no_such_thing\"} 5\n"
                                 "vantage6_pushd_refused_events_total{reason=\"b\"} 1\n"
                                 "# TYPE "));
    free(text);
}

static void what_is_no_reason_is_counted_as_other(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "A", "a b", "a1", "a\"", "\xc3\xbc", "a\n", "abcdefghijklmnopqrstuvwxyz_abcdef"};
    struct metrics m = {.value = {0}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_string_equal(metrics_refused(&m, bad[i], 1), "other");
    assert_true(m.value[METRIC_REFUSED_EVENTS] == sizeof bad / sizeof *bad);
    assert_string_equal(metrics_refused(&m, "abcdefghijklmnopqrstuvwxyz_abcde", 1),
                        "abcdefghijklmnopqrstuvwxyz_abcde");
}

static void one_reason_too_many_is_counted_as_other(void **state)
{
    (void)state;
    struct metrics m = {.value = {0}};
    char word[3] = "";
    for (int i = 0; i < 40; i++) {
        word[0] = (char)('a' + i / 26);
        word[1] = (char)('a' + i % 26);
        assert_string_equal(metrics_refused(&m, word, 1), i < 32 ? word : "other");
    }
    assert_true(m.value[METRIC_REFUSED_EVENTS] == 8);
    assert_string_equal(metrics_refused(&m, "aa", 1), "aa");
}

static void gauges_of_clients_come_last(void **state)
{
    (void)state;
    struct metrics m = {.value = {0}};
    struct gauges *g = gauges_new(1);
    size_t len;
    json_t *list = json_pack("[{ss sf}]", "name", "a", "value", 1.5);
    gauges_set(g, "s", list);
    json_decref(list);
    static const char end[] = "\nvantage6_pushd_ready 0\n# TYPE a gauge\na 1.5\n# EOF\n";
    char *text = metrics_text(&m, g, &len);
    assert_string_equal(text + len - strlen(end), end);
    free(text);
    gauges_free(g);
}

/* A second head of the same name: its rows do not follow each other, or none has a help. */
static void the_table_is_well_formed(void **state)
{
    (void)state;
    struct metrics m = {.value = {0}};
    metrics_bell(&m, "worker");
    size_t len, samples = 0, types = 0, helps = 0;
    char *text = text_of(&m, &len), *rest = text;
    assert_string_equal(text + len - strlen("\n# EOF\n"), "\n# EOF\n");
    assert_null(strstr(text, "_total_total"));
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        char head[128], *end = NULL;
        samples += *line != '#' && *line != '\0';
        helps += strncmp(line, "# HELP ", 7) == 0;
        if (strncmp(line, "# HELP ", 7) == 0 && (end = strchr(line + 7, ' ')) != NULL)
            assert_true(strlen(end) > 5);
        if (strncmp(line, "# TYPE ", 7) != 0)
            continue;
        types++;
        snprintf(head, sizeof head, "\n%.*s", (int)(strchr(line + 7, ' ') + 1 - line), line);
        if (rest && strstr(rest, head))
            fail_msg("twice: %s", head + 1);
    }
    assert_int_equal(samples, METRIC_COUNT);
    assert_int_equal(types, helps);
    assert_true(types > 20 && types < METRIC_COUNT);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_end_in_total_and_gauges_do_not),
        cmocka_unit_test(a_family_has_one_head_and_a_sample_for_each_value_of_its_label),
        cmocka_unit_test(the_kind_of_bell_is_a_word_of_the_database),
        cmocka_unit_test(reasons_of_the_database_are_samples_of_one_family),
        cmocka_unit_test(what_is_no_reason_is_counted_as_other),
        cmocka_unit_test(one_reason_too_many_is_counted_as_other),
        cmocka_unit_test(gauges_of_clients_come_last),
        cmocka_unit_test(the_table_is_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
