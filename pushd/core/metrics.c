/*
 * metrics: see metrics.h.
 */
#include "metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *type, *suffix, *labels, *help;
} ROWS[METRIC_COUNT] = {
#define SUFFIX_gauge ""
#define SUFFIX_counter "_total"
#define ROW(id, kind, name, help) [id] = {"vantage6_pushd_" name, #kind, SUFFIX_##kind, "", help},
#define ROW_BY(id, kind, name, label, value, help)                                                 \
    [id] = {"vantage6_pushd_" name, #kind, SUFFIX_##kind, "{" label "=\"" value "\"}", help},
    METRICS(ROW, ROW_BY)
#undef ROW
#undef ROW_BY
};

void metrics_add(struct metrics *m, enum metric_id id, double n)
{
    m->value[id] += n;
}

void metrics_set(struct metrics *m, enum metric_id id, double v)
{
    m->value[id] = v;
}

char *metrics_text(const struct metrics *m, size_t *len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len);
    if (out == NULL)
        return NULL;
    for (int i = 0; i < METRIC_COUNT; i++) {
        const char *name = ROWS[i].name;
        if (i == 0 || strcmp(name, ROWS[i - 1].name) != 0)
            fprintf(out, "# TYPE %s %s\n# HELP %s %s\n", name, ROWS[i].type, name, ROWS[i].help);
        fprintf(out, "%s%s%s %.15g\n", name, ROWS[i].suffix, ROWS[i].labels, m->value[i]);
    }
    fputs("# EOF\n", out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
