/* log_link: see log_link.h. */
#include "pg/log_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/offset.h"
#include "base/snapshot.h"
#include "feed/cursor.h"
#include "feed/page_pause.h"
#include "loop/timers.h"
#include "pg/answer.h"
#include "pg/leases.h"
#include "pg/link.h"
#include "pg/rights.h"

struct log_link {
    const struct db_env *env;
    struct link *link;
    struct cursor *cursor;
    struct leases *leases;
    struct rights *rights;
    uv_timer_t *read_timer, *page_timer;
    struct page_pause pause;
    int64_t incarnation; /* 0 = not open */
    bool ready;
    bool reading, again;
    bool waiting; /* to read, until all sockets have their rooms again */
    bool finishing;
};

/* A crash forgets its leases, so it need not wait for the disk. */
static const struct statement st_settings = {NULL, "SET synchronous_commit = off", 0};
static const struct statement st_listen = {NULL, "LISTEN vantage6_events", 0};
static const struct statement st_open = {
    NULL,
    "SELECT incarnation, system_id, tli, epoch, snapshot, hi, secret, bell"
    " FROM vantage6_events.open($1::text, $2::text)",
    2};
/* One statement, so that rights and events are of one snapshot. The columns are enum page_column.
 */
static const struct statement st_read = {
    "read",
    "SELECT NULL::bigint, NULL::xid8, NULL::text, rooms, principal_id, NULL::text,"
    " NULL::pg_snapshot, NULL::text, NULL::boolean, NULL::bigint, sid, known, noted, audited"
    " FROM vantage6_events.rights_since($5::bigint, $6::pg_snapshot, $7::text, $8::integer)"
    " UNION ALL"
    " SELECT id, xid, nsp, rooms, except_principal, payload, snapshot, epoch, more, ack,"
    " NULL, NULL, NULL, NULL"
    " FROM vantage6_events.events_since($1::pg_snapshot, $2::bigint, $3::integer, NULL, 0,"
    " $4::integer)",
    8};
static const struct statement st_page = {
    "page",
    "SELECT id, xid, nsp, rooms, except_principal, payload, snapshot, epoch, more, ack"
    " FROM vantage6_events.events_since($1::pg_snapshot, $2::bigint, $3::integer,"
    " $4::pg_snapshot, $5::bigint, $6::integer)",
    6};

/* --- reading --- */

static void on_page(void *ctx, const PGresult *r);

static const char *decimal(char text[24], int64_t n)
{
    snprintf(text, 24, "%lld", (long long)n);
    return text;
}

static void read_page(struct log_link *l)
{
    char hi[24], after[24], tli[24], rows[24], incarnation[24];
    struct question q = cursor_ask(l->cursor);
    decimal(hi, q.hi);
    decimal(rows, l->env->config->read_rows);
    const char *seen_tli = q.seen_tli ? decimal(tli, q.seen_tli) : NULL;
    if (cursor_fresh(l->cursor)) {
        struct rights_question rights = rights_ask(l->rights);
        const char *values[] = {
            q.since,      hi,           seen_tli,   rows, decimal(incarnation, l->incarnation),
            rights.since, rights.after, rights.rows};
        link_send(l->link, &st_read, values, on_page, l);
    } else {
        const char *values[] = {q.since, hi, seen_tli, q.upto, decimal(after, q.after), rows};
        link_send(l->link, &st_page, values, on_page, l);
    }
}

static void start_read(struct log_link *l)
{
    if (l->finishing)
        return;
    if (l->reading) {
        l->again = true;
        return;
    }
    l->waiting = hub_waiting(l->env->hub) > 0;
    if (l->waiting)
        return;
    l->reading = true;
    metrics_add(l->env->metrics, METRIC_DB_READS, 1);
    read_page(l);
}

/* Returns how many bytes their payloads have. */
static size_t give_events(struct log_link *l, const PGresult *r, int from)
{
    size_t bytes = 0;
    int n = PQntuples(r);
    for (int i = from; i < n; i++) {
        struct event e = {
            .id = answer_integer(r, i, PAGE_ID),
            .xid = strtoull(PQgetvalue(r, i, PAGE_XID), NULL, 10),
            .nsp = PQgetvalue(r, i, PAGE_NSP),
            .rooms = PQgetvalue(r, i, PAGE_ROOMS),
            .except = answer_integer(r, i, PAGE_PRINCIPAL),
            .payload = PQgetvalue(r, i, PAGE_PAYLOAD),
            .payload_len = (size_t)PQgetlength(r, i, PAGE_PAYLOAD),
            .instruction = !PQgetisnull(r, i, PAGE_ACK),
            .instruction_id = answer_integer(r, i, PAGE_ACK),
        };
        if (cursor_row(l->cursor, e.id, e.xid))
            hub_publish(l->env->hub, &e, uv_now(l->env->loop));
        bytes += e.payload_len;
    }
    return bytes;
}

static void read_complete(struct log_link *l)
{
    l->reading = false;
    hub_read_end(l->env->hub);
    if (cursor_epoch_changed(l->cursor)) {
        link_fail(l->link, "the epoch of the database has changed; opening again");
        return;
    }
    if (!l->ready) {
        l->ready = true;
        link_works(l->link);
        log_info("database ready instance=%s incarnation=%lld", l->env->instance,
                 (long long)l->incarnation);
    }
    if (l->again) {
        l->again = false;
        start_read(l);
    }
}

/* Clients that take what is sent get time to receive the pages so far. */
static void next_page(struct log_link *l)
{
    uint64_t now = uv_now(l->env->loop);
    bool worth = hub_worth_waiting(l->env->hub, now);
    if (page_pause_more(&l->pause, worth, l->env->metrics, now))
        timers_start(l->page_timer, PAGE_PAUSE_MS);
    else
        read_page(l);
}

static void on_page_timer(void *ctx)
{
    next_page(ctx);
}

static void on_page(void *ctx, const PGresult *r)
{
    struct log_link *l = ctx;
    if (!r)
        return;
    if (answer_failed(r)) {
        link_refused(l->link, r);
        return;
    }
    int head = 0;
    if (cursor_fresh(l->cursor)) {
        hub_read_begin(l->env->hub);
        head = rights_take(l->rights, r); /* before any event */
    }
    int last = PQntuples(r) - 1;
    if (last < head || !PQgetisnull(r, head, PAGE_ID)) {
        link_fail(l->link,
                  "events_since() returned no head; ALTER EXTENSION vantage6_events UPDATE");
        return;
    }
    if (!cursor_head(l->cursor, PQgetvalue(r, head, PAGE_SNAPSHOT),
                     PQgetvalue(r, head, PAGE_EPOCH))) {
        link_fail(l->link, "events_since() returned a head without a pg_snapshot");
        return;
    }
    struct question q = cursor_ask(l->cursor);
    bool whole = cursor_is_whole(l->cursor);
    hub_read_marks(l->env->hub, whole ? q.since : NULL, whole ? q.upto : NULL);
    size_t bytes = give_events(l, r, head + 1);
    if (l->finishing)
        return;
    if (cursor_page(l->cursor, last > head && PQgetvalue(r, last, PAGE_MORE)[0] == 't')) {
        read_complete(l);
        return;
    }
    page_pause_page(&l->pause, (size_t)(last - head), bytes, uv_now(l->env->loop));
    next_page(l);
}

/* --- the session --- */

static void on_setting(void *ctx, const PGresult *r)
{
    struct log_link *l = ctx;
    if (r && answer_failed(r))
        link_refused(l->link, r);
}

static void start_cursor(struct log_link *l, const struct opening *opening)
{
    enum cursor_start start = cursor_open(l->cursor, opening);
    switch (start) {
    case CURSOR_OTHER:
        log_warning(
            "this is another database system than before, or an older timeline of it: events"
            " are read from now on system=%s timeline=%d",
            opening->system_id, opening->tli);
        break;
    case CURSOR_SET_BACK:
        log_warning("the event log ends before what was delivered: it was emptied, or the database"
                    " was set back; events are read from now on last=%lld",
                    (long long)opening->hi);
        break;
    case CURSOR_PROMOTED:
        log_warning("a standby was promoted; reading all events of its timeline=%d", opening->tli);
        break;
    default:
        break;
    }
    if (start == CURSOR_SAME)
        return;
    /* Unsettled sockets have snapshots with xids that may be used again. */
    hub_read_begin(l->env->hub);
    hub_read_end(l->env->hub);
}

static void on_open(void *ctx, const PGresult *r)
{
    struct log_link *l = ctx;
    if (!r)
        return;
    if (answer_failed(r)) {
        link_refused(l->link, r);
        return;
    }
    struct snapshot *s = PQntuples(r) == 1 ? snapshot_parse(PQgetvalue(r, 0, 4)) : NULL;
    if (!s || answer_integer(r, 0, 0) <= 0) {
        link_fail(l->link, "open() returned no incarnation and snapshot");
        free(s);
        return;
    }
    free(s);
    start_cursor(l, &(struct opening){
                        .system_id = PQgetvalue(r, 0, 1),
                        .tli = (int)answer_integer(r, 0, 2),
                        .epoch = PQgetvalue(r, 0, 3),
                        .snapshot = PQgetvalue(r, 0, 4),
                        .hi = answer_integer(r, 0, 5),
                    });
    offset_open(l->env->offsets, PQgetvalue(r, 0, 6), PQgetvalue(r, 0, 3));
    metrics_bell(l->env->metrics, PQgetvalue(r, 0, 7));
    l->incarnation = answer_integer(r, 0, 0);
    leases_begin(l->leases, l->incarnation);
    rights_begin(l->rights, PQgetvalue(r, 0, 4));
    start_read(l);
    timers_repeat(l->read_timer, l->env->config->read_interval);
    l->env->incarnation(l->env->ctx, l->incarnation);
}

static void on_up(void *ctx)
{
    struct log_link *l = ctx;
    const char *values[] = {l->env->instance, PUSHD_VERSION};
    link_send(l->link, &st_settings, NULL, on_setting, l);
    link_send(l->link, &st_listen, NULL, on_setting, l);
    link_send(l->link, &st_open, values, on_open, l);
}

static void on_down(void *ctx)
{
    struct log_link *l = ctx;
    l->incarnation = 0;
    l->ready = l->reading = l->again = l->waiting = false;
    cursor_lost(l->cursor);
    leases_end(l->leases);
    rights_end(l->rights);
    uv_timer_stop(l->read_timer);
    uv_timer_stop(l->page_timer);
    l->env->incarnation(l->env->ctx, 0);
}

static void on_bell(void *ctx)
{
    struct log_link *l = ctx;
    if (l->incarnation)
        start_read(l);
}

static void on_turn(void *ctx)
{
    struct log_link *l = ctx;
    if (l->waiting)
        start_read(l);
    l->env->turn(l->env->ctx);
}

static void on_read_timer(void *ctx)
{
    struct log_link *l = ctx;
    link_check(l->link);
    if (!l->reading)
        start_read(l);
}

/* --- construction and end --- */

struct log_link *log_link_new(const struct db_env *env)
{
    static const struct link_calls calls = {on_up, on_down, on_bell, on_turn};
    struct log_link *l = alloc(sizeof *l);
    l->env = env;
    l->cursor = cursor_new();
    l->read_timer = timers_new(env->loop, on_read_timer, l);
    l->page_timer = timers_new(env->loop, on_page_timer, l);
    l->link = link_new(&(struct link_setup){"log", env->config->conninfo, env->config->retry_max,
                                            env->config->answer_timeout, true, env->loop,
                                            env->metrics, &calls, l});
    l->leases = leases_new(env, l->link);
    l->rights = rights_new(env);
    link_open(l->link);
    return l;
}

void log_link_free(struct log_link *l)
{
    if (!l)
        return;
    leases_free(l->leases);
    rights_free(l->rights);
    link_free(l->link);
    timers_free(l->read_timer);
    timers_free(l->page_timer);
    cursor_free(l->cursor);
    free(l);
}

void log_link_connect(struct log_link *l, const struct socket_info *s)
{
    leases_connect(l->leases, s);
}

void log_link_disconnect(struct log_link *l, const char *sid, const char *reason, bool by_client)
{
    leases_disconnect(l->leases, sid, reason, by_client);
}

void log_link_ended(struct log_link *l, int64_t incarnation)
{
    if (l->incarnation == incarnation)
        link_fail(l->link,
                  "the database has ended incarnation %lld of this instance; opening again",
                  (long long)incarnation);
}

const char *log_link_reason(const struct log_link *l)
{
    return link_reason(l->link);
}

void log_link_finish(struct log_link *l)
{
    l->finishing = true;
    uv_timer_stop(l->read_timer);
    uv_timer_stop(l->page_timer);
    leases_flush(l->leases);
}

bool log_link_idle(const struct log_link *l)
{
    return !l->incarnation || !link_is_up(l->link) || link_pending(l->link) == 0;
}
