/* daemon: see daemon.h. */
#include "daemon/daemon.h"

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>
#include <uv.h>

#include "auth/auth.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/wheel.h"
#include "daemon/admin.h"
#include "daemon/keys.h"
#include "daemon/warnings.h"
#include "engineio/engine.h"
#include "net/server.h"
#include "pg/conninfo.h"
#include "pg/db.h"
#include "socketio/hub.h"

/* While draining: the time between two rounds, and how many clients each closes at least. */
enum { DRAIN_TICK_MS = 50, DRAIN_LEAST = 50 };
/* Memory is returned after this many handshakes; this is checked at an interval. */
enum { TRIM_HANDSHAKES = 500, TRIM_MS = 3000 };
/* Descriptors besides those of sessions: other requests, and our own files. */
enum { OTHER_FILES = 192 };

struct daemon {
    const struct config *config;
    uv_loop_t loop;
    uv_prepare_t turn; /* the end of each turn */
    uv_timer_t tick;   /* the next timer of the wheel */
    uv_timer_t drain;
    uv_signal_t term, interrupt, hangup;
    struct metrics metrics;
    struct wheel *wheel;
    struct engine *engine;
    struct hub *hub;
    struct auth *auth;
    struct server *server;
    struct keys *keys;
    struct db *db;
    struct admin *admin;
    uv_timer_t trim;
    double trimmed_at; /* the number of handshakes at that time */
    size_t to_drain;
    bool draining;
};

static void set_clock(struct daemon *d)
{
    struct timeval tv;
    gettimeofday(&tv, NULL);
    auth_set_clock(d->auth, (int64_t)tv.tv_sec * 1000 + tv.tv_usec / 1000, uv_now(&d->loop));
}

static void on_tick(uv_timer_t *timer)
{
    struct daemon *d = timer->data;
    wheel_advance(d->wheel, uv_now(&d->loop));
}

/* Before the loop waits: sends what this turn has queued, and sets the timer. */
static void on_turn(uv_prepare_t *prepare)
{
    struct daemon *d = prepare->data;
    set_clock(d);
    hub_tick(d->hub, uv_now(&d->loop));
    log_catch_up();
    engine_flush(d->engine);
    int64_t wait = wheel_next(d->wheel, uv_now(&d->loop));
    if (wait < 0)
        uv_timer_stop(&d->tick);
    else
        uv_timer_start(&d->tick, on_tick, (uint64_t)wait, 0);
}

/* The headers of many simultaneous handshakes leave gaps in the heap: return them to the system. */
static void on_trim(uv_timer_t *timer)
{
    struct daemon *d = timer->data;
    double handshakes = d->metrics.value[METRIC_HANDSHAKES];
    if (handshakes - d->trimmed_at < TRIM_HANDSHAKES)
        return;
    d->trimmed_at = handshakes;
    malloc_trim(0);
}

static void flush(void *ctx)
{
    engine_flush(((struct daemon *)ctx)->engine);
}

/* --- readiness --- */

static void reasons(void *ctx, void (*say)(void *to, const char *reason), void *to)
{
    struct daemon *d = ctx;
    const char *listen = server_reason(d->server);
    const char *keys = keys_reason(d->keys), *db = db_reason(d->db);
    if (d->draining)
        say(to, "stopping: clients are being closed");
    if (listen)
        say(to, listen);
    if (keys)
        say(to, keys);
    if (db)
        say(to, db);
}

static const char *note(void *ctx)
{
    return db_note(((struct daemon *)ctx)->db);
}

static void not_ready(void *to, const char *reason)
{
    (void)reason;
    *(bool *)to = false;
}

static char *metrics(void *ctx, size_t *len)
{
    struct daemon *d = ctx;
    bool ready = true;
    reasons(d, not_ready, &ready);
    metrics_set(&d->metrics, METRIC_READY, ready);
    metrics_set(&d->metrics, METRIC_KEYS_AGE, keys_age(d->keys));
    metrics_set(&d->metrics, METRIC_LOG_UNREAD, (double)log_lost());
    metrics_set(&d->metrics, METRIC_GAUGES, (double)gauges_count(db_gauges(d->db)));
    return metrics_text(&d->metrics, db_gauges(d->db), len);
}

/* --- keys --- */

static void use_keys(void *ctx, const struct keyset *keys, uint64_t as_of)
{
    struct daemon *d = ctx;
    set_clock(d);
    auth_set_keys(d->auth, keys, as_of, uv_now(&d->loop));
}

static void unknown_key(void *ctx)
{
    keys_refresh(((struct daemon *)ctx)->keys);
}

/* --- the end --- */

static void close_handle(uv_handle_t *handle, void *ctx)
{
    (void)ctx;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void on_database_closed(void *ctx)
{
    struct daemon *d = ctx;
    d->db = NULL;
    auth_set_keys(d->auth, NULL, 0, uv_now(&d->loop));
    keys_close(d->keys);
    admin_close(d->admin);
    server_close(d->server);
    uv_handle_t *ours[] = {(uv_handle_t *)&d->turn,  (uv_handle_t *)&d->tick,
                           (uv_handle_t *)&d->drain, (uv_handle_t *)&d->trim,
                           (uv_handle_t *)&d->term,  (uv_handle_t *)&d->interrupt,
                           (uv_handle_t *)&d->hangup};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        close_handle(ours[i], NULL);
}

static void on_drain(uv_timer_t *timer)
{
    struct daemon *d = timer->data;
    uint64_t time = d->config->drain_time ? d->config->drain_time : 1;
    size_t share = (size_t)(d->to_drain * DRAIN_TICK_MS / time) + 1;
    engine_close_some(d->engine, share > DRAIN_LEAST ? share : DRAIN_LEAST);
    engine_flush(d->engine);
    if (engine_sessions(d->engine) > 0)
        return;
    uv_timer_stop(timer);
    log_info("stopped: all clients are closed");
    db_close(d->db, on_database_closed, d);
}

static void on_term(uv_signal_t *handle, int number)
{
    struct daemon *d = handle->data;
    if (d->draining) {
        log_info("stopped at once by a second %s", number == SIGTERM ? "SIGTERM" : "SIGINT");
        _exit(DAEMON_OK);
    }
    d->draining = true;
    d->to_drain = engine_sessions(d->engine);
    log_info("stopping clients=%zu", d->to_drain);
    server_stop_listening(d->server);
    engine_drain(d->engine);
    uv_timer_start(&d->drain, on_drain, 0, DRAIN_TICK_MS);
}

static void on_hangup(uv_signal_t *handle, int number)
{
    (void)number;
    keys_refresh_now(((struct daemon *)handle->data)->keys);
}

/* --- the beginning --- */

/* Downwards too: libwebsockets allocates by it, and in containers it may be 2^30. */
static void set_file_limit(const struct config *config)
{
    struct rlimit limit;
    rlim_t want = (rlim_t)config->max_connections + OTHER_FILES;
    /* A polling client may have a second connection. */
    rlim_t best = want + (rlim_t)config->max_polling;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max < best ? limit.rlim_max : best;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < want)
        log_warning(
            "only %llu files may be open, %d connections need %llu: raise the limit of open "
            "files (LimitNOFILE) or lower max_connections",
            (unsigned long long)limit.rlim_cur, config->max_connections, (unsigned long long)want);
}

static void watch(struct daemon *d, uv_signal_t *handle, uv_signal_cb cb, int number)
{
    uv_signal_init(&d->loop, handle);
    handle->data = d;
    uv_signal_start(handle, cb, number);
}

static void start_loop(struct daemon *d)
{
    uv_loop_init(&d->loop);
    uv_prepare_init(&d->loop, &d->turn);
    uv_timer_init(&d->loop, &d->tick);
    uv_timer_init(&d->loop, &d->drain);
    uv_timer_init(&d->loop, &d->trim);
    d->turn.data = d->tick.data = d->drain.data = d->trim.data = d;
    uv_timer_start(&d->trim, on_trim, TRIM_MS, TRIM_MS);
    uv_prepare_start(&d->turn, on_turn);
    watch(d, &d->term, on_term, SIGTERM);
    watch(d, &d->interrupt, on_term, SIGINT);
    watch(d, &d->hangup, on_hangup, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
}

/* Opens everything that can fail permanently. One line in err if it does. */
static int open_all(struct daemon *d, char *err, size_t size)
{
    struct admin_source source = {.ctx = d, .reasons = reasons, .note = note, .metrics = metrics};
    struct keys_env keys = {d->config, &d->loop, &d->metrics, use_keys, d};
    d->server = server_open(d->config, &d->loop, d->wheel, d->engine, err, size);
    if (!d->server)
        return -1;
    d->admin = admin_open(&d->loop, d->config->admin_listen, &source, err, size);
    if (!d->admin)
        return -1;
    if (!conninfo_check(d->config->conninfo, err, size))
        return -1;
    d->keys = keys_open(&keys, err, size); /* the first one that may log */
    if (!d->keys)
        return -1;
    d->db = db_open(d->config, &d->loop, d->hub, &d->metrics, flush, d);
    auth_set_backend(d->auth, db_backend(d->db));
    auth_on_unknown_key(d->auth, unknown_key, d);
    return 0;
}

static void warn(const char *text)
{
    log_warning("configuration: %s", text);
}

int daemon_run(const struct config *config)
{
    static struct daemon d;
    char err[512] = "";
    d.config = config;
    log_never_wait();
    set_file_limit(config);
    start_loop(&d);
    d.wheel = wheel_new(uv_now(&d.loop));
    d.engine = engine_new(config, &d.metrics, d.wheel);
    d.hub = hub_new(config, &d.metrics, d.wheel, d.engine);
    d.auth = auth_new(config, &d.metrics, d.wheel, d.hub);
    hub_set_backend(d.hub, auth_backend(d.auth));
    set_clock(&d);
    if (open_all(&d, err, sizeof err) != 0) {
        log_error("%s", err);
        return DAEMON_CONFIG; /* the system frees the rest */
    }
    warnings_find(config, warn);
    log_info("%s version=%s listen=%s path=%s admin=%s",
             server_reason(d.server) ? "not listening yet" : "listening", PUSHD_VERSION,
             config->listen, config->path, config->admin_listen);
    uv_run(&d.loop, UV_RUN_DEFAULT);
    server_free(d.server);
    uv_loop_close(&d.loop);
    engine_free(d.engine);
    auth_free(d.auth);
    hub_free(d.hub);
    wheel_free(d.wheel);
    return DAEMON_OK;
}
