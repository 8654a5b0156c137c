/*
 * link: see link.h.
 *
 * libpq resolves host names itself and blocks meanwhile. So name the database by hostaddr, or by a
 * name that the machine itself can resolve.
 */
#include "pg/link.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "pg/answer.h"
#include "pg/conninfo.h"

enum { RETRY_MIN = 100, REASON = 1024 };

/* Timeouts of a role or a database would end our session or its statements, so they are switched
 * off. The first statement stands alone, because its timeout might end the second. Not all versions
 * have each of these. A new session that already listens belongs to another link, through a pooler.
 */
static const struct statement st_patient = {NULL, "SET statement_timeout = 0", 0};
static const struct statement st_settings = {
    NULL,
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_listening_channels()),"
    " count(pg_catalog.set_config(s.name, v.value, false)) FROM pg_catalog.pg_settings AS s"
    " JOIN (VALUES ('lock_timeout', '0'), ('idle_session_timeout', '0'), ('transaction_timeout', "
    "'0'),"
    " ('idle_in_transaction_session_timeout', '0'), ('default_transaction_deferrable', 'off'),"
    " ('default_transaction_isolation', 'read committed')) AS v (name, value) ON v.name = s.name",
    0};
/* Since PostgreSQL 17. If a role sets it short, it would end the statements above. */
static const struct statement st_unhurried = {NULL, "SET transaction_timeout = 0", 0};
static const struct statement st_listens = {
    NULL, "SELECT EXISTS (SELECT FROM pg_catalog.pg_listening_channels())", 0};

enum state {
    LINK_RESTING,
    LINK_CONNECTING,
    LINK_UP,
    LINK_FAILED, /* to be closed when no callback is running */
    LINK_WAITING
};

struct link {
    struct link_setup setup;
    enum state state;
    bool open, was_up;
    PGconn *conn;
    struct conninfo_order order;
    uv_poll_t *poll;
    int events;
    /* connecting: time limit; up: for an answer; failed: now; waiting: back-off */
    uv_timer_t *timer;
    uint64_t delay, up_since;
    struct pipeline *pipeline;
    char farewell[REASON]; /* the server's last message before it closed */
    char reason[REASON];
};

static void on_timer(uv_timer_t *timer);
static void on_io(uv_poll_t *poll, int status, int events);

struct link *link_new(const struct link_setup *setup)
{
    struct link *l = alloc(sizeof *l);
    l->setup = *setup;
    l->pipeline = pipeline_new();
    l->timer = must(malloc(sizeof *l->timer));
    uv_timer_init(setup->loop, l->timer);
    l->timer->data = l;
    snprintf(l->reason, sizeof l->reason, "database (%s link): not connected yet", setup->name);
    return l;
}

static void unwatch(struct link *l)
{
    if (!l->poll)
        return;
    uv_poll_stop(l->poll);
    uv_close((uv_handle_t *)l->poll, (uv_close_cb)free);
    l->poll = NULL;
    l->events = 0;
}

/* --- the reason of a failure --- */

const char *link_reason(const struct link *l)
{
    return *l->reason ? l->reason : NULL;
}

bool link_works(struct link *l)
{
    bool changed = *l->reason;
    *l->reason = '\0';
    return changed;
}

void link_refused(struct link *l, const PGresult *result)
{
    char text[REASON];
    metrics_add(l->setup.metrics, METRIC_DB_ERRORS, 1);
    answer_explain(result, PQdb(l->conn), text, sizeof text);
    link_fail(l, "%s", text);
}

void link_fail(struct link *l, const char *format, ...)
{
    char text[REASON], line[REASON], whole[REASON];
    va_list args;
    if (l->state == LINK_FAILED)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    answer_fold(line, sizeof line, *text ? text : "the connection was closed");
    if (snprintf(whole, sizeof whole, "database (%s link): %s", l->setup.name, line) < 0)
        abort();
    if (strcmp(whole, l->reason) != 0)
        log_warning("%s", whole);
    memcpy(l->reason, whole, sizeof whole);
    l->state = LINK_FAILED;
    /* libpq may have closed its socket: before the loop continues and the number is used again. */
    unwatch(l);
    uv_timer_start(l->timer, on_timer, 0, 0);
}

static void lost(struct link *l)
{
    link_fail(l, "%s", *l->farewell ? l->farewell : PQerrorMessage(l->conn));
}

static void on_notice(void *ctx, const PGresult *result)
{
    struct link *l = ctx;
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    char text[REASON];
    answer_explain(result, PQdb(l->conn), text, sizeof text);
    if (answer_is_farewell(result))
        memcpy(l->farewell, text, sizeof text);
    else if (severity && strcmp(severity, "WARNING") == 0) {
        metrics_add(l->setup.metrics, METRIC_DB_WARNINGS, 1);
        log_warning("database (%s link): warning: %s", l->setup.name, text);
    } else
        log_debug("database (%s link): notice: %s", l->setup.name, text);
}

/* --- the connection --- */

static void watch(struct link *l, int events)
{
    if (events == l->events)
        return;
    if (!l->poll) {
        l->poll = must(malloc(sizeof *l->poll));
        l->poll->data = l;
        if (uv_poll_init(l->setup.loop, l->poll, PQsocket(l->conn)) != 0)
            abort();
    }
    l->events = events;
    uv_poll_start(l->poll, events, on_io);
}

static void connect_start(struct link *l)
{
    char name[64];
    snprintf(name, sizeof name, "vantage6-pushd %s", l->setup.name);
    l->farewell[0] = '\0';
    l->state = LINK_CONNECTING;
    l->conn = must(conninfo_start(l->setup.conninfo, &l->order, name));
    PQsetNoticeReceiver(l->conn, on_notice, l);
    if (PQstatus(l->conn) == CONNECTION_BAD) {
        lost(l);
        return;
    }
    uv_timer_start(l->timer, on_timer, conninfo_patience(l->conn), 0);
    watch(l, UV_WRITABLE);
}

static void on_setting(void *ctx, const PGresult *r)
{
    struct link *l = ctx;
    if (r && answer_failed(r))
        link_refused(l, r);
    else if (r && PQntuples(r) == 1 && PQgetvalue(r, 0, 0)[0] == 't')
        link_fail(l, "a new session that listens already. %s", answer_pooled);
}

static void on_listens(void *ctx, const PGresult *r)
{
    struct link *l = ctx;
    if (r && answer_failed(r))
        link_refused(l, r);
    else if (r && (PQgetvalue(r, 0, 0)[0] == 't') != l->setup.listens)
        link_fail(l, "another session than before. %s", answer_pooled);
}

void link_check(struct link *l)
{
    if (l->state == LINK_UP)
        link_send(l, &st_listens, NULL, on_listens, l);
}

static void connected(struct link *l)
{
    uv_timer_stop(l->timer);
    PQsetnonblocking(l->conn, 1);
    if (!PQenterPipelineMode(l->conn)) {
        lost(l);
        return;
    }
    metrics_add(l->setup.metrics, METRIC_DB_RECONNECTS, 1);
    l->state = LINK_UP;
    l->was_up = true;
    l->up_since = uv_now(l->setup.loop);
    watch(l, UV_READABLE);
    if (PQserverVersion(l->conn) >= 170000)
        link_send(l, &st_unhurried, NULL, on_setting, l);
    link_send(l, &st_patient, NULL, on_setting, l);
    link_send(l, &st_settings, NULL, on_setting, l);
    if (l->state == LINK_UP)
        l->setup.calls->up(l->setup.ctx);
}

static void connect_step(struct link *l)
{
    /* libpq may continue with another socket, even one with the same number. */
    unwatch(l);
    switch (PQconnectPoll(l->conn)) {
    case PGRES_POLLING_READING:
        watch(l, UV_READABLE);
        break;
    case PGRES_POLLING_WRITING:
        watch(l, UV_WRITABLE);
        break;
    case PGRES_POLLING_OK:
        connected(l);
        break;
    default:
        lost(l);
    }
}

static void wait_to_retry(struct link *l, bool was_up)
{
    unsigned char dice = 0;
    /* A connection that lasted ends the back-off; a short one does not. */
    if (was_up && uv_now(l->setup.loop) - l->up_since > 4 * l->delay)
        l->delay = 0;
    l->delay = l->delay ? 2 * l->delay : RETRY_MIN;
    if (l->delay > l->setup.retry_max)
        l->delay = l->setup.retry_max;
    uv_random(NULL, NULL, &dice, sizeof dice, 0, NULL);
    l->state = LINK_WAITING;
    uv_timer_start(l->timer, on_timer, l->delay / 2 + l->delay * dice / 512, 0);
}

static void disconnect(struct link *l)
{
    unwatch(l);
    PQfinish(l->conn);
    l->conn = NULL;
}

static void take_down(struct link *l)
{
    bool was_up = l->was_up;
    l->was_up = false;
    disconnect(l);
    pipeline_cancel(l->pipeline);
    if (was_up)
        l->setup.calls->down(l->setup.ctx);
    if (l->open)
        wait_to_retry(l, was_up);
    else
        l->state = LINK_RESTING;
}

static void give_up(struct link *l)
{
    conninfo_turn(&l->order, l->conn);
    link_fail(l, "no answer from %s, port %s, within connect_timeout", PQhost(l->conn),
              PQport(l->conn));
}

static void on_timer(uv_timer_t *timer)
{
    struct link *l = timer->data;
    if (l->state == LINK_FAILED)
        take_down(l);
    else if (l->state == LINK_WAITING)
        connect_start(l);
    else if (l->state == LINK_CONNECTING)
        give_up(l);
    else if (l->state == LINK_UP)
        link_fail(l, "no answer from the server within answer_timeout, %g s",
                  (double)l->setup.answer_timeout / 1000);
}

void link_open(struct link *l)
{
    l->open = true;
    if (l->state == LINK_RESTING)
        connect_start(l);
}

void link_rest(struct link *l)
{
    l->open = false;
    if (l->state == LINK_WAITING) {
        uv_timer_stop(l->timer);
        l->state = LINK_RESTING;
    }
}

bool link_is_up(const struct link *l)
{
    return l->state == LINK_UP;
}

void link_free(struct link *l)
{
    if (!l)
        return;
    disconnect(l);
    conninfo_order_free(&l->order);
    pipeline_free(l->pipeline);
    uv_timer_stop(l->timer);
    uv_close((uv_handle_t *)l->timer, (uv_close_cb)free);
    free(l);
}

/* --- statements --- */

static void flush(struct link *l)
{
    int left = l->state == LINK_UP ? PQflush(l->conn) : 0;
    if (left < 0 || (l->state == LINK_UP && PQsocket(l->conn) < 0))
        lost(l);
    else if (l->state == LINK_UP)
        watch(l, left ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

void link_send(struct link *l, const struct statement *st, const char *const *values,
               link_done *done, void *ctx)
{
    PGconn *conn = l->state == LINK_UP ? l->conn : NULL;
    if (conn && pipeline_pending(l->pipeline) == 0)
        uv_timer_start(l->timer, on_timer, l->setup.answer_timeout, 0);
    if (pipeline_put(l->pipeline, conn, st, values, done, ctx))
        flush(l);
    else if (conn)
        lost(l);
    else
        link_fail(l, "a statement was sent while the link was down");
}

size_t link_pending(const struct link *l)
{
    return pipeline_pending(l->pipeline);
}

static bool answer(struct link *l)
{
    int n;
    bool any = false;
    while (l->state == LINK_UP && (n = pipeline_next(l->pipeline, l->conn)) != 0) {
        if (n < 0)
            lost(l);
        any = true;
    }
    if (any && l->state == LINK_UP) {
        uv_timer_stop(l->timer);
        if (pipeline_pending(l->pipeline) > 0)
            uv_timer_start(l->timer, on_timer, l->setup.answer_timeout, 0);
    }
    return any;
}

static bool take_bells(struct link *l)
{
    bool rang = false;
    for (PGnotify *n; (n = PQnotifies(l->conn)); rang = true)
        PQfreemem(n);
    if (rang && l->state == LINK_UP && l->setup.calls->bell)
        l->setup.calls->bell(l->setup.ctx);
    return rang;
}

static void on_io(uv_poll_t *poll, int status, int events)
{
    struct link *l = poll->data;
    if (l->state == LINK_FAILED)
        return;
    if (l->state == LINK_CONNECTING) {
        connect_step(l);
        return;
    }
    /* libuv has stopped watching. The server's last message may be read now, before the end of the
     * connection. flush() watches again. */
    if (status < 0)
        unwatch(l);
    if ((status < 0 || events & UV_READABLE) && !PQconsumeInput(l->conn)) {
        lost(l);
        return;
    }
    bool any = answer(l);
    if (take_bells(l))
        any = true;
    flush(l);
    if (any)
        l->setup.calls->turn(l->setup.ctx);
}
