/* Offsets: made, read back, and nobody else's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/offset.h"

static struct offset_log theirs, mine;

static int setup(void **state)
{
    (void)state;
    offset_open(&mine, "secret", "epoch");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    offset_close(&mine);
    offset_close(&theirs);
    return 0;
}

static void what_is_made_is_read(void **state)
{
    struct offset o;
    (void)state;
    const char *text = offset_make(&mine, "10:10:", "10:20:11,15", 9007199254740993);
    assert_true(offset_read(&mine, text, &o));
    assert_string_equal(o.prev, "10:10:");
    assert_string_equal(o.cur, "10:20:11,15");
    assert_true(o.id == 9007199254740993);
}

static void another_secret_or_epoch_makes_another_offset(void **state)
{
    struct offset o;
    (void)state;
    offset_open(&theirs, "another", "epoch");
    assert_false(offset_read(&mine, offset_make(&theirs, "1:1:", "2:2:", 3), &o));
    offset_open(&theirs, "secret", "another");
    assert_false(offset_read(&mine, offset_make(&theirs, "1:1:", "2:2:", 3), &o));
    offset_open(&theirs, "secret", "epoch");
    assert_true(offset_read(&mine, offset_make(&theirs, "1:1:", "2:2:", 3), &o));
}

/* Each character counts, and there is no end but the end. */
static void nothing_of_it_can_be_changed(void **state)
{
    struct offset o;
    char text[OFFSET_MAX + 1];
    (void)state;
    snprintf(text, sizeof text, "%s", offset_make(&mine, "10:10:", "10:20:11", 7));
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        char was = text[i];
        text[i] = was == '1' ? '2' : '1';
        assert_false(offset_read(&mine, text, &o));
        text[i] = '\0';
        assert_false(offset_read(&mine, text, &o));
        text[i] = was;
    }
    assert_true(offset_read(&mine, text, &o));
    strcat(text, "0");
    assert_false(offset_read(&mine, text, &o));
}

static void what_is_none(void **state)
{
    static const char *const none[] = {"", "-", "/", "///", "a/b/c/d", "1:1:/2:2:/3/"};
    struct offset o;
    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_false(offset_read(&mine, none[i], &o));
    offset_close(&mine);
    assert_string_equal(offset_make(&mine, "1:1:", "2:2:", 3), "-");
    assert_false(offset_read(&mine, "1:1:/2:2:/3/00000000000000000000000000000000", &o));
}

static void what_cannot_be_made_is_none(void **state)
{
    char open[2 * OFFSET_MAX] = "1:9:";
    struct offset o;
    (void)state;
    assert_string_equal(offset_make(&mine, NULL, "1:1:", 1), "-");
    assert_string_equal(offset_make(&mine, "1:1:", NULL, 1), "-");
    while (strlen(open) < OFFSET_MAX - 45)
        strcat(open, "7,");
    const char *text = offset_make(&mine, "1:1:", open, 1);
    assert_true(strlen(text) > OFFSET_MAX - 10 && offset_read(&mine, text, &o));
    for (int i = 0; i < 10; i++)
        strcat(open, "7,");
    assert_string_equal(offset_make(&mine, "1:1:", open, 1), "-");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_made_is_read),         TEST(another_secret_or_epoch_makes_another_offset),
        TEST(nothing_of_it_can_be_changed), TEST(what_is_none),
        TEST(what_cannot_be_made_is_none),
    };
    return cmocka_run_group_tests_name("offset", tests, NULL, NULL);
}
