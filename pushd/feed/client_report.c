/* client_report: see client_report.h. */
#include "feed/client_report.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json_read.h"
#include "base/log.h"
#include "base/log_limit.h"

/* --- reading a report --- */

/* A report needs 6: labels are an object in a gauge, in a list, in an object, in a list, in the
 * report. PAUSE_MAX: milliseconds. */
enum { DEPTH_MAX = 8, PAUSE_MAX = 3600000 };

struct reading {
    const struct client_report_calls *calls;
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

static bool read_over(const struct reading *r, json_t *item)
{
    json_int_t principal, ms;
    const char *reason;
    if (json_unpack(item, "{sI ss sI}", "principal", &principal, "reason", &reason, "ms", &ms) !=
            0 ||
        ms < 1 || ms > PAUSE_MAX)
        return false;
    r->calls->over(r->ctx, principal, reason, ms);
    return true;
}

static bool read_log(const struct reading *r, json_t *item)
{
    json_int_t bytes, most;
    if (json_unpack(item, "{sI sI}", "bytes", &bytes, "most", &most) != 0 || bytes < 0 || most < 1)
        return false;
    r->calls->log(r->ctx, bytes, most);
    return true;
}

static const struct {
    const char *key;
    bool (*read)(const struct reading *r, json_t *item);
} PARTS[] = {
    {"gauges", read_gauges},   {"log", read_log},   {"over", read_over},
    {"refused", read_refused}, {"said", read_said},
};

bool client_report_read(const char *text, const struct client_report_calls *calls, void *ctx)
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

/* The most characters of a client's text in a log line. */
enum { CHARACTERS_MAX = 200 };

struct client_reports {
    struct client_report_setup setup;
    uint64_t now; /* of the report */
    struct log_limit lines;
    bool full;   /* max_gauges was reached */
    double fill; /* of the event log, as the last report said it */
    enum { LOG_SMALL, LOG_LARGE, LOG_FULL } log;
    char note[128];
};

struct client_reports *client_reports_new(const struct client_report_setup *setup)
{
    struct client_reports *r = alloc(sizeof *r);
    r->setup = *setup;
    log_limit_init(&r->lines, setup->config->client_log_rate, setup->metrics);
    return r;
}

void client_reports_free(struct client_reports *r)
{
    free(r);
}

/* --- lines of the log --- */

static bool may_say(struct client_reports *r)
{
    return log_limit_allows(&r->lines, r->now);
}

void client_reports_sum_up(struct client_reports *r, uint64_t now)
{
    uint64_t n = log_limit_take(&r->lines, now);
    if (n > 0)
        log_warning("lines about what clients sent were left out (client_log_rate) n=%llu",
                    (unsigned long long)n);
}

/* The length in bytes of the first characters of a text. */
static int cut(const char *text)
{
    int bytes = 0;
    for (int n = 0; text[bytes]; bytes++)
        if ((text[bytes] & 0xc0) != 0x80 && n++ == CHARACTERS_MAX)
            break;
    return bytes;
}

/* --- the parts of a report --- */

/* Gauges that were left out may be kept once there is room. */
static void note_full(struct client_reports *r, bool beyond)
{
    size_t most = (size_t)r->setup.config->max_gauges;
    bool full = beyond || (r->full && gauges_count(r->setup.gauges) == most);
    if (full && !r->full)
        log_warning("clients have more gauges than max_gauges, which is %zu: some are not shown; "
                    "raise it, or have none shown with 0",
                    most);
    else if (!full && r->full)
        log_info("the gauges of clients fit into max_gauges again");
    r->full = full;
}

static bool on_gauges(void *ctx, const char *sid, const json_t *list)
{
    struct client_reports *r = ctx;
    if (!r->setup.here(r->setup.ctx, sid))
        return true;
    struct gauges_refused refused = gauges_set(r->setup.gauges, sid, list);
    metrics_add(r->setup.metrics, METRIC_REFUSED_GAUGES, (double)refused.beyond);
    note_full(r, refused.beyond > 0);
    return refused.malformed == 0;
}

static void on_refused(void *ctx, int64_t principal, const char *event, const char *reason,
                       int64_t n)
{
    struct client_reports *r = ctx;
    const char *counted = metrics_refused(r->setup.metrics, reason, (double)n);
    if (may_say(r))
        log_warning("events of a client had no effect principal=%lld reason=%s n=%lld event=%.*s",
                    (long long)principal, counted, (long long)n, cut(event), event);
}

static void on_said(void *ctx, int64_t principal, const char *event, const char *text)
{
    struct client_reports *r = ctx;
    enum log_level level = strcmp(event, "error") == 0 ? LOG_WARNING : LOG_INFO;
    if (may_say(r))
        log_write(level, "a client says principal=%lld event=%.*s text=%.*s", (long long)principal,
                  cut(event), event, cut(text), text);
}

static void on_over(void *ctx, int64_t principal, const char *reason, int64_t ms)
{
    struct client_reports *r = ctx;
    r->setup.pause(r->setup.ctx, principal, (uint64_t)ms, r->now);
    if (may_say(r))
        log_warning("a principal sends too much and is not read from principal=%lld reason=%.*s "
                    "ms=%lld",
                    (long long)principal, cut(reason), reason, (long long)ms);
}

static void on_log(void *ctx, int64_t bytes, int64_t most)
{
    struct client_reports *r = ctx;
    r->fill = (double)bytes / (double)most;
    snprintf(r->note, sizeof r->note, "event log: %lld of %lld bytes (max_log_bytes)%s",
             (long long)bytes, (long long)most, bytes >= most ? "; what clients send waits" : "");
}

/* A report without the log says that it is small. */
static void note_log(struct client_reports *r)
{
    int now = r->fill >= 1 ? LOG_FULL : r->fill > 0 ? LOG_LARGE : LOG_SMALL, before = (int)r->log;
    r->log = now;
    metrics_set(r->setup.metrics, METRIC_LOG_FILL, r->fill);
    if (now > before)
        log_warning("%s; raise it, or shorten retention", r->note);
    else if (now < before)
        log_info("event log: %s", now == LOG_SMALL ? "below three quarters of max_log_bytes again"
                                                   : "below max_log_bytes again");
}

const char *client_reports_note(const struct client_reports *r)
{
    return r->log == LOG_SMALL ? NULL : r->note;
}

void client_reports_take(struct client_reports *r, const char *report, uint64_t now)
{
    static const struct client_report_calls calls = {on_gauges, on_refused, on_said, on_over,
                                                     on_log};
    r->now = now;
    if (client_report_read(report, &calls, r))
        return;
    metrics_add(r->setup.metrics, METRIC_DB_ERRORS, 1);
    if (may_say(r))
        log_warning("a report of the database is malformed, in part or in whole, which is ignored");
}

void client_reports_answer(struct client_reports *r, const char *report, uint64_t now)
{
    r->fill = 0;
    if (report)
        client_reports_take(r, report, now);
    note_log(r);
}
