/* digest: see digest.h. */
#include "digest.h"

#include <stdlib.h>
#include <string.h>

#include "bucket.h"
#include "log.h"
#include "report.h"

/* Of a text of a client, in a line of the log. */
enum { CHARACTERS_MAX = 200 };

struct digest {
    struct digest_setup setup;
    uint64_t now; /* of the report */
    struct bucket lines;
    uint64_t unsaid;
    bool full; /* max_gauges was met */
};

struct digest *digest_new(const struct digest_setup *setup)
{
    struct digest *d = calloc(1, sizeof *d);
    if (!d)
        abort();
    d->setup = *setup;
    return d;
}

void digest_free(struct digest *d)
{
    free(d);
}

/* --- lines of the log --- */

/* With a rate of 0 there is never one. */
static bool take_line(struct digest *d)
{
    uint64_t rate = (uint64_t)d->setup.config->client_log_rate;
    if (!bucket_has(&d->lines, rate, 1, d->now))
        return false;
    bucket_take(&d->lines, rate, 1, d->now);
    return true;
}

/* May a line be said? If not, it is one that was left out. */
static bool may_say(struct digest *d)
{
    bool may = take_line(d);
    d->unsaid += !may;
    return may;
}

void digest_sum_up(struct digest *d, uint64_t now)
{
    d->now = now;
    if (!d->unsaid || !take_line(d))
        return;
    log_warning("lines about what clients sent were left out (client_log_rate) n=%llu",
                (unsigned long long)d->unsaid);
    d->unsaid = 0;
}

/* The bytes of the first characters of a text. */
static int cut(const char *text)
{
    int bytes = 0;
    for (int n = 0; text[bytes]; bytes++)
        if ((text[bytes] & 0xc0) != 0x80 && n++ == CHARACTERS_MAX)
            break;
    return bytes;
}

/* --- the parts of a report --- */

/* Those that were left out may be there as long as there is no room. */
static void note_full(struct digest *d, bool beyond)
{
    size_t most = (size_t)d->setup.config->max_gauges;
    bool full = beyond || (d->full && gauges_count(d->setup.gauges) == most);
    if (full && !d->full)
        log_warning("clients have more gauges than max_gauges, which is %zu: some are not shown; "
                    "raise it, or have none shown with 0",
                    most);
    else if (!full && d->full)
        log_info("the gauges of clients fit into max_gauges again");
    d->full = full;
}

static bool on_gauges(void *ctx, const char *sid, const json_t *list)
{
    struct digest *d = ctx;
    if (!d->setup.here(d->setup.ctx, sid))
        return true;
    struct gauges_refused refused = gauges_set(d->setup.gauges, sid, list);
    metrics_add(d->setup.metrics, METRIC_REFUSED_GAUGES, (double)refused.beyond);
    note_full(d, refused.beyond > 0);
    return refused.malformed == 0;
}

static void on_refused(void *ctx, int64_t principal, const char *event, const char *reason,
                       int64_t n)
{
    struct digest *d = ctx;
    const char *counted = metrics_refused(d->setup.metrics, reason, (double)n);
    if (may_say(d))
        log_warning("events of a client had no effect principal=%lld reason=%s n=%lld event=%.*s",
                    (long long)principal, counted, (long long)n, cut(event), event);
}

static void on_said(void *ctx, int64_t principal, const char *event, const char *text)
{
    struct digest *d = ctx;
    enum log_level level = strcmp(event, "error") == 0 ? LOG_WARNING : LOG_INFO;
    if (may_say(d))
        log_write(level, "a client says principal=%lld event=%.*s text=%.*s", (long long)principal,
                  cut(event), event, cut(text), text);
}

void digest_report(struct digest *d, const char *report, uint64_t now)
{
    static const struct report_calls calls = {on_gauges, on_refused, on_said};
    d->now = now;
    if (report_read(report, &calls, d))
        return;
    metrics_add(d->setup.metrics, METRIC_DB_ERRORS, 1);
    if (may_say(d))
        log_warning("a report of the database is malformed, in part or in whole, which is ignored");
}
