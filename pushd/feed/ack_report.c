/* ack_report: see ack_report.h. */
#include "feed/ack_report.h"
#include "base/alloc.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

struct ack_reports {
    json_t *queued, *flying, *later; /* arrays */
    json_t *index;                   /* object: key() -> one of queued */
};

struct ack_reports *ack_reports_new(void)
{
    struct ack_reports *r = alloc(sizeof *r);
    r->queued = must(json_array());
    r->flying = must(json_array());
    r->later = must(json_array());
    r->index = must(json_object());
    return r;
}

void ack_reports_free(struct ack_reports *r)
{
    if (!r)
        return;
    json_decref(r->queued);
    json_decref(r->flying);
    json_decref(r->later);
    json_decref(r->index);
    free(r);
}

enum { KEY_MAX = 64 };

static void key(char *out, int64_t id, int64_t principal, bool acked)
{
    snprintf(out, KEY_MAX, "%lld %lld %d", (long long)id, (long long)principal, acked);
}

/* One more connection says what another one has said. */
static void add(json_t *one, const char *sid)
{
    json_int_t times = json_integer_value(json_object_get(one, "times"));
    json_object_set_new(one, "sid", must(json_string(sid)));
    json_object_set_new(one, "times", must(json_integer((times ? times : 1) + 1)));
}

static void forget(struct ack_reports *r, const json_t *one)
{
    char name[KEY_MAX];
    key(name, json_integer_value(json_object_get(one, "id")),
        json_integer_value(json_object_get(one, "principal")),
        json_is_true(json_object_get(one, "acked")));
    if (json_object_get(r->index, name) == one)
        json_object_del(r->index, name);
}

void ack_reports_put(struct ack_reports *r, int64_t id, int64_t principal, const char *sid,
                     bool acked)
{
    char name[KEY_MAX];
    key(name, id, principal, acked);
    json_t *one = json_object_get(r->index, name);
    if (one) {
        add(one, sid);
        return;
    }
    one = must(json_pack("{sI sI ss sb}", "id", (json_int_t)id, "principal", (json_int_t)principal,
                         "sid", sid, "acked", (int)acked));
    json_object_set(r->index, name, one);
    json_array_append_new(r->queued, one);
}

char *ack_reports_take(struct ack_reports *r, size_t max)
{
    size_t n = json_array_size(r->queued);
    if (!n || json_array_size(r->flying))
        return NULL;
    json_t *rest = must(json_array());
    for (size_t i = 0; i < n; i++)
        json_array_append(i < max ? r->flying : rest, json_array_get(r->queued, i));
    json_decref(r->queued);
    r->queued = rest;
    for (size_t i = 0; i < json_array_size(r->flying); i++)
        forget(r, json_array_get(r->flying, i));
    char *text = must(json_dumps(r->flying, JSON_COMPACT));
    return text;
}

void ack_reports_answered(struct ack_reports *r, const char *again)
{
    json_t *list = again ? json_loads(again, 0, NULL) : NULL;
    json_array_clear(r->flying);
    json_array_extend(r->later, list);
    json_decref(list);
}

void ack_reports_lost(struct ack_reports *r)
{
    size_t i;
    json_t *one;
    json_array_foreach (r->flying, i, one)
        if (json_is_true(json_object_get(one, "acked")))
            json_array_append(r->later, one);
    json_array_clear(r->flying);
}

void ack_reports_retry(struct ack_reports *r)
{
    json_array_extend(r->queued, r->later);
    json_array_clear(r->later);
}
