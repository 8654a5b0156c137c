/* rights: see rights.h. */
#include "pg/rights.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/sid.h"
#include "loop/timers.h"
#include "pg/answer.h"
#include "socketio/hub.h"

/* The sockets that one read compares; the same as text. */
enum { AUDIT_ROWS = 1000 };
static const char AUDIT_ROWS_TEXT[] = "1000";

struct rights {
    const struct db_env *env;
    uv_timer_t *audit_timer;
    char *since; /* pg_snapshot that all rooms include */
    bool auditing;
    bool asked;              /* the read under way belongs to it */
    char after[SID_LEN + 1]; /* the last socket compared */
    unsigned found;          /* in this audit */
};

/* --- the audit --- */

static void start_audit(void *ctx)
{
    struct rights *g = ctx;
    g->auditing = true;
    g->after[0] = '\0';
    g->found = 0;
}

static void wait_for_audit(struct rights *g)
{
    g->auditing = g->asked = false;
    if (g->env->config->audit_interval)
        timers_start(g->audit_timer, g->env->config->audit_interval);
}

/* This read has compared n sockets; sid is the last one. */
static void audited(struct rights *g, int n, const char *sid)
{
    if (n == AUDIT_ROWS && strlen(sid) == SID_LEN) {
        memcpy(g->after, sid, sizeof g->after);
        return;
    }
    if (g->found)
        log_warning("%u sockets were in other rooms than the database says, and nothing in its log"
                    " had said so: is one of the extension's triggers switched off? attach() puts"
                    " it right",
                    g->found);
    wait_for_audit(g);
}

struct rights_question rights_ask(struct rights *g)
{
    g->asked = g->auditing;
    return (struct rights_question){.since = g->since,
                                    .after = g->asked ? g->after : NULL,
                                    .rows = g->asked ? AUDIT_ROWS_TEXT : NULL};
}

/* --- the rows --- */

static bool is_true(const PGresult *page, int row, enum page_column column)
{
    return PQgetvalue(page, row, column)[0] == 't';
}

static void count(struct rights *g, enum metric_id id)
{
    metrics_add(g->env->metrics, id, 1);
}

static void take_rooms(struct rights *g, const PGresult *page, int row)
{
    bool exists = !PQgetisnull(page, row, PAGE_ROOMS);
    int64_t principal = answer_integer(page, row, PAGE_PRINCIPAL);
    struct registration a = {.sid = PQgetvalue(page, row, PAGE_SID),
                             .principal = exists ? principal : 0,
                             .rooms = PQgetvalue(page, row, PAGE_ROOMS)};
    if (!hub_differs(g->env->hub, &a))
        return;
    bool noted = is_true(page, row, PAGE_NOTED);
    count(g, noted ? METRIC_RIGHTS_NOTED : METRIC_RIGHTS_AUDIT);
    g->found += !noted;
    hub_set_rooms(g->env->hub, &a, uv_now(g->env->loop));
    g->env->moved(g->env->ctx, principal);
}

static void take(struct rights *g, const PGresult *page, int row)
{
    if (PQgetisnull(page, row, PAGE_PRINCIPAL))
        hub_kick(g->env->hub, PQgetvalue(page, row, PAGE_SID));
    else
        take_rooms(g, page, row);
}

static void set_since(struct rights *g, const char *snapshot)
{
    free(g->since);
    g->since = alloc_text(snapshot);
}

static void doubt(struct rights *g, const PGresult *page, int row)
{
    count(g, METRIC_RIGHTS_DOUBT);
    hub_doubt(g->env->hub, PQgetvalue(page, row, PAGE_SID), uv_now(g->env->loop));
}

int rights_take(struct rights *g, const PGresult *page)
{
    const char *last = "";
    int n = 0, compared = 0;
    for (; n < PQntuples(page) && !PQgetisnull(page, n, PAGE_SID); n++) {
        if (is_true(page, n, PAGE_KNOWN))
            take(g, page, n);
        else
            doubt(g, page, n);
        if (is_true(page, n, PAGE_AUDITED)) {
            compared++;
            last = PQgetvalue(page, n, PAGE_SID);
        }
    }
    if (g->asked)
        audited(g, compared, last);
    if (n < PQntuples(page))
        set_since(g, PQgetvalue(page, n, PAGE_SNAPSHOT));
    return n;
}

/* --- construction and end --- */

void rights_begin(struct rights *g, const char *snapshot)
{
    set_since(g, snapshot);
    wait_for_audit(g);
}

void rights_end(struct rights *g)
{
    g->auditing = g->asked = false;
    uv_timer_stop(g->audit_timer);
}

struct rights *rights_new(const struct db_env *env)
{
    struct rights *g = alloc(sizeof *g);
    g->env = env;
    g->audit_timer = timers_new(env->loop, start_audit, g);
    return g;
}

void rights_free(struct rights *g)
{
    if (!g)
        return;
    timers_free(g->audit_timer);
    free(g->since);
    free(g);
}
