/* Options that hold lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config.h"

static void lists_are_words(void **state)
{
    (void)state;
    const char *word;
    assert_int_equal(config_word(" a,  bc ", 1, &word), 2);
    assert_memory_equal(word, "bc", 2);
    assert_int_equal(config_word(" a,  bc ", 2, &word), 0);
    assert_int_equal(config_word("", 0, &word), 0);
    assert_true(config_list_has("/a,/b", "/b", 2));
    assert_false(config_list_has("/a,/bc", "/b", 2));
    assert_false(config_list_has("/a", "/ab", 3));
    assert_false(config_list_has("/a", "", 0));
}

static void client_types_have_their_graces(void **state)
{
    (void)state;
    char types[] = "node=30s, user=1min";
    const struct config config = {.client_types = types};
    uint64_t grace = 0;
    assert_true(config_client_type(&config, "user", 4, &grace));
    assert_int_equal(grace, 60000);
    assert_false(config_client_type(&config, "use", 3, &grace));
    assert_false(config_client_type(&config, "node=", 5, &grace));
    assert_false(config_client_type(&config, "", 0, &grace));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_words),
        cmocka_unit_test(client_types_have_their_graces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
