/* registrar: see registrar.h. */
#include "registrar.h"

#include <stdio.h>
#include <stdlib.h>

#include "answer.h"
#include "hub.h"
#include "log.h"
#include "roster.h"
#include "timers.h"

enum { BATCH = 1000, RETRY = 1000 };

struct registrar {
    const struct db_env *env;
    struct link *link;
    struct roster *roster;
    uv_timer_t *retry_timer, *turn_timer;
    int64_t incarnation; /* 0 = no session */
    bool telling_gone;
    bool put_off; /* and said so */
};

static const struct statement st_connect = {
    "connect",
    "SELECT sid, principal_id, rooms, greeting, snapshot, recovers, missed"
    " FROM vantage6_events.connect($1::bigint, $2::json)",
    2};
static const struct statement st_disconnect = {
    "disconnect", "SELECT vantage6_events.disconnect($1::bigint, $2::json)", 2};
static void send_batches(struct registrar *g);

static void put_off(struct registrar *g, const PGresult *r)
{
    char text[1024];
    roster_refused(g->roster);
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
    return PQgetisnull(r, row, column) ? NULL : json_loads(PQgetvalue(r, row, column), 0, NULL);
}

static void admit(struct registrar *g, const PGresult *r, int row)
{
    struct admission a = {
        .sid = PQgetvalue(r, row, 0),
        .principal = answer_integer(r, row, 1),
        .rooms = PQgetvalue(r, row, 2),
        .greeting = json_of(r, row, 3),
        .snapshot = PQgetvalue(r, row, 4),
        .recovers = PQgetvalue(r, row, 5)[0] == 't',
    };
    json_t *missed = json_of(r, row, 6);
    a.missed = missed;
    hub_admit(g->env->hub, &a, uv_now(g->env->loop));
    json_decref(a.greeting);
    json_decref(missed);
}

static void on_connected(void *ctx, const PGresult *r)
{
    struct registrar *g = ctx;
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
    roster_answered(g->roster);
    if (g->put_off)
        log_info("database (log link): sockets are registered again");
    g->put_off = false;
    g->env->changed(g->env->ctx);
    send_batches(g);
}

static void on_disconnected(void *ctx, const PGresult *r)
{
    struct registrar *g = ctx;
    if (!r)
        return;
    g->telling_gone = false;
    if (answer_failed(r)) {
        link_refused(g->link, r);
        return;
    }
    g->env->changed(g->env->ctx);
    send_batches(g);
}

static void send_json(struct registrar *g, const struct statement *st, char *json, link_done *done)
{
    char incarnation[24];
    snprintf(incarnation, sizeof incarnation, "%lld", (long long)g->incarnation);
    const char *values[] = {incarnation, json};
    link_send(g->link, st, values, done, g);
    free(json);
}

/* One batch of each kind is under way at most: what comes meanwhile makes the next one, so that
 * batches grow with the load. */
static void send_batches(struct registrar *g)
{
    char *json;
    if (!g->incarnation)
        return;
    if (!roster_in_flight(g->roster) && (json = roster_take_connects(g->roster, BATCH)))
        send_json(g, &st_connect, json, on_connected);
    if (!g->telling_gone && (json = roster_take_disconnects(g->roster, BATCH))) {
        g->telling_gone = true;
        send_json(g, &st_disconnect, json, on_disconnected);
    }
}

static void on_turn_timer(void *ctx)
{
    send_batches(ctx);
}

/* Once for all that come or go in this turn. */
static void send_soon(struct registrar *g)
{
    if (!uv_is_active((uv_handle_t *)g->turn_timer))
        timers_start(g->turn_timer, 0);
}

void registrar_connect(struct registrar *g, const struct socket_info *s)
{
    if (!g->incarnation)
        return;
    roster_connect(g->roster, s, g->env->offsets);
    send_soon(g);
}

void registrar_disconnect(struct registrar *g, const char *sid, const char *reason, bool by_client)
{
    if (!g->incarnation)
        return;
    roster_disconnect(g->roster, sid, reason, by_client);
    send_soon(g);
}

void registrar_flush(struct registrar *g)
{
    send_batches(g);
}

static void on_retry_timer(void *ctx)
{
    struct registrar *g = ctx;
    roster_retry(g->roster);
    send_batches(g);
}

void registrar_begin(struct registrar *g, int64_t incarnation)
{
    g->incarnation = incarnation;
    hub_renew(g->env->hub, uv_now(g->env->loop)); /* comes back in registrar_connect() */
    for (char *json; (json = roster_take_connects(g->roster, BATCH));)
        send_json(g, &st_connect, json, on_connected);
}

void registrar_end(struct registrar *g)
{
    g->incarnation = 0;
    g->telling_gone = g->put_off = false;
    roster_clear(g->roster);
    uv_timer_stop(g->retry_timer);
}

struct registrar *registrar_new(const struct db_env *env, struct link *link)
{
    struct registrar *g = calloc(1, sizeof *g);
    if (!g)
        abort();
    g->env = env;
    g->link = link;
    g->roster = roster_new();
    g->retry_timer = timers_new(env->loop, on_retry_timer, g);
    g->turn_timer = timers_new(env->loop, on_turn_timer, g);
    return g;
}

void registrar_free(struct registrar *g)
{
    if (!g)
        return;
    timers_free(g->retry_timer);
    timers_free(g->turn_timer);
    roster_free(g->roster);
    free(g);
}
