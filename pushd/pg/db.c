/* db: see db.h. */
#include "pg/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/offset.h"
#include "loop/timers.h"
#include "pg/conninfo.h"
#include "pg/db_env.h"
#include "pg/log_link.h"
#include "pg/work_link.h"

enum { CLOSE_TIME = 2000 };

struct db {
    struct db_env env;
    struct backend backend;
    struct offset_log offsets;
    struct log_link *log;
    struct work_link *work;
    void (*turn)(void *ctx);
    void *turn_ctx;
    /* closing */
    uv_timer_t *close_timer;
    void (*done)(void *ctx);
    void *done_ctx;
};

/* --- calls of the hub --- */

/* Keeps nothing of a client: the database knows sockets. */
static void *arrive(void *ctx, struct client *c, const struct request *rq, uint64_t now)
{
    (void)ctx;
    (void)c;
    (void)rq;
    (void)now;
    return NULL;
}

static void leave(void *ctx, void *bearer)
{
    (void)ctx;
    (void)bearer;
}

static void connect_socket(void *ctx, void *bearer, const struct socket_info *s, const json_t *auth,
                           uint64_t now)
{
    struct db *db = ctx;
    (void)bearer;
    (void)auth;
    (void)now;
    if (!s->was) /* the database judges a resume: if it is away, the resume waits */
        hub_accept(db->env.hub, s->sid);
    log_link_connect(db->log, s);
}

static void disconnect_socket(void *ctx, void *bearer, const char *sid, const char *reason,
                              bool by_client)
{
    struct db *db = ctx;
    (void)bearer;
    gauges_end(db->env.gauges, sid);
    log_link_disconnect(db->log, sid, reason, by_client);
}

static void upgraded(void *ctx, void *bearer, const char *sid)
{
    struct db *db = ctx;
    (void)bearer;
    work_link_upgraded(db->work, sid);
}

static void receive(void *ctx, void *bearer, const struct incoming *e)
{
    struct db *db = ctx;
    (void)bearer;
    if (e->with.n > 0) /* the database cannot store them: no effect */
        hub_taken(db->env.hub, e->sid, e->bytes);
    else
        work_link_receive(db->work, e);
}

static void instruction(void *ctx, void *bearer, const char *sid, int64_t principal, int64_t id,
                        bool acked)
{
    struct db *db = ctx;
    (void)bearer;
    work_link_ack_report(db->work, id, principal, sid, acked);
}

const struct backend *db_backend(struct db *db)
{
    return &db->backend;
}

/* --- calls of the links --- */

static void on_incarnation(void *ctx, int64_t incarnation)
{
    struct db *db = ctx;
    work_link_begin(db->work, incarnation);
}

static void on_changed(void *ctx)
{
    struct db *db = ctx;
    work_link_changed(db->work);
}

static void on_moved(void *ctx, int64_t principal)
{
    struct db *db = ctx;
    work_link_moved(db->work, principal);
}

static void on_ended(void *ctx, int64_t incarnation)
{
    struct db *db = ctx;
    log_link_ended(db->log, incarnation);
}

static void close_if_idle(struct db *db)
{
    if (db->close_timer && log_link_idle(db->log) && work_link_idle(db->work))
        timers_start(db->close_timer, 0);
}

static void on_turn(void *ctx)
{
    struct db *db = ctx;
    db->turn(db->turn_ctx);
    close_if_idle(db);
}

/* --- construction and end --- */

/* <host name>:<port of listen>, unless the user set a name. */
static void name_instance(char *name, size_t len, const struct config *config)
{
    char host[256] = "";
    const char *port = config->listen ? strrchr(config->listen, ':') : NULL;
    if (config->instance && *config->instance)
        snprintf(name, len, "%s", config->instance);
    else if (gethostname(host, sizeof host - 1) == 0)
        snprintf(name, len, "%s%s", host, port ? port : "");
}

struct db *db_open(const struct config *config, uv_loop_t *loop, struct hub *hub,
                   struct metrics *metrics, void (*turn)(void *ctx), void *ctx)
{
    struct db *db = alloc(sizeof *db);
    db->env = (struct db_env){.config = config,
                              .loop = loop,
                              .hub = hub,
                              .metrics = metrics,
                              .offsets = &db->offsets,
                              .gauges = gauges_new((size_t)config->max_gauges),
                              .ctx = db,
                              .incarnation = on_incarnation,
                              .changed = on_changed,
                              .moved = on_moved,
                              .ended = on_ended,
                              .turn = on_turn};
    hub_set_offsets(hub, &db->offsets);
    name_instance(db->env.instance, sizeof db->env.instance, config);
    db->backend = (struct backend){.ctx = db,
                                   .arrive = arrive,
                                   .leave = leave,
                                   .connect = connect_socket,
                                   .disconnect = disconnect_socket,
                                   .upgraded = upgraded,
                                   .receive = receive,
                                   .ack_report = instruction};
    db->turn = turn;
    db->turn_ctx = ctx;
    db->work = work_link_new(&db->env);
    db->log = log_link_new(&db->env);
    return db;
}

const char *db_reason(const struct db *db)
{
    const char *reason = log_link_reason(db->log);
    return reason ? reason : work_link_reason(db->work);
}

const char *db_note(const struct db *db)
{
    return work_link_note(db->work);
}

struct gauges *db_gauges(const struct db *db)
{
    return db->env.gauges;
}

static void on_close_timer(void *ctx)
{
    struct db *db = ctx;
    void (*done)(void *) = db->done;
    void *done_ctx = db->done_ctx;
    log_link_free(db->log);
    work_link_free(db->work);
    timers_free(db->close_timer);
    gauges_free(db->env.gauges);
    offset_close(&db->offsets);
    free(db);
    if (done)
        done(done_ctx);
}

void db_close(struct db *db, void (*done)(void *ctx), void *ctx)
{
    db->done = done;
    db->done_ctx = ctx;
    log_link_finish(db->log);
    db->close_timer = timers_new(db->env.loop, on_close_timer, db);
    timers_start(db->close_timer, CLOSE_TIME);
    close_if_idle(db);
}
