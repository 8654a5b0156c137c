/* report: see report.h. */
#include "report.h"

#include <stddef.h>
#include <string.h>

#include "json_read.h"

/* Of an object, labels, in a list, in an object, in a list, in the report: 6; and some. */
enum { DEPTH_MAX = 8 };

struct reading {
    const struct report_calls *calls;
    void *ctx;
};

static bool read_gauges(const struct reading *r, json_t *item)
{
    const char *sid;
    json_t *list;
    return json_unpack(item, "{ss so}", "sid", &sid, "gauges", &list) == 0 && json_is_array(list) &&
           r->calls->gauges(r->ctx, sid, list);
}

static bool read_refused(const struct reading *r, json_t *item)
{
    json_int_t principal, n;
    const char *event, *reason;
    if (json_unpack(item, "{sI ss ss sI}", "principal", &principal, "event", &event, "reason",
                    &reason, "n", &n) != 0 ||
        n < 1)
        return false;
    r->calls->refused(r->ctx, principal, event, reason, n);
    return true;
}

static bool read_said(const struct reading *r, json_t *item)
{
    json_int_t principal;
    const char *event, *text;
    if (json_unpack(item, "{sI ss ss}", "principal", &principal, "event", &event, "text", &text) !=
        0)
        return false;
    r->calls->said(r->ctx, principal, event, text);
    return true;
}

static const struct {
    const char *key;
    bool (*read)(const struct reading *r, json_t *item);
} PARTS[] = {
    {"gauges", read_gauges},
    {"refused", read_refused},
    {"said", read_said},
};

bool report_read(const char *text, const struct report_calls *calls, void *ctx)
{
    const struct reading r = {calls, ctx};
    const char *wrong;
    json_t *item, *report = json_read(text, strlen(text), DEPTH_MAX, &wrong);
    bool good = json_is_object(report);
    for (size_t part = 0; part < sizeof PARTS / sizeof *PARTS; part++) {
        json_t *list = json_object_get(report, PARTS[part].key);
        size_t i;
        good &= !list || json_is_array(list);
        json_array_foreach (list, i, item)
            good &= PARTS[part].read(&r, item);
    }
    json_decref(report);
    return good;
}
