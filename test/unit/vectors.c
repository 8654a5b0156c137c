/* vectors: see vectors.h. */
#include "vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void take_field(struct vector *v, const char *text, size_t len)
{
    char *out = malloc(len + 1), byte[3] = "";
    size_t n = 0;
    assert_non_null(out);
    for (size_t i = 0; i < len; i++) {
        if (len - i >= 4 && text[i] == '\\' && text[i + 1] == 'x') {
            memcpy(byte, text + i + 2, 2);
            out[n++] = (char)strtol(byte, NULL, 16);
            i += 3;
        } else {
            out[n++] = text[i];
        }
    }
    out[n] = '\0';
    assert_true(v->n < VECTOR_FIELDS);
    v->field[v->n].text = realloc(out, n + 1);
    v->field[v->n++].len = n;
}

static void check_line(char *line, void (*check)(const struct vector *v))
{
    struct vector v = {.line = line};
    for (const char *at = line;; at++) {
        size_t len = strcspn(at, "\t");
        take_field(&v, at, len);
        at += len;
        if (!*at)
            break;
    }
    check(&v);
    for (unsigned i = 0; i < v.n; i++)
        free(v.field[i].text);
}

void vectors_each(const char *name, unsigned least, void (*check)(const struct vector *v))
{
    char path[256], *line = NULL;
    size_t room = 0;
    unsigned n = 0;
    snprintf(path, sizeof path, "%s/%s", VECTORS, name);
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("expected %s, found none", path);
    while (getline(&line, &room, f) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#')
            continue;
        check_line(line, check);
        n++;
    }
    free(line);
    fclose(f);
    if (n < least)
        fail_msg("%s: expected %u cases at least, found %u", path, least, n);
}
