/* Query strings, from vectors: what is read of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engineio/query.h"
#include "vectors.h"

static const char *shown(const char *value)
{
    return value[0] ? value : "-";
}

static void check(const struct vector *v)
{
    char found[128];
    assert_int_equal(v->n, 2);
    assert_int_equal(strlen(v->field[0].text), v->field[0].len);
    struct parameters p = query_parse(v->field[0].text);
    snprintf(found, sizeof found, "%s %s %s", shown(p.eio), shown(p.transport), shown(p.sid));
    if (strcmp(found, v->field[1].text) != 0)
        fail_msg("%s: found %s", v->line, found);
}

static void parameters_are_read(void **state)
{
    (void)state;
    vectors_each("engineio/query/parameters.txt", 50, check);
}

static void no_query_has_no_parameters(void **state)
{
    (void)state;
    struct parameters p = query_parse(NULL);
    assert_string_equal(p.eio, "");
    assert_string_equal(p.transport, "");
    assert_string_equal(p.sid, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_read),
        cmocka_unit_test(no_query_has_no_parameters),
    };
    return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}
