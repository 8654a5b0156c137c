/* Query strings, from vectors: what is read of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "query.h"

static const char *shown(const char *value)
{
    return value[0] ? value : "-";
}

static void parameters_are_read(void **state)
{
    char line[256], found[128];
    unsigned n = 0;
    FILE *f = fopen(VECTORS "/query/parameters.txt", "r");
    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        char *tab = strchr(line, '\t');
        if (line[0] == '#')
            continue;
        assert_non_null(tab);
        *tab = '\0';
        char *exact = strdup(line); /* for AddressSanitizer: nothing is read past the end */
        struct parameters p = query_parse(exact);
        free(exact);
        snprintf(found, sizeof found, "%s %s %s", shown(p.eio), shown(p.transport), shown(p.sid));
        if (strcmp(found, tab + 1) != 0)
            fail_msg("%s: expected %s, found %s", line, tab + 1, found);
        n++;
    }
    fclose(f);
    assert_true(n > 20);
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
