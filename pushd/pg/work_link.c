/* work_link: see work_link.h. At most one statement of each kind is under way. */
#include "pg/work_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/sid.h"
#include "feed/ack_report.h"
#include "feed/client_report.h"
#include "feed/inbox.h"
#include "loop/timers.h"
#include "pg/answer.h"
#include "pg/link.h"

/* EAGER: how often in a row presence() may say "more now" without a pause, because rows that others
 * have locked stay due. */
enum { EAGER = 64, EAGER_PAUSE = 100, PASSING = 1000, ACK_REPORTS = 1000 };

struct work_link {
    const struct db_env *env;
    struct link *link;
    struct inbox *inbox;
    struct client_reports *reports;
    struct ack_reports *ack_reports;
    char stream[SID_LEN + 1];
    uv_timer_t *beat_timer, *presence_timer;
    int64_t incarnation; /* 0 = none */
    int64_t beaten;      /* the incarnation of the beat under way; 0 = none */
    int64_t received;    /* the incarnation of the batch under way; 0 = none */
    int64_t acking;      /* the incarnation of the ack_reports under way */
    bool presence, presence_again;
    unsigned eager;
    json_t *moved, *reporting; /* principals: for the next presence, and of the one under way */
    json_t *upgraded; /* sids, for the next beat; only for information, so one may be lost */
};

static const struct statement st_beat = {"beat",
                                         "SELECT vantage6_events.beat($1::bigint, $2::text[])", 2};
static const struct statement st_presence = {
    "presence", "SELECT vantage6_events.presence($1::integer, $2::integer[])", 2};
static const struct statement st_receive = {
    "receive", "SELECT taken, report FROM vantage6_events.receive($1::bigint, $2::text, $3::json)",
    3};
static const struct statement st_ack = {"ack", "SELECT vantage6_events.ack($1::bigint, $2::json)",
                                        2};

static bool working(const struct work_link *w)
{
    return w->incarnation && link_is_up(w->link);
}

/* True if r is an answer. A temporary failure is left to the next attempt. */
static bool good(struct work_link *w, const PGresult *r)
{
    if (!answer_failed(r))
        return true;
    if (answer_is_passing(r))
        metrics_add(w->env->metrics, METRIC_DB_ERRORS, 1);
    else
        link_refused(w->link, r);
    return false;
}

/* --- events from clients --- */

static void send_inbox(struct work_link *w);

static void refuse_data(struct work_link *w, const PGresult *r)
{
    char text[1024];
    bool encoding = answer_is_encoding(r);
    char *report = inbox_refused(w->inbox, encoding ? "encoding" : "data");
    metrics_add(w->env->metrics, METRIC_DB_ERRORS, 1);
    if (!report)
        return;
    /* What the client may do at will is told within client_log_rate, by the report. */
    if (!encoding) {
        answer_explain(r, NULL, text, sizeof text);
        log_warning("an event of a client was refused by the database and is dropped: %s", text);
    }
    client_reports_take(w->reports, report, uv_now(w->env->loop));
    free(report);
}

static void on_received(void *ctx, const PGresult *r)
{
    struct work_link *w = ctx;
    int64_t incarnation = w->received;
    w->received = 0;
    if (!r)
        return;
    if (answer_failed(r) && answer_is_ended(r)) {
        w->env->ended(w->env->ctx, incarnation);
        return;
    }
    if (answer_failed(r) && answer_is_data(r)) {
        refuse_data(w, r);
        send_inbox(w);
        return;
    }
    if (!good(w, r))
        return;
    client_reports_answer(w->reports, PQgetisnull(r, 0, 1) ? NULL : PQgetvalue(r, 0, 1),
                          uv_now(w->env->loop));
    if (inbox_taken(w->inbox, answer_integer(r, 0, 0)))
        send_inbox(w);
}

static void send_items(struct work_link *w, const char *items)
{
    char incarnation[24];
    w->received = w->incarnation;
    snprintf(incarnation, sizeof incarnation, "%lld", (long long)w->incarnation);
    const char *values[] = {incarnation, w->stream, items};
    link_send(w->link, &st_receive, values, on_received, w);
}

static void send_inbox(struct work_link *w)
{
    char *items;
    if (!working(w) || w->received || !(items = inbox_batch(w->inbox)))
        return;
    send_items(w, items);
    free(items);
}

/* Sends what there is, if only to learn how large the event log is. */
static void send_inbox_or_ask(struct work_link *w)
{
    send_inbox(w);
    if (!w->received)
        send_items(w, "[]");
}

static bool is_here(void *ctx, const char *sid)
{
    struct work_link *w = ctx;
    return hub_has(w->env->hub, sid);
}

static void pause_principal(void *ctx, int64_t principal, uint64_t ms, uint64_t now)
{
    struct work_link *w = ctx;
    hub_pause(w->env->hub, principal, ms, now);
}

static void on_item_left(void *ctx, const char *sid, size_t bytes)
{
    struct work_link *w = ctx;
    hub_taken(w->env->hub, sid, bytes);
}

void work_link_receive(struct work_link *w, const struct incoming *e)
{
    inbox_put(w->inbox, e->sid, e->principal, e->nsp, e->event, e->bytes);
    send_inbox(w);
}

/* --- ack reports --- */

static void send_ack_reports(struct work_link *w);

static void on_acked(void *ctx, const PGresult *r)
{
    struct work_link *w = ctx;
    int64_t incarnation = w->acking;
    w->acking = 0;
    if (!r || answer_failed(r)) {
        ack_reports_lost(w->ack_reports); /* until the next beat */
        if (r && answer_is_ended(r))
            w->env->ended(w->env->ctx, incarnation);
        else if (r)
            good(w, r);
        return;
    }
    ack_reports_answered(w->ack_reports, PQgetisnull(r, 0, 0) ? NULL : PQgetvalue(r, 0, 0));
    send_ack_reports(w);
}

static void send_ack_reports(struct work_link *w)
{
    char incarnation[24], *ack_reports;
    if (!working(w) || w->acking || !(ack_reports = ack_reports_take(w->ack_reports, ACK_REPORTS)))
        return;
    w->acking = w->incarnation;
    snprintf(incarnation, sizeof incarnation, "%lld", (long long)w->incarnation);
    const char *values[] = {incarnation, ack_reports};
    link_send(w->link, &st_ack, values, on_acked, w);
    free(ack_reports);
}

void work_link_ack_report(struct work_link *w, int64_t id, int64_t principal, const char *sid,
                          bool acked)
{
    ack_reports_put(w->ack_reports, id, principal, sid, acked);
    send_ack_reports(w);
}

/* --- presence --- */

static void reconcile(struct work_link *w);

static void next_presence(struct work_link *w, const PGresult *r)
{
    double seconds = strtod(PQgetvalue(r, 0, 0), NULL);
    bool now = w->presence_again;
    w->presence_again = false;
    if (!PQgetisnull(r, 0, 0) && seconds <= 0) {
        now = ++w->eager < EAGER;
        if (!now)
            timers_start(w->presence_timer, EAGER_PAUSE);
    } else {
        w->eager = 0;
        if (!PQgetisnull(r, 0, 0) && !now)
            timers_start(w->presence_timer, (uint64_t)(seconds * 1000) + 1);
    }
    if (now)
        reconcile(w);
}

static void on_presence(void *ctx, const PGresult *r)
{
    struct work_link *w = ctx;
    w->presence = false;
    if (r && good(w, r)) {
        json_array_clear(w->reporting);
        next_presence(w, r);
        return;
    }
    json_array_extend(w->moved, w->reporting);
    json_array_clear(w->reporting);
    if (r)
        timers_start(w->presence_timer, PASSING);
}

/* "{1,2}", malloc'd: as PostgreSQL writes an array of numbers or sids. */
static char *array_text(const json_t *list)
{
    char *text = must(json_dumps(list, JSON_COMPACT));
    text[0] = '{';
    text[strlen(text) - 1] = '}';
    return text;
}

static void reconcile(struct work_link *w)
{
    if (!working(w))
        return;
    if (w->presence) {
        w->presence_again = true;
        return;
    }
    json_t *reported = w->reporting;
    w->reporting = w->moved;
    w->moved = reported;
    char *moved = array_text(w->reporting);
    const char *values[] = {"100", moved};
    w->presence = true;
    uv_timer_stop(w->presence_timer);
    link_send(w->link, &st_presence, values, on_presence, w);
    free(moved);
}

static void on_presence_timer(void *ctx)
{
    reconcile(ctx);
}

void work_link_changed(struct work_link *w)
{
    reconcile(w);
}

void work_link_upgraded(struct work_link *w, const char *sid)
{
    json_array_append_new(w->upgraded, json_string(sid));
}

void work_link_moved(struct work_link *w, int64_t principal)
{
    json_array_append_new(w->moved, json_integer(principal));
    if (!w->presence)
        timers_start(w->presence_timer, 0);
    else
        w->presence_again = true;
}

/* --- the beat --- */

static void on_beat(void *ctx, const PGresult *r)
{
    struct work_link *w = ctx;
    int64_t incarnation = w->beaten;
    w->beaten = 0;
    if (!r || !good(w, r))
        return;
    if (link_works(w->link))
        log_info("database (work link): works");
    if (PQgetvalue(r, 0, 0)[0] != 't')
        w->env->ended(w->env->ctx, incarnation);
}

static void beat(void *ctx)
{
    struct work_link *w = ctx;
    char incarnation[24];
    if (!working(w))
        return;
    if (!w->beaten) {
        char *upgraded = array_text(w->upgraded);
        w->beaten = w->incarnation;
        snprintf(incarnation, sizeof incarnation, "%lld", (long long)w->incarnation);
        const char *values[] = {incarnation, upgraded};
        link_send(w->link, &st_beat, values, on_beat, w);
        link_check(w->link);
        json_array_clear(w->upgraded);
        free(upgraded);
    }
    reconcile(w);
    send_inbox_or_ask(w);
    ack_reports_retry(w->ack_reports);
    send_ack_reports(w);
    client_reports_sum_up(w->reports, uv_now(w->env->loop));
}

static void start(struct work_link *w)
{
    if (!working(w))
        return;
    timers_repeat(w->beat_timer, w->env->config->beat_interval);
    beat(w);
}

static void stop(struct work_link *w)
{
    uv_timer_stop(w->beat_timer);
    uv_timer_stop(w->presence_timer);
    w->presence_again = false;
    w->eager = 0;
}

/* --- construction and end --- */

void work_link_begin(struct work_link *w, int64_t incarnation)
{
    w->incarnation = incarnation;
    if (!incarnation) {
        link_rest(w->link);
        stop(w);
        return;
    }
    link_open(w->link);
    start(w);
}

static void on_up(void *ctx)
{
    start(ctx);
}

static void on_down(void *ctx)
{
    stop(ctx);
}

static void on_turn(void *ctx)
{
    struct work_link *w = ctx;
    w->env->turn(w->env->ctx);
}

struct work_link *work_link_new(const struct db_env *env)
{
    static const struct link_calls calls = {on_up, on_down, NULL, on_turn};
    struct work_link *w = alloc(sizeof *w);
    w->env = env;
    w->inbox = inbox_new(on_item_left, w);
    w->ack_reports = ack_reports_new();
    w->moved = must(json_array());
    w->reporting = must(json_array());
    w->upgraded = must(json_array());
    w->reports = client_reports_new(&(struct client_report_setup){
        env->config, env->metrics, env->gauges, is_here, pause_principal, w});
    sid_new(w->stream);
    w->beat_timer = timers_new(env->loop, beat, w);
    w->presence_timer = timers_new(env->loop, on_presence_timer, w);
    w->link = link_new(&(struct link_setup){"work", env->config->conninfo, env->config->retry_max,
                                            env->config->answer_timeout, false, env->loop,
                                            env->metrics, &calls, w});
    return w;
}

void work_link_free(struct work_link *w)
{
    if (!w)
        return;
    link_free(w->link);
    timers_free(w->beat_timer);
    timers_free(w->presence_timer);
    inbox_free(w->inbox);
    ack_reports_free(w->ack_reports);
    json_decref(w->moved);
    json_decref(w->reporting);
    json_decref(w->upgraded);
    client_reports_free(w->reports);
    free(w);
}

const char *work_link_reason(const struct work_link *w)
{
    return link_reason(w->link);
}

const char *work_link_note(const struct work_link *w)
{
    return client_reports_note(w->reports);
}

bool work_link_idle(const struct work_link *w)
{
    return !working(w) || link_pending(w->link) == 0;
}
