/* Lists of words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/words.h"

static void lists_are_words(void **state)
{
    (void)state;
    const char *word;
    assert_int_equal(words_get(" a,  bc ", 1, &word), 2);
    assert_memory_equal(word, "bc", 2);
    assert_int_equal(words_get(" a,  bc ", 2, &word), 0);
    assert_int_equal(words_get("", 0, &word), 0);
    assert_true(words_have("/a,/b", "/b", 2));
    assert_false(words_have("/a,/bc", "/b", 2));
    assert_false(words_have("/a", "/ab", 3));
    assert_false(words_have("/a", "", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
