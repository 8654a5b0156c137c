/* Log lines, as text and as JSON: one line each whatever is in them. */
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "capture.h"

static const char *after_time(void)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ ";
    for (size_t i = 0; shape[i] != '\0'; i++) {
        bool digit = written[i] >= '0' && written[i] <= '9';
        if (shape[i] == 'd' ? !digit : written[i] != shape[i])
            fail_msg("expected %s, found %s", shape, written);
    }
    return written + strlen(shape);
}

static void say_listening(void)
{
    log_info("listening address=%s port=%d", "127.0.0.1", 7602);
}

static void say_bad_characters(void)
{
    log_error("a\nb\rc\td\033[31m\x7f\\ \xc3\xa9 \xc3( \xff \xc2\x9b");
}

static void say_each_level(void)
{
    log_error("e");
    log_warning("w");
    log_info("i");
    log_debug("d");
}

static void say_much(void)
{
    char much[9000];
    memset(much, '\001', sizeof much);
    much[sizeof much - 1] = '\0';
    log_info("%s", much);
}

static void log_in_vain(void)
{
    close(STDERR_FILENO);
    errno = ENOENT;
    log_info("x");
    assert_int_equal(errno, ENOENT);
}

static void a_line_is_time_level_and_message(void **state)
{
    (void)state;
    log_setup(LOG_INFO, false);
    capture(say_listening);
    assert_string_equal(after_time(), "INFO  listening address=127.0.0.1 port=7602\n");
}

static void what_a_terminal_would_obey_is_escaped(void **state)
{
    (void)state;
    log_setup(LOG_INFO, false);
    capture(say_bad_characters);
    assert_string_equal(after_time(), "ERROR a\\nb\\rc\\td\\x1b[31m\\x7f\\ \xc3\xa9 \\xc3( \\xff "
                                      "\\xc2\\x9b\n");
}

static void only_the_level_and_above_are_written(void **state)
{
    (void)state;
    static const size_t lines[] = {1, 2, 3, 4};
    for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
        size_t n = 0;
        log_setup((enum log_level)level, false);
        capture(say_each_level);
        for (const char *c = written; *c != '\0'; c++)
            n += *c == '\n';
        assert_int_equal(n, lines[level]);
    }
}

static void json_is_an_object_a_line(void **state)
{
    (void)state;
    log_setup(LOG_INFO, true);
    capture(say_bad_characters);
    assert_ptr_equal(strchr(written, '\n'), written + strlen(written) - 1);
    json_t *line = json_loads(written, 0, NULL);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "level")), "error");
    assert_non_null(json_object_get(line, "time"));
    assert_non_null(strstr(json_string_value(json_object_get(line, "message")), "a\\nb"));
    json_decref(line);
}

static void a_long_message_is_still_one_line(void **state)
{
    (void)state;
    for (int json = 0; json <= 1; json++) {
        log_setup(LOG_INFO, json);
        capture(say_much);
        assert_true(strlen(written) > 1000);
        assert_ptr_equal(strchr(written, '\n'), written + strlen(written) - 1);
    }
}

static void errno_is_kept_even_if_nothing_can_be_written(void **state)
{
    (void)state;
    log_setup(LOG_INFO, true);
    capture(log_in_vain);
}

/* --- a log that nobody reads --- */

enum { LINES = 4000, DEADLINE_SECONDS = 20 };

/* A pipe as standard error. Returns the end that reads. */
static int unread(int *saved)
{
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    *saved = dup(STDERR_FILENO);
    dup2(pipe_ends[1], STDERR_FILENO);
    close(pipe_ends[1]);
    log_never_wait();
    return pipe_ends[0];
}

/* The lines that have come, and the lines that the log calls lost. */
static void read_lines(int fd, unsigned long *come, unsigned long *missed)
{
    FILE *file = fdopen(fd, "r");
    char line[16384];
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        const char *n = strstr(line, "nobody read the log n=");
        assert_non_null(strchr(line, '\n')); /* whole */
        assert_int_equal(strncmp(line, "20", 2), 0);
        *missed += n ? strtoul(strchr(n, '=') + 1, NULL, 10) : 0;
        *come += n == NULL;
    }
    fclose(file);
}

static void lines_that_nobody_reads_are_lost_and_counted(void **state)
{
    unsigned long come = 0, missed = 0, before = log_lost();
    char half[65536], long_one[2000];
    capture(log_catch_up); /* of other tests */
    int saved, fd = unread(&saved);
    (void)state;
    log_setup(LOG_INFO, false);
    alarm(DEADLINE_SECONDS);                   /* it would wait for ever */
    memset(long_one, '\001', sizeof long_one); /* of 8 kB: a pipe takes it in part */
    for (int i = 0; i < LINES; i++)
        log_info("%.*s", i % (int)sizeof long_one, long_one);
    assert_true(log_lost() > before);
    ssize_t n = read(fd, half, sizeof half / 2);
    assert_true(n > 0);
    log_catch_up();
    log_info("the last one");
    dup2(saved, STDERR_FILENO);
    close(saved);
    for (ssize_t i = 0; i < n; i++)
        come += half[i] == '\n';
    come += half[n - 1] != '\n';
    while (n > 0 && half[n - 1] != '\n') /* the line that was cut by this reader */
        n = read(fd, half, 1);
    read_lines(fd, &come, &missed);
    alarm(0);
    assert_int_equal(missed, log_lost() - before);
    assert_int_equal(come + missed, LINES + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_time_level_and_message),
        cmocka_unit_test(what_a_terminal_would_obey_is_escaped),
        cmocka_unit_test(only_the_level_and_above_are_written),
        cmocka_unit_test(json_is_an_object_a_line),
        cmocka_unit_test(a_long_message_is_still_one_line),
        cmocka_unit_test(errno_is_kept_even_if_nothing_can_be_written),
        cmocka_unit_test(lines_that_nobody_reads_are_lost_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
