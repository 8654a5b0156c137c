/* Socket.IO packets, from vectors: good ones are read as written there, bad ones are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sio.h"

static void each_line(const char *file, void (*check)(const char *line))
{
    char line[1024];
    int n = 0;
    FILE *f = fopen(file, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#')
            continue;
        check(line);
        n++;
    }
    fclose(f);
    assert_true(n > 10);
}

static void check_good(const char *line)
{
    char found[2048];
    struct sio_packet p;
    const char *tab = strchr(line, '\t');
    assert_non_null(tab);
    const char *wrong = sio_parse(line, (size_t)(tab - line), &p);
    if (wrong)
        fail_msg("%s: %s", line, wrong);
    char *data = p.data ? json_dumps(p.data, JSON_COMPACT) : strdup("-");
    snprintf(found, sizeof found, "%d %s %s %s", (int)p.type, p.nsp, p.ack[0] ? p.ack : "-", data);
    assert_string_equal(found, tab + 1);
    free(data);
    json_decref(p.data);
}

static void check_bad(const char *line)
{
    struct sio_packet p;
    if (!sio_parse(line, strlen(line), &p))
        fail_msg("accepted: %s", line);
    assert_null(p.data);
}

static void good_packets_are_read(void **state)
{
    (void)state;
    each_line(VECTORS "/sio/good.txt", check_good);
}

static void bad_packets_are_refused(void **state)
{
    (void)state;
    each_line(VECTORS "/sio/bad.txt", check_bad);
}

static void limits_hold(void **state)
{
    char text[512] = "0/";
    struct sio_packet p;
    (void)state;
    assert_non_null(sio_parse("", 0, &p));
    memset(text + 2, 'n', SIO_NSP_MAX - 1);
    assert_null(sio_parse(text, strlen(text), &p));
    text[2 + SIO_NSP_MAX - 1] = 'n';
    assert_non_null(sio_parse(text, strlen(text), &p));
    assert_non_null(sio_parse("0/a\0b,", 6, &p));

    memset(text, 0, sizeof text);
    text[0] = '2';
    strcat(text, "[\"x\",");
    memset(text + 6, '[', SIO_JSON_DEPTH - 1);
    memset(text + 6 + SIO_JSON_DEPTH - 1, ']', SIO_JSON_DEPTH);
    assert_null(sio_parse(text, strlen(text), &p));
    json_decref(p.data);
}

static void packets_that_go_out(void **state)
{
    struct {
        struct frame *frame;
        const char *text;
    } out[] = {
        {sio_connect("/tasks", "abc"), "40/tasks,{\"sid\":\"abc\"}"},
        {sio_connect("/", "abc"), "40{\"sid\":\"abc\"}"},
        {sio_connect_error("/x", "Invalid namespace"), "44/x,{\"message\":\"Invalid namespace\"}"},
        {sio_event("/tasks", "[\"sync\"]", 8), "42/tasks,[\"sync\"]"},
        {sio_ack("/tasks", "0"), "43/tasks,0[]"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof out / sizeof *out; i++) {
        size_t len;
        const char *text = frame_text(out[i].frame, &len);
        assert_int_equal(len, strlen(out[i].text));
        assert_memory_equal(text, out[i].text, len);
        frame_unref(out[i].frame);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_packets_are_read),
        cmocka_unit_test(bad_packets_are_refused),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(packets_that_go_out),
    };
    return cmocka_run_group_tests_name("sio", tests, NULL, NULL);
}
