/* leases: see leases.h. */
#include "pg/leases.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "feed/lease_queue.h"
#include "loop/timers.h"
#include "pg/answer.h"
#include "socketio/hub.h"

enum { BATCH = 1000, RETRY = 1000 };

struct leases {
    const struct db_env *env;
    struct link *link;
    struct lease_queue *lease_queue;
    uv_timer_t *retry_timer, *turn_timer;
    int64_t incarnation; /* 0 = no session */
    int64_t before;      /* that of the session before; 0 = none */
    bool reporting_gone;
    bool put_off;              /* and must report it */
    struct greeting *greeting; /* of the row before, in an answer */
};

static const struct statement st_connect = {
    "connect",
    "SELECT sid, principal_id, rooms, greeting, snapshot, recovers, missed,"
    " coalesce(kind, '') = 'kicked'"
    " FROM vantage6_events.connect($1::bigint, $2::json)",
    2};
static const struct statement st_disconnect = {
    "disconnect", "SELECT vantage6_events.disconnect($1::bigint, $2::json)", 2};
static void send_batches(struct leases *g);

static void put_off(struct leases *g, const PGresult *r)
{
    char text[1024];
    lease_queue_refused(g->lease_queue);
    timers_start(g->retry_timer, RETRY);
    metrics_add(g->env->metrics, METRIC_DB_ERRORS, 1);
    if (g->put_off)
        return;
    g->put_off = true;
    answer_explain(r, NULL, text, sizeof text);
    log_warning("database (log link): registering sockets is put off, again every second: %s",
                text);
}

static json_t *json_of(const PGresult *r, int row, int column)
{
    return PQgetisnull(r, row, column)
               ? NULL
               : json_loads(PQgetvalue(r, row, column), JSON_DECODE_ANY, NULL);
}

/* The greeting of the row, which may be that of the row before. It is freed with the next one. */
static const struct greeting *greeting_of(struct leases *g, const PGresult *r, int row)
{
    json_t *events = json_of(r, row, 3);
    if (!events || !json_is_string(events)) {
        greeting_free(g->greeting);
        g->greeting = hub_greeting(g->env->hub, events);
    }
    json_decref(events);
    return g->greeting;
}

static void admit(struct leases *g, const PGresult *r, int row)
{
    if (PQgetvalue(r, row, 7)[0] == 't') {
        hub_kick(g->env->hub, PQgetvalue(r, row, 0));
        return;
    }
    struct registration a = {
        .sid = PQgetvalue(r, row, 0),
        .principal = answer_integer(r, row, 1),
        .rooms = PQgetvalue(r, row, 2),
        .greeting = greeting_of(g, r, row),
        .snapshot = PQgetvalue(r, row, 4),
        .recovers = PQgetvalue(r, row, 5)[0] == 't',
    };
    json_t *missed = json_of(r, row, 6);
    a.missed = missed;
    hub_set_rooms(g->env->hub, &a, uv_now(g->env->loop));
    json_decref(missed);
}

static void on_connected(void *ctx, const PGresult *r)
{
    struct leases *g = ctx;
    if (!r)
        return;
    if (answer_failed(r) && answer_is_passing(r)) {
        put_off(g, r);
        send_batches(g);
        return;
    }
    if (answer_failed(r)) {
        link_refused(g->link, r);
        return;
    }
    for (int i = 0; i < PQntuples(r); i++)
        admit(g, r, i);
    greeting_free(g->greeting);
    g->greeting = NULL;
    lease_queue_answered(g->lease_queue);
    if (g->put_off)
        log_info("database (log link): sockets are registered again");
    g->put_off = false;
    g->env->changed(g->env->ctx);
    send_batches(g);
}

static void on_disconnected(void *ctx, const PGresult *r)
{
    struct leases *g = ctx;
    if (!r)
        return;
    g->reporting_gone = false;
    if (answer_failed(r)) {
        link_refused(g->link, r);
        return;
    }
    g->env->changed(g->env->ctx);
    send_batches(g);
}

static void send_json(struct leases *g, const struct statement *st, char *json, link_done *done)
{
    char incarnation[24];
    snprintf(incarnation, sizeof incarnation, "%lld", (long long)g->incarnation);
    const char *values[] = {incarnation, json};
    link_send(g->link, st, values, done, g);
    free(json);
}

/* At most one batch of each kind is under way. Everything that happens meanwhile makes the next
 * one, so batches grow with the load. */
static void send_batches(struct leases *g)
{
    char *json;
    if (!g->incarnation)
        return;
    if (!lease_queue_in_flight(g->lease_queue) &&
        (json = lease_queue_take_connects(g->lease_queue, BATCH)))
        send_json(g, &st_connect, json, on_connected);
    if (!g->reporting_gone && (json = lease_queue_take_disconnects(g->lease_queue, BATCH))) {
        g->reporting_gone = true;
        send_json(g, &st_disconnect, json, on_disconnected);
    }
}

static void on_turn_timer(void *ctx)
{
    send_batches(ctx);
}

/* Once for all changes of this turn. */
static void send_soon(struct leases *g)
{
    if (!uv_is_active((uv_handle_t *)g->turn_timer))
        timers_start(g->turn_timer, 0);
}

void leases_connect(struct leases *g, const struct socket_info *s)
{
    if (!g->incarnation)
        return;
    lease_queue_connect(g->lease_queue, s, g->env->offsets);
    send_soon(g);
}

void leases_disconnect(struct leases *g, const char *sid, const char *reason, bool by_client)
{
    if (!g->incarnation)
        return;
    lease_queue_disconnect(g->lease_queue, sid, reason, by_client);
    send_soon(g);
}

void leases_flush(struct leases *g)
{
    send_batches(g);
}

static void on_retry_timer(void *ctx)
{
    struct leases *g = ctx;
    lease_queue_retry(g->lease_queue);
    send_batches(g);
}

/* The database has ended the leases that we had, but we ended none of their connections. */
static void tell_goes_on(struct leases *g)
{
    json_t *told = json_pack("[{sI}]", "goes_on", (json_int_t)g->before);
    char *json = json_dumps(told, JSON_COMPACT);
    json_decref(told);
    g->reporting_gone = true;
    send_json(g, &st_disconnect, must(json), on_disconnected);
}

void leases_begin(struct leases *g, int64_t incarnation)
{
    g->incarnation = incarnation;
    if (g->before)
        tell_goes_on(g);
    hub_renew(g->env->hub, uv_now(g->env->loop)); /* calls leases_connect() again */
    for (char *json; (json = lease_queue_take_connects(g->lease_queue, BATCH));)
        send_json(g, &st_connect, json, on_connected);
}

void leases_end(struct leases *g)
{
    if (g->incarnation)
        g->before = g->incarnation;
    g->incarnation = 0;
    g->reporting_gone = g->put_off = false;
    lease_queue_clear(g->lease_queue);
    uv_timer_stop(g->retry_timer);
}

struct leases *leases_new(const struct db_env *env, struct link *link)
{
    struct leases *g = alloc(sizeof *g);
    g->env = env;
    g->link = link;
    g->lease_queue = lease_queue_new();
    g->retry_timer = timers_new(env->loop, on_retry_timer, g);
    g->turn_timer = timers_new(env->loop, on_turn_timer, g);
    return g;
}

void leases_free(struct leases *g)
{
    if (!g)
        return;
    timers_free(g->retry_timer);
    timers_free(g->turn_timer);
    lease_queue_free(g->lease_queue);
    free(g);
}
