/* JSON of clients, from vectors: good is kept as written there, bad is refused for the reason
 * there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json_read.h"
#include "vectors.h"

enum { DEPTH = 8 };

/* From an allocation of exactly the length, so that AddressSanitizer sees what is read beyond. */
static json_t *read_exactly(const char *text, size_t len, const char **wrong)
{
    char *exact = malloc(len ? len : 1);
    memcpy(exact, text, len);
    json_t *value = json_read(exact, len, DEPTH, wrong);
    free(exact);
    return value;
}

static void check_good(const struct vector *v)
{
    const char *wrong = NULL;
    assert_int_equal(v->n, 2);
    const char *expected = v->field[strcmp(v->field[1].text, ".") == 0 ? 0 : 1].text;
    json_t *value = read_exactly(v->field[0].text, v->field[0].len, &wrong);
    if (!value)
        fail_msg("%s: found %s", v->line, wrong);
    char *found = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (strcmp(found, expected) != 0)
        fail_msg("%s: found %s", v->line, found);
    free(found);
    json_decref(value);
}

static void check_bad(const struct vector *v)
{
    const char *wrong = NULL;
    assert_int_equal(v->n, 2);
    if (read_exactly(v->field[0].text, v->field[0].len, &wrong))
        fail_msg("%s: accepted", v->line);
    if (strcmp(wrong, v->field[1].text) != 0)
        fail_msg("%s: found %s", v->line, wrong);
}

static void good_json_is_kept(void **state)
{
    (void)state;
    vectors_each("base/json/good.txt", 40, check_good);
}

static void bad_json_is_refused(void **state)
{
    (void)state;
    vectors_each("base/json/bad.txt", 60, check_bad);
}

/* The rewritten text has room for numbers that grow, however many. */
static void many_numbers_grow(void **state)
{
    static const char number[] = "9999999999999999999,";
    enum { NUMBERS = 1000, EACH = sizeof number - 1 };
    char *text = malloc(NUMBERS * EACH + 2);
    const char *wrong;
    (void)state;
    text[0] = '[';
    for (size_t i = 0; i < NUMBERS; i++)
        memcpy(text + 1 + i * EACH, number, EACH);
    text[NUMBERS * EACH] = ']';
    json_t *value = read_exactly(text, NUMBERS * EACH + 1, &wrong);
    assert_int_equal(json_array_size(value), NUMBERS);
    for (size_t i = 0; i < NUMBERS; i++)
        assert_true(json_real_value(json_array_get(value, i)) == 1e19);
    json_decref(value);
    free(text);
}

/* A long run of digits that is no number is looked at once, not once from each of its digits: a
 * client would stop the whole process with one message. */
static void long_bad_numbers_take_no_time(void **state)
{
    static const char digit[] = {'0', '1', '1'}, *const end[] = {"]", ".]", "e]"};
    enum { DIGITS = 300000, SECONDS = 10 };
    char *text = malloc(DIGITS + 4);
    const char *wrong;
    (void)state;
    alarm(SECONDS);
    for (size_t i = 0; i < sizeof digit; i++) {
        text[0] = '[';
        memset(text + 1, digit[i], DIGITS);
        strcpy(text + 1 + DIGITS, end[i]);
        assert_null(read_exactly(text, strlen(text), &wrong));
        assert_string_equal(wrong, "payload is not JSON");
    }
    alarm(0);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_json_is_kept),
        cmocka_unit_test(bad_json_is_refused),
        cmocka_unit_test(many_numbers_grow),
        cmocka_unit_test(long_bad_numbers_take_no_time),
    };
    return cmocka_run_group_tests_name("json_read", tests, NULL, NULL);
}
