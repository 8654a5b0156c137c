/* Texts of pg_snapshot, good and bad, and what each sees: test/vectors/base/snapshot.txt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/snapshot.h"

static void check_seen(const char *line, const struct snapshot *s, char *words)
{
    bool expected = true;
    for (char *save, *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        if (strcmp(w, "seen:") == 0 || strcmp(w, "unseen:") == 0)
            expected = *w == 's';
        else if (snapshot_sees(s, strtoull(w, NULL, 10)) != expected)
            fail_msg("%s: expected %s to be %s", line, w, expected ? "seen" : "unseen");
    }
}

static void check_line(const char *line)
{
    char copy[512];
    snprintf(copy, sizeof copy, "%s", line);
    bool good = strncmp(copy, "good ", 5) == 0;
    char *text = copy + (good ? 5 : strlen(copy) > 4 ? 4 : 3);
    char *rest = good ? strchr(text, ' ') : NULL;
    if (rest)
        *rest++ = '\0';
    struct snapshot *s = snapshot_parse(text);
    if (good != (s != NULL))
        fail_msg("%s: expected it to be %s", line, good ? "accepted" : "refused");
    if (s)
        check_seen(line, s, rest);
    free(s);
}

static void the_vectors_hold(void **state)
{
    (void)state;
    char line[512];
    int n = 0;
    FILE *in = fopen(VECTORS "/base/snapshot.txt", "r");
    assert_non_null(in);
    while (fgets(line, sizeof line, in)) {
        line[strcspn(line, "\n")] = '\0';
        if (*line == '#')
            continue;
        check_line(line);
        n++;
    }
    fclose(in);
    assert_true(n > 30);
}

static void many_open_transactions_are_looked_up(void **state)
{
    (void)state;
    char text[8192] = "1:100001:2", *p = text + strlen(text);
    for (int i = 2; i <= 1000; i++)
        p += sprintf(p, ",%d", 2 * i);
    struct snapshot *s = snapshot_parse(text);
    assert_non_null(s);
    assert_int_equal(s->n, 1000);
    for (uint64_t xid = 1; xid <= 2000; xid++)
        assert_int_equal(snapshot_sees(s, xid), xid % 2 == 1);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_hold),
        cmocka_unit_test(many_open_transactions_are_looked_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
