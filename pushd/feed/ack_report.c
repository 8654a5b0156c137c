/* ack_report: see ack_report.h. */
#include "feed/ack_report.h"
#include "base/alloc.h"

#include <jansson.h>
#include <stdlib.h>

struct ack_reports {
    json_t *queued, *flying, *later; /* arrays */
};

struct ack_reports *ack_reports_new(void)
{
    struct ack_reports *r = alloc(sizeof *r);
    r->queued = must(json_array());
    r->flying = must(json_array());
    r->later = must(json_array());
    return r;
}

void ack_reports_free(struct ack_reports *r)
{
    if (!r)
        return;
    json_decref(r->queued);
    json_decref(r->flying);
    json_decref(r->later);
    free(r);
}

void ack_reports_put(struct ack_reports *r, int64_t id, int64_t principal, const char *sid,
                     bool acked)
{
    json_array_append_new(r->queued,
                          must(json_pack("{sI sI ss sb}", "id", (json_int_t)id, "principal",
                                         (json_int_t)principal, "sid", sid, "acked", (int)acked)));
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
