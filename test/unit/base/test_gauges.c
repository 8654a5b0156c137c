/* Gauges of clients: what is one, who owns it, how they are shown, how many there may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/gauges.h"

static struct gauges *gauges;

static int setup(void **state)
{
    (void)state;
    gauges = gauges_new(5);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gauges_free(gauges);
    return 0;
}

/* All of these are gauges, and so many are past the most. */
static void set_beyond(const char *sid, const char *list, size_t beyond)
{
    json_t *json = json_loads(list, 0, NULL);
    assert_non_null(json);
    struct gauges_refused refused = gauges_set(gauges, sid, json);
    assert_int_equal(refused.malformed, 0);
    assert_int_equal(refused.beyond, beyond);
    json_decref(json);
}

static void set(const char *sid, const char *list)
{
    set_beyond(sid, list, 0);
}

static void shown(const char *expected)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    gauges_write(gauges, out);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

static void a_family_has_one_head_and_families_are_in_order(void **state)
{
    (void)state;
    set("s", "[{\"name\":\"a\",\"labels\":{\"l\":\"2\"},\"value\":2},"
             "{\"name\":\"ab\",\"value\":-0.5},{\"name\":\"a:b\",\"value\":1e300},"
             "{\"name\":\"a\",\"labels\":{\"l\":\"1\"},\"value\":123456789012345},"
             "{\"name\":\"a\",\"labels\":{},\"value\":0}]");
    shown("# TYPE a gauge\na 0\na{l=\"1\"} 123456789012345\na{l=\"2\"} 2\n"
          "# TYPE a:b gauge\na:b 1e+300\n# TYPE ab gauge\nab -0.5\n");
    assert_int_equal(gauges_count(gauges), 5);
    gauges_end(gauges, "s");
    shown("");
}

static void what_comes_later_is_in_order_too(void **state)
{
    (void)state;
    set("s", "[{\"name\":\"b\",\"value\":1}]");
    shown("# TYPE b gauge\nb 1\n");
    set("t", "[{\"name\":\"a\",\"value\":1}]");
    shown("# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\n");
}

static void the_order_of_labels_makes_no_other_series(void **state)
{
    (void)state;
    set("s", "[{\"name\":\"a\",\"labels\":{\"y\":\"2\",\"x\":\"1\"},\"value\":1}]");
    set("t", "[{\"name\":\"a\",\"labels\":{\"x\":\"1\",\"y\":\"2\"},\"value\":2}]");
    shown("# TYPE a gauge\na{x=\"1\",y=\"2\"} 2\n");
}

static void values_of_labels_are_escaped(void **state)
{
    (void)state;
    set("s", "[{\"name\":\"a\",\"labels\":{\"l\":\"\\\\ \\\" \\n\\n}\\u00fc\"},\"value\":1}]");
    shown("# TYPE a gauge\na{l=\"\\\\ \\\" \\n\\n}\u00fc\"} 1\n");
}

static void gauges_replace_the_earlier_ones_of_their_socket(void **state)
{
    (void)state;
    set("s", "[{\"name\":\"a\",\"value\":1},{\"name\":\"b\",\"value\":1}]");
    set("t", "[{\"name\":\"c\",\"value\":1}]");
    set("s", "[{\"name\":\"b\",\"value\":2}]");
    shown("# TYPE b gauge\nb 2\n# TYPE c gauge\nc 1\n");
    set("s", "[]");
    shown("# TYPE c gauge\nc 1\n");
    gauges_end(gauges, "nobody");
    gauges_end(gauges, "t");
    shown("");
}

static void a_series_belongs_to_the_socket_that_named_it_last(void **state)
{
    (void)state;
    set("old", "[{\"name\":\"a\",\"value\":1},{\"name\":\"b\",\"value\":1}]");
    set("new", "[{\"name\":\"a\",\"value\":2},{\"name\":\"a\",\"value\":3}]");
    shown("# TYPE a gauge\na 3\n# TYPE b gauge\nb 1\n");
    gauges_end(gauges, "old");
    shown("# TYPE a gauge\na 3\n");
    gauges_end(gauges, "new");
    shown("");
}

static void past_the_most_nothing_is_kept(void **state)
{
    (void)state;
    set("s",
        "[{\"name\":\"a\",\"value\":1},{\"name\":\"b\",\"value\":1},{\"name\":\"c\",\"value\":1}]");
    set_beyond(
        "t",
        "[{\"name\":\"a\",\"value\":2},{\"name\":\"d\",\"value\":2},{\"name\":\"e\",\"value\":2},"
        "{\"name\":\"f\",\"value\":2},{\"name\":\"e\",\"value\":3},{\"name\":\"g\",\"value\":2}]",
        2);
    assert_int_equal(gauges_count(gauges), 5);
    shown("# TYPE a gauge\na 2\n# TYPE b gauge\nb 1\n# TYPE c gauge\nc 1\n# TYPE d gauge\nd 2\n"
          "# TYPE e gauge\ne 3\n");
    set("s", "[{\"name\":\"x\",\"value\":1},{\"name\":\"y\",\"value\":1}]");
    assert_int_equal(gauges_count(gauges), 5);
}

static void most_0_keeps_and_refuses_nothing(void **state)
{
    (void)state;
    gauges_free(gauges);
    gauges = gauges_new(0);
    set("s", "[{\"name\":\"a\",\"value\":1}]");
    shown("");
}

/* Each is refused alone: the good one beside it is kept. */
static void refused(const char *gauge)
{
    char list[4096];
    snprintf(list, sizeof list, "[%s,{\"name\":\"good\",\"value\":1}]", gauge);
    json_t *json = json_loads(list, JSON_ALLOW_NUL, NULL);
    assert_non_null(json);
    if (gauges_set(gauges, "s", json).malformed != 1)
        fail_msg("taken: %s", gauge);
    json_decref(json);
    shown("# TYPE good gauge\ngood 1\n");
}

static void what_is_no_gauge_is_refused(void **state)
{
    static const char *const bad[] = {
        "1",
        "{}",
        "{\"value\":1}",
        "{\"name\":\"a\"}",
        "{\"name\":1,\"value\":1}",
        "{\"name\":\"\",\"value\":1}",
        "{\"name\":\"1a\",\"value\":1}",
        "{\"name\":\"a-b\",\"value\":1}",
        "{\"name\":\"a\\nb\",\"value\":1}",
        "{\"name\":\"a\\u0000\",\"value\":1}",
        "{\"name\":\"vantage6_pushd_ready\",\"value\":1}",
        "{\"name\":\"vantage6_pushd_\",\"value\":1}",
        "{\"name\":\"a\",\"value\":null}",
        "{\"name\":\"a\",\"value\":\"1\"}",
        "{\"name\":\"a\",\"value\":true}",
        "{\"name\":\"a\",\"value\":1,\"labels\":[]}",
        "{\"name\":\"a\",\"value\":1,\"labels\":{\"\":\"\"}}",
        "{\"name\":\"a\",\"value\":1,\"labels\":{\"a:b\":\"\"}}",
        "{\"name\":\"a\",\"value\":1,\"labels\":{\"9\":\"\"}}",
        "{\"name\":\"a\",\"value\":1,\"labels\":{\"__a\":\"\"}}",
        "{\"name\":\"a\",\"value\":1,\"labels\":{\"a\":1}}",
        "{\"name\":\"a\",\"value\":1,\"labels\":{\"a\":null}}",
        "{\"name\":\"a\",\"value\":1,\"labels\":{\"a\":\"x\\u0000\"}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(bad[i]);
    set("t", "[{\"name\":\":vantage6_pushd_\",\"labels\":{\"_a9\":\"\"},\"value\":1}]");
}

static void a_series_is_bounded(void **state)
{
    char value[2048], gauge[3072];
    (void)state;
    memset(value, '"', sizeof value);
    for (size_t i = 0; i < sizeof value; i += 2)
        value[i] = '\\';
    /* ab{l="..."} is 1024 bytes. */
    snprintf(gauge, sizeof gauge, "[{\"name\":\"ab\",\"labels\":{\"l\":\"%.*s\"},\"value\":1}]",
             1016, value);
    set("s", gauge);
    snprintf(gauge, sizeof gauge, "{\"name\":\"abc\",\"labels\":{\"l\":\"%.*s\"},\"value\":1}",
             1016, value);
    refused(gauge);
    size_t len = (size_t)snprintf(gauge, sizeof gauge, "{\"name\":\"a\",\"value\":1,\"labels\":{");
    for (int i = 0; i < 17; i++)
        len += (size_t)snprintf(gauge + len, sizeof gauge - len, "%s\"l%d\":\"\"", i ? "," : "", i);
    snprintf(gauge + len, sizeof gauge - len, "}}");
    refused(gauge);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_family_has_one_head_and_families_are_in_order),
        TEST(what_comes_later_is_in_order_too),
        TEST(the_order_of_labels_makes_no_other_series),
        TEST(values_of_labels_are_escaped),
        TEST(gauges_replace_the_earlier_ones_of_their_socket),
        TEST(a_series_belongs_to_the_socket_that_named_it_last),
        TEST(past_the_most_nothing_is_kept),
        TEST(most_0_keeps_and_refuses_nothing),
        TEST(what_is_no_gauge_is_refused),
        TEST(a_series_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
