/*
 * metrics: see metrics.h.
 */
#include "base/metrics.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char OTHER[] = "other";

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

static bool is_word(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
    return len > 0 && len <= METRICS_REASON_MAX && !text[len];
}

const char *metrics_refused(struct metrics *m, const char *reason, double n)
{
    bool word = is_word(reason) && strcmp(reason, OTHER) != 0;
    size_t i = 0;
    while (word && i < METRICS_REASONS && *m->reasons[i].word &&
           strcmp(m->reasons[i].word, reason) != 0)
        i++;
    if (!word || i == METRICS_REASONS) {
        metrics_add(m, METRIC_REFUSED_EVENTS, n);
        return OTHER;
    }
    strcpy(m->reasons[i].word, reason);
    m->reasons[i].n += n;
    return m->reasons[i].word;
}

void metrics_bell(struct metrics *m, const char *kind)
{
    strcpy(m->bell, is_word(kind) ? kind : OTHER);
    metrics_set(m, METRIC_BELL, 1);
}

static void write_sample(const struct metrics *m, int i, FILE *out)
{
    if (i != METRIC_BELL)
        fprintf(out, "%s%s%s %.15g\n", ROWS[i].name, ROWS[i].suffix, ROWS[i].labels, m->value[i]);
    else if (*m->bell)
        fprintf(out, "%s{kind=\"%s\"} %.15g\n", ROWS[i].name, m->bell, m->value[i]);
}

static void write_reasons(const struct metrics *m, FILE *out)
{
    for (int i = 0; i < METRICS_REASONS && *m->reasons[i].word; i++)
        fprintf(out, "%s_total{reason=\"%s\"} %.15g\n", ROWS[METRIC_REFUSED_EVENTS].name,
                m->reasons[i].word, m->reasons[i].n);
}

char *metrics_text(const struct metrics *m, struct gauges *g, size_t *len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len);
    if (out == NULL)
        return NULL;
    for (int i = 0; i < METRIC_COUNT; i++) {
        const char *name = ROWS[i].name;
        if (i == 0 || strcmp(name, ROWS[i - 1].name) != 0)
            fprintf(out, "# TYPE %s %s\n# HELP %s %s\n", name, ROWS[i].type, name, ROWS[i].help);
        write_sample(m, i, out);
        if (i == METRIC_REFUSED_EVENTS)
            write_reasons(m, out);
    }
    gauges_write(g, out);
    fputs("# EOF\n", out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
