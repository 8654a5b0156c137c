/* Passwords in connection strings, in whichever form they are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/conninfo_mask.h"

static void passwords_are_masked(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},
        {"host=a port=1", "host=a port=1"},
        {"host=a password=hunter2 port=1", "host=a password=*** port=1"},
        {"password = 'hunter2 \\' hunter2'dbname=x", "password=*** dbname=x"},
        {"password=hunter2\\ hunter2 user=u", "password=*** user=u"},
        {"PassWord=hunter2", "PassWord=***"},
        {"sslpassword=hunter2 user='a b'", "sslpassword=*** user='a b'"},
        {"oauth_client_secret=hunter2", "oauth_client_secret=***"},
        {"password=", "password=***"},
        {"password='hunter2", "***"},
        {"host=a hunter2", "***"},
        {"postgresql://u@h/db", "postgresql://u@h/db"},
        {"postgresql://h:5432/db", "postgresql://h:5432/db"},
        {"postgresql://u:hunter2@h:1/db", "postgresql://u:***@h:1/db"},
        {"postgres://u:hunter2@h", "postgres://u:***@h"},
        {"postgres://:hunter2@h", "postgres://:***@h"},
        {"postgresql://u:hun@ter2@h/db", "postgresql://u:***@h/db"},
        {"postgresql://u:hunter2/hunter2@h/db", "postgresql://u:***@h/db"},
        {"postgresql://u:hun?ter2@h/db", "***"},
        {"postgresql://h/db?password=hunter2&user=u", "postgresql://h/db?password=***&user=u"},
        {"postgresql://h/db?user=a:b&password=hun@ter2", "postgresql://h/db?user=a:b&password=***"},
        {"postgresql://h/db?sslpassword=hunter2", "postgresql://h/db?sslpassword=***"},
        {"postgresql://h/db?%70assword=hunter2", "postgresql://h/db?%70assword=***"},
        {"postgresql://[::1]/db", "postgresql://[::1]/db"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *masked = conninfo_mask(cases[i][0]);
        assert_string_equal(masked, cases[i][1]);
        free(masked);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(passwords_are_masked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
