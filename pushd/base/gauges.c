/* gauges: see gauges.h. The key of a series is its text as it is shown, with labels in order. */
#include "base/gauges.h"
#include "base/alloc.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

/* The limits of one series: bytes of its text, and labels. */
enum { TEXT_MAX = 1024, LABELS_MAX = 16 };

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define DIGITS "0123456789"

static const char OURS[] = "vantage6_pushd_";

struct owner;

struct series {
    UT_hash_handle hh;
    struct owner *owner;
    struct series *prev, *next; /* of the same owner */
    double value;
    size_t name_len;
    char text[];
};

struct owner {
    UT_hash_handle hh;
    struct series *series;
    char sid[];
};

struct gauges {
    size_t most;
    struct series *series;
    struct owner *owners;
    bool sorted;
};

struct gauges *gauges_new(size_t most)
{
    struct gauges *g = alloc(sizeof *g);
    g->most = most;
    return g;
}

/* --- the text of a series --- */

struct text {
    size_t len, name_len;
    bool too_long;
    char bytes[TEXT_MAX + 1];
};

static void put(struct text *t, const char *from, size_t len)
{
    t->too_long |= len > TEXT_MAX - t->len;
    if (t->too_long)
        return;
    memcpy(t->bytes + t->len, from, len);
    t->len += len;
    t->bytes[t->len] = '\0';
}

static void put_escaped(struct text *t, const char *from)
{
    for (;;) {
        size_t plain = strcspn(from, "\\\"\n");
        put(t, from, plain);
        from += plain;
        if (!*from)
            return;
        put(t, *from == '\n' ? "\\n" : *from == '"' ? "\\\"" : "\\\\", 2);
        from++;
    }
}

static bool is_name(const char *name, const char *characters)
{
    return *name && !strchr(DIGITS, *name) && strspn(name, characters) == strlen(name);
}

/* The text of a string without a zero byte, otherwise NULL. */
static const char *text_of(const json_t *value)
{
    const char *text = json_string_value(value);
    return text && strlen(text) == json_string_length(value) ? text : NULL;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool put_labels(struct text *t, json_t *labels)
{
    const char *names[LABELS_MAX], *name;
    json_t *value;
    size_t n = 0;
    if (json_object_size(labels) > LABELS_MAX)
        return false;
    json_object_foreach (labels, name, value)
        names[n++] = name;
    qsort(names, n, sizeof *names, compare_names);
    for (size_t i = 0; i < n; i++) {
        const char *text = text_of(json_object_get(labels, names[i]));
        if (!text || !is_name(names[i], LETTERS DIGITS) || strncmp(names[i], "__", 2) == 0)
            return false;
        put(t, i ? "," : "{", 1);
        put(t, names[i], strlen(names[i]));
        put(t, "=\"", 2);
        put_escaped(t, text);
        put(t, "\"", 1);
    }
    if (n)
        put(t, "}", 1);
    return true;
}

/* False if it is not a gauge. jansson has no infinite numbers. */
static bool read_gauge(const json_t *gauge, struct text *t, double *value)
{
    const char *name = text_of(json_object_get(gauge, "name"));
    json_t *labels = json_object_get(gauge, "labels");
    const json_t *number = json_object_get(gauge, "value");
    *t = (struct text){.len = 0};
    *value = json_number_value(number);
    if (!name || !is_name(name, LETTERS DIGITS ":") || strncmp(name, OURS, sizeof OURS - 1) == 0)
        return false;
    if ((labels && !json_is_object(labels)) || !json_is_number(number))
        return false;
    put(t, name, strlen(name));
    t->name_len = t->len;
    return put_labels(t, labels) && !t->too_long;
}

/* --- owners --- */

static struct owner *owner_of(struct gauges *g, const char *sid)
{
    struct owner *o;
    size_t len = strlen(sid);
    HASH_FIND(hh, g->owners, sid, len, o);
    if (o)
        return o;
    o = alloc(sizeof *o + len + 1);
    memcpy(o->sid, sid, len);
    HASH_ADD(hh, g->owners, sid, len, o);
    return o;
}

/* NOLINT here and below: the analyzer does not follow uthash. */
static void drop_series(struct gauges *g, struct owner *o)
{
    struct series *s, *next;
    DL_FOREACH_SAFE(o->series, s, next)
    {
        HASH_DEL(g->series, s); // NOLINT
        free(s);
    }
    o->series = NULL;
}

static void drop_owner(struct gauges *g, struct owner *o)
{
    drop_series(g, o);
    HASH_DEL(g->owners, o); // NOLINT
    free(o);
}

static struct series *add(struct gauges *g, const struct text *t)
{
    struct series *s = alloc(sizeof *s + t->len + 1);
    memcpy(s->text, t->bytes, t->len);
    s->name_len = t->name_len;
    HASH_ADD(hh, g->series, text, t->len, s);
    g->sorted = false;
    return s;
}

/* False if there is no room. */
static bool keep(struct gauges *g, struct owner *o, const struct text *t, double value)
{
    struct series *s;
    HASH_FIND(hh, g->series, t->bytes, t->len, s);
    if (s)
        DL_DELETE(s->owner->series, s);
    else if (gauges_count(g) < g->most)
        s = add(g, t);
    else
        return false;
    s->owner = o;
    s->value = value;
    DL_APPEND(o->series, s);
    return true;
}

struct gauges_refused gauges_set(struct gauges *g, const char *sid, const json_t *list)
{
    struct gauges_refused refused = {0};
    struct text text;
    const json_t *gauge;
    double value;
    size_t i;
    if (!g->most)
        return refused;
    struct owner *o = owner_of(g, sid);
    drop_series(g, o);
    json_array_foreach (list, i, gauge) {
        if (!read_gauge(gauge, &text, &value))
            refused.malformed++;
        else if (!keep(g, o, &text, value))
            refused.beyond++;
    }
    if (!o->series)
        drop_owner(g, o);
    return refused;
}

void gauges_end(struct gauges *g, const char *sid)
{
    struct owner *o;
    HASH_FIND(hh, g->owners, sid, strlen(sid), o);
    if (o)
        drop_owner(g, o);
}

void gauges_free(struct gauges *g)
{
    struct owner *o, *next;
    if (!g)
        return;
    HASH_ITER (hh, g->owners, o, next)
        drop_owner(g, o);
    free(g);
}

/* --- the exposition --- */

size_t gauges_count(const struct gauges *g)
{
    return HASH_COUNT(g->series);
}

static int compare_families(const struct series *a, const struct series *b)
{
    size_t least = a->name_len < b->name_len ? a->name_len : b->name_len;
    int order = memcmp(a->text, b->text, least);
    return order ? order : (a->name_len > b->name_len) - (a->name_len < b->name_len);
}

/* By the name first, because "a:b" sorts between "a" and "a{". */
static int compare_series(const struct series *a, const struct series *b)
{
    int order = compare_families(a, b);
    return order ? order : strcmp(a->text, b->text);
}

void gauges_write(struct gauges *g, FILE *out)
{
    const struct series *last = NULL;
    if (!g->sorted)
        HASH_SRT(hh, g->series, compare_series);
    g->sorted = true;
    for (const struct series *s = g->series; s; last = s, s = s->hh.next) {
        if (!last || compare_families(last, s) != 0)
            fprintf(out, "# TYPE %.*s gauge\n", (int)s->name_len, s->text);
        fprintf(out, "%s %.15g\n", s->text, s->value);
    }
}
