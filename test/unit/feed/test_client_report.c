/* What becomes of a report: gauges, counts, and lines of the log, no more than there may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture.h"
#include "feed/client_report.h"

static struct config config;
static struct metrics metrics;
static struct gauges *gauges;
static struct client_reports *reports;
static uint64_t now;
static const char *report;

static bool here(void *ctx, const char *sid)
{
    assert_null(ctx);
    return strcmp(sid, "gone") != 0;
}

/* Who is not read from, and how long. */
static char paused[64];

static void pause_principal(void *ctx, int64_t principal, uint64_t ms, uint64_t at)
{
    assert_null(ctx);
    assert_true(at == now);
    snprintf(paused, sizeof paused, "%lld %llu", (long long)principal, (unsigned long long)ms);
}

static int begin(int max_gauges, int client_log_rate)
{
    config.max_gauges = max_gauges;
    config.client_log_rate = client_log_rate;
    metrics = (struct metrics){.value = {0}};
    gauges = gauges_new((size_t)max_gauges);
    reports = client_reports_new(
        &(struct client_report_setup){&config, &metrics, gauges, here, pause_principal, NULL});
    now = 1000;
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return begin(2, 10);
}

static int teardown(void **state)
{
    (void)state;
    client_reports_free(reports);
    gauges_free(gauges);
    return 0;
}

static void take_report(void)
{
    client_reports_take(reports, report, now);
}

static void take(const char *text)
{
    report = text;
    capture(take_report);
}

static void sum_up(void)
{
    client_reports_sum_up(reports, now);
}

/* One line was written, which says this. */
static void wrote(const char *level, const char *line)
{
    char expected[1024];
    snprintf(expected, sizeof expected, "Z %s %s\n", level, line);
    size_t len = strlen(written), end = strlen(expected);
    if (len < end || strcmp(written + len - end, expected) != 0 ||
        strchr(written, '\n') != written + len - 1)
        fail_msg("expected %sfound %s", expected, written);
}

static unsigned lines(void)
{
    unsigned n = 0;
    for (const char *at = written; (at = strchr(at, '\n')); at++)
        n++;
    return n;
}

static void gauges_are_kept_as_long_as_their_socket_is_there(void **state)
{
    (void)state;
    take("{\"gauges\":[{\"sid\":\"s\",\"gauges\":[{\"name\":\"a\",\"value\":1}]},"
         "{\"sid\":\"gone\",\"gauges\":[{\"name\":\"b\",\"value\":1}]}]}");
    assert_string_equal(written, "");
    assert_int_equal(gauges_count(gauges), 1);
    assert_true(metrics.value[METRIC_DB_ERRORS] == 0);
}

static void refusals_are_counted_and_said_without_payload(void **state)
{
    (void)state;
    take("{\"refused\":[{\"principal\":7,\"event\":\"some\\nthing n=4\",\"reason\":\"a_word\","
         "\"n\":3}]}");
    wrote("WARN ", "events of a client had no effect principal=7 reason=a_word n=3 "
                   "event=some\\nthing n=4");
    assert_string_equal(metrics.reasons[0].word, "a_word");
    assert_true(metrics.reasons[0].n == 3);
    take("{\"refused\":[{\"principal\":7,\"event\":\"e\",\"reason\":\"No word\",\"n\":2}]}");
    wrote("WARN ", "events of a client had no effect principal=7 reason=other n=2 event=e");
    assert_true(metrics.value[METRIC_REFUSED_EVENTS] == 2);
}

static void what_clients_say_is_one_line_of_200_characters(void **state)
{
    char text[1024], line[800];
    size_t n = 0;
    (void)state;
    take("{\"said\":[{\"principal\":7,\"event\":\"error\",\"text\":\"oh\\nno \\u001b[31m\"}]}");
    wrote("WARN ", "a client says principal=7 event=error text=oh\\nno \\x1b[31m");
    for (unsigned i = 0; i < 300; i++)
        n += (size_t)snprintf(line + n, sizeof line - n, "\u00fc");
    snprintf(text, sizeof text, "{\"said\":[{\"principal\":7,\"event\":\"x\",\"text\":\"%s\"}]}",
             line);
    take(text);
    snprintf(text, sizeof text, "a client says principal=7 event=x text=%.400s", line);
    wrote("INFO ", text);
}

static void what_is_malformed_is_counted_as_an_error_of_the_database(void **state)
{
    (void)state;
    take("{\"gauges\":[{\"sid\":\"s\",\"gauges\":[{\"name\":\"a\",\"value\":1},"
         "{\"name\":\"b\",\"value\":1e999},{\"name\":\"9\",\"value\":1}]}]}");
    assert_int_equal(gauges_count(gauges), 1);
    assert_true(metrics.value[METRIC_DB_ERRORS] == 1);
    assert_int_equal(lines(), 1);
    take("no report");
    assert_true(metrics.value[METRIC_DB_ERRORS] == 2);
}

static void max_gauges_is_counted_and_said_once_a_change(void **state)
{
    static const char
        three[] = "{\"gauges\":[{\"sid\":\"s\",\"gauges\":[{\"name\":\"a\",\"value\":1},"
                  "{\"name\":\"b\",\"value\":1},{\"name\":\"c\",\"value\":1}]}]}",
        one[] = "{\"gauges\":[{\"sid\":\"t\",\"gauges\":[{\"name\":\"a\",\"value\":1}]}]}";
    (void)state;
    take(three);
    wrote("WARN ",
          "clients have more gauges than max_gauges, which is 2: some are not shown; raise "
          "it, or have none shown with 0");
    assert_int_equal(gauges_count(gauges), 2);
    assert_true(metrics.value[METRIC_REFUSED_GAUGES] == 1);
    assert_true(metrics.value[METRIC_DB_ERRORS] == 0);
    take(three);
    assert_string_equal(written, "");
    assert_true(metrics.value[METRIC_REFUSED_GAUGES] == 2);
    take(one);
    assert_string_equal(written, "");
    gauges_end(gauges, "s");
    take(one);
    wrote("INFO ", "the gauges of clients fit into max_gauges again");
    take(one);
    assert_string_equal(written, "");
}

static void max_gauges_0_keeps_none_and_counts_none(void **state)
{
    (void)state;
    teardown(NULL);
    begin(0, 10);
    take("{\"gauges\":[{\"sid\":\"s\",\"gauges\":[{\"name\":\"a\",\"value\":1}]}]}");
    assert_string_equal(written, "");
    assert_int_equal(gauges_count(gauges), 0);
    assert_true(metrics.value[METRIC_REFUSED_GAUGES] == 0);
}

#define SAID "{\"principal\":7,\"event\":\"x\",\"text\":\"y\"}"
#define SAID_4 SAID "," SAID "," SAID "," SAID

static void lines_past_client_log_rate_are_left_out_and_their_number_is_said(void **state)
{
    (void)state;
    take("{\"said\":[" SAID_4 "," SAID_4 "," SAID_4 "],"
         "\"refused\":[{\"principal\":1,\"event\":\"e\",\"reason\":\"r\",\"n\":5}]}");
    assert_int_equal(lines(), 10);
    assert_true(metrics.reasons[0].n == 5);
    capture(sum_up);
    assert_string_equal(written, "");
    now += 1000;
    capture(sum_up);
    wrote("WARN ", "lines about what clients sent were left out (client_log_rate) n=3");
    capture(sum_up);
    assert_string_equal(written, "");
    take("{\"said\":[" SAID_4 "," SAID_4 "," SAID_4 "]}");
    assert_int_equal(lines(), 9);
}

static void client_log_rate_0_says_nothing(void **state)
{
    (void)state;
    teardown(NULL);
    begin(2, 0);
    take("{\"said\":[" SAID "],"
         "\"refused\":[{\"principal\":1,\"event\":\"e\",\"reason\":\"r\",\"n\":5}]}");
    assert_string_equal(written, "");
    assert_true(metrics.reasons[0].n == 5);
    now += 5000;
    capture(sum_up);
    assert_string_equal(written, "");
}

static void who_sends_too_much_is_not_read_from_and_that_is_told(void **state)
{
    static const char over[] = "{\"over\":[{\"principal\":7,\"reason\":\"a_rate\",\"ms\":1500}]}";
    (void)state;
    take(over);
    wrote("WARN ", "a principal sends too much and is not read from principal=7 reason=a_rate "
                   "ms=1500");
    assert_string_equal(paused, "7 1500");
    teardown(NULL);
    begin(2, 0); /* told or not */
    paused[0] = '\0';
    take(over);
    assert_string_equal(written, "");
    assert_string_equal(paused, "7 1500");
}

static void give_answer(void)
{
    client_reports_answer(reports, report, now);
}

static void answer(const char *text)
{
    report = text;
    capture(give_answer);
}

static void a_large_log_is_told_when_that_changes(void **state)
{
    static const char large[] = "{\"log\":[{\"bytes\":80,\"most\":100}]}";
    static const char full[] = "{\"log\":[{\"bytes\":120,\"most\":100}]}";
    (void)state;
    assert_null(client_reports_note(reports));
    answer(large);
    wrote("WARN ", "event log: 80 of 100 bytes (max_log_bytes); raise it, or shorten retention");
    assert_string_equal(client_reports_note(reports), "event log: 80 of 100 bytes (max_log_bytes)");
    assert_true(metrics.value[METRIC_LOG_FILL] == 0.8);
    answer(large);
    assert_string_equal(written, "");
    answer(full);
    wrote("WARN ", "event log: 120 of 100 bytes (max_log_bytes); what clients send waits; raise "
                   "it, or shorten retention");
    assert_true(metrics.value[METRIC_LOG_FILL] == 1.2);
    answer(large);
    wrote("INFO ", "event log: below max_log_bytes again");
    take("{\"said\":[]}"); /* of something else */
    assert_string_equal(written, "");
    assert_non_null(client_reports_note(reports));
    answer("{}");
    wrote("INFO ", "event log: below three quarters of max_log_bytes again");
    assert_null(client_reports_note(reports));
    assert_true(metrics.value[METRIC_LOG_FILL] == 0);
    answer(full);
    answer(NULL);
    assert_null(client_reports_note(reports));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(gauges_are_kept_as_long_as_their_socket_is_there),
        TEST(refusals_are_counted_and_said_without_payload),
        TEST(what_clients_say_is_one_line_of_200_characters),
        TEST(what_is_malformed_is_counted_as_an_error_of_the_database),
        TEST(max_gauges_is_counted_and_said_once_a_change),
        TEST(max_gauges_0_keeps_none_and_counts_none),
        TEST(lines_past_client_log_rate_are_left_out_and_their_number_is_said),
        TEST(client_log_rate_0_says_nothing),
        TEST(who_sends_too_much_is_not_read_from_and_that_is_told),
        TEST(a_large_log_is_told_when_that_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
