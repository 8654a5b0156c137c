/*
 * fixture: the server that public conformance suites of Engine.IO and Socket.IO expect, made of the
 * core and the network of vantage6-pushd: neither tokens nor a database.
 *
 *   fixture engine|socket [FLAGS OF vantage6-pushd]
 *
 * engine: at /engine.io/, each message comes back. socket: at /socket.io/, the namespaces / and
 * /custom. A CONNECT with {"refuse": why, "data": more} is refused so. A socket gets `auth`(payload
 * of its CONNECT, or {}). In / a client may send
 *   message(...)            comes back as message-back(...)
 *   message-with-ack(...)   its ack answers (...)
 *   ask(...)                asked(...) comes with an ack; what that answers comes as answered(...)
 *   join(room)              the socket is in this room too
 *   room-emit(room, ...)    room-message(...) goes to all of the room
 * all with attachments but the last. It says "listening ADDRESS" and ends with SIGTERM or SIGINT.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <uv.h>

#include "base/alloc.h"
#include "base/log.h"
#include "engineio/engine.h"
#include "engineio/net.h"
#include "engineio/session.h"
#include "mock_backend.h"
#include "net/server.h"
#include "socketio/hub.h"

struct fixture {
    struct config config;
    uv_loop_t loop;
    uv_prepare_t turn;
    uv_timer_t tick;
    uv_signal_t term, interrupt;
    struct metrics metrics;
    struct wheel *wheel;
    struct engine *engine;
    struct hub *hub; /* NULL in mode engine */
    struct server *server;
    struct mock_backend mock;
};

/* --- mode engine --- */

static void echo_opened(void *ctx, struct session *s, const struct request *rq, uint64_t now)
{
    (void)ctx;
    (void)s;
    (void)rq;
    (void)now;
}

static void echo(void *ctx, struct session *s, bool binary, const char *data, size_t len,
                 uint64_t now)
{
    struct frame *f = binary ? frame_new_binary(data, len)
                             : frame_new(2, (struct frame_part[]){{"4", 1}, {data, len}});
    (void)ctx;
    (void)now;
    session_queue(s, f);
    frame_unref(f);
}

static void echo_ended(void *ctx, struct session *s, const char *reason, bool by_client)
{
    (void)ctx;
    (void)s;
    (void)reason;
    (void)by_client;
}

/* --- mode socket --- */

struct member {
    struct mock_socket socket;
    char rooms[512];
    int64_t asked; /* acks that the socket was asked for; the last 64 that are open, a bit each */
    uint64_t open;
};

static struct member *member(struct fixture *f, const char *sid)
{
    return (struct member *)mock_backend_socket(&f->mock, sid);
}

/* True for an answer that was asked for, the first time. */
static bool take_question(struct member *m, int64_t ack)
{
    uint64_t bit = 1ull << (ack & 63);
    bool open = ack >= m->asked - 64 && ack < m->asked && m->open & bit;
    m->open &= ~bit;
    return open;
}

/* Emit [name, args...], or answer the ack with [args...] if name is NULL; args is taken over. */
static void answer(struct fixture *f, const char *sid, const char *name, json_t *args, int64_t ask,
                   const char *ack, const struct attachments *with)
{
    if (name)
        json_array_insert_new(args, 0, json_string(name));
    char *text = json_dumps(args, JSON_COMPACT);
    if (!text)
        abort();
    if (name)
        hub_emit(f->hub, sid, text, strlen(text), ask, with);
    else
        hub_ack(f->hub, sid, ack, text, strlen(text), with);
    free(text);
    json_decref(args);
}

static void admit(struct fixture *f, const char *sid, const char *rooms, uint64_t now)
{
    hub_set_rooms(f->hub, &(struct registration){.sid = sid, .principal = 1, .rooms = rooms}, now);
}

static void connect_socket(void *ctx, void *bearer, const struct socket_info *s, const json_t *auth,
                           uint64_t now)
{
    struct fixture *f = container_of(ctx, struct fixture, mock);
    const char *refuse = json_string_value(json_object_get(auth, "refuse"));
    mock_backend_add(ctx, bearer, s);
    if (refuse) {
        hub_refuse(f->hub, s->sid, refuse, json_object_get(auth, "data"));
        return;
    }
    hub_accept(f->hub, s->sid);
    admit(f, s->sid, "", now);
    json_t *args = json_array();
    json_array_append_new(args, auth ? json_deep_copy(auth) : json_object());
    answer(f, s->sid, "auth", args, -1, NULL, NULL);
}

static void join(struct fixture *f, const char *sid, const char *room)
{
    struct member *m = member(f, sid);
    size_t used = strlen(m->rooms);
    snprintf(m->rooms + used, sizeof m->rooms - used, "%s%s", used ? "," : "", room);
    admit(f, sid, m->rooms, uv_now(&f->loop));
}

static void room_emit(struct fixture *f, const char *nsp, const char *room, const json_t *event)
{
    json_t *args = json_copy((json_t *)event);
    json_array_remove(args, 0);
    json_array_set_new(args, 0, json_string("room-message"));
    char *text = json_dumps(args, JSON_COMPACT);
    if (!text)
        abort();
    hub_publish(
        f->hub,
        &(struct event){.nsp = nsp, .rooms = room, .payload = text, .payload_len = strlen(text)},
        uv_now(&f->loop));
    free(text);
    json_decref(args);
}

static void in_root(struct fixture *f, const struct incoming *e)
{
    const char *name = json_string_value(json_array_get(e->event, 0));
    const char *room = json_string_value(json_array_get(e->event, 1));
    json_t *args = json_copy((json_t *)e->event);
    json_array_remove(args, 0);
    if (!name)
        name = "";
    if (strcmp(name, "message") == 0)
        answer(f, e->sid, "message-back", json_incref(args), -1, NULL, &e->with);
    else if (strcmp(name, "message-with-ack") == 0 && e->ack[0])
        answer(f, e->sid, NULL, json_incref(args), -1, e->ack, &e->with);
    else if (strcmp(name, "ask") == 0) {
        struct member *m = member(f, e->sid);
        m->open |= 1ull << (m->asked & 63);
        answer(f, e->sid, "asked", json_incref(args), m->asked++, NULL, &e->with);
    } else if (strcmp(name, "join") == 0 && room)
        join(f, e->sid, room);
    else if (strcmp(name, "room-emit") == 0 && room)
        room_emit(f, e->nsp, room, e->event);
    json_decref(args);
}

static void receive(void *ctx, void *bearer, const struct incoming *e)
{
    struct fixture *f = container_of(ctx, struct fixture, mock);
    mock_backend_receive(ctx, bearer, e);
    if (strcmp(e->nsp, "/") == 0)
        in_root(f, e);
    hub_taken(f->hub, e->sid, e->bytes);
}

static void acked(void *ctx, void *bearer, const char *sid, int64_t ack, const json_t *args,
                  const struct attachments *with)
{
    struct fixture *f = container_of(ctx, struct fixture, mock);
    (void)bearer;
    if (take_question(member(f, sid), ack))
        answer(f, sid, "answered", json_copy((json_t *)args), -1, NULL, with);
}

/* --- the life of the fixture --- */

static void on_tick(uv_timer_t *timer)
{
    struct fixture *f = timer->data;
    wheel_advance(f->wheel, uv_now(&f->loop));
}

static void on_turn(uv_prepare_t *prepare)
{
    struct fixture *f = prepare->data;
    engine_flush(f->engine);
    int64_t wait = wheel_next(f->wheel, uv_now(&f->loop));
    if (wait < 0)
        uv_timer_stop(&f->tick);
    else
        uv_timer_start(&f->tick, on_tick, (uint64_t)wait, 0);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct fixture *f = handle->data;
    (void)number;
    if (uv_is_closing((uv_handle_t *)handle))
        return;
    engine_close_some(f->engine, SIZE_MAX);
    engine_flush(f->engine);
    server_close(f->server);
    uv_close((uv_handle_t *)&f->turn, NULL);
    uv_close((uv_handle_t *)&f->tick, NULL);
    uv_close((uv_handle_t *)&f->term, NULL);
    uv_close((uv_handle_t *)&f->interrupt, NULL);
}

static void start_loop(struct fixture *f)
{
    uv_loop_init(&f->loop);
    uv_prepare_init(&f->loop, &f->turn);
    uv_timer_init(&f->loop, &f->tick);
    uv_signal_init(&f->loop, &f->term);
    uv_signal_init(&f->loop, &f->interrupt);
    f->turn.data = f->tick.data = f->term.data = f->interrupt.data = f;
    uv_prepare_start(&f->turn, on_turn);
    uv_signal_start(&f->term, on_signal, SIGTERM);
    uv_signal_start(&f->interrupt, on_signal, SIGINT);
    signal(SIGPIPE, SIG_IGN);
}

static void start_core(struct fixture *f, bool sockets)
{
    f->wheel = wheel_new(uv_now(&f->loop));
    f->engine = engine_new(&f->config, &f->metrics, f->wheel);
    engine_set_user(f->engine,
                    &(struct engine_user){f, echo_opened, echo, echo_ended, NULL, NULL, NULL});
    if (!sockets)
        return;
    f->hub = hub_new(&f->config, &f->metrics, f->wheel, f->engine);
    mock_backend_begin(&f->mock);
    f->mock.socket_size = sizeof(struct member);
    f->mock.backend.acks = true;
    f->mock.backend.connect = connect_socket;
    f->mock.backend.receive = receive;
    f->mock.backend.acked = acked;
    hub_set_backend(f->hub, &f->mock.backend);
}

/* pushd's flags after what the suites presume: the last of two counts. */
static int configure(struct config *config, int argc, char **argv, char *err, size_t size)
{
    static char presumed[][32] = {"--config",
                                  "/dev/null",
                                  "--jwks-file",
                                  "/dev/null",
                                  "--listen",
                                  "127.0.0.1:3000",
                                  "--namespaces",
                                  "/ /custom",
                                  "--ping-interval",
                                  "300ms",
                                  "--ping-timeout",
                                  "200ms",
                                  "--connect-timeout",
                                  "1s",
                                  "--path",
                                  "/engine.io/"};
    enum { N = sizeof presumed / sizeof *presumed };
    char *none[] = {NULL};
    char **all = calloc((size_t)argc + N + 1, sizeof *all);
    int n = 0;
    if (!all)
        abort();
    all[n++] = argv[0];
    if (strcmp(argv[1], "socket") == 0)
        strcpy(presumed[N - 1], "/socket.io/");
    for (int i = 0; i < N; i++)
        all[n++] = presumed[i];
    for (int i = 2; i < argc; i++)
        all[n++] = argv[i];
    int status = config_load(config, n, all, none, err, size);
    free(all);
    return status;
}

static int serve(struct fixture *f, bool sockets)
{
    char err[512] = "";
    start_loop(f);
    start_core(f, sockets);
    f->server = server_open(&f->config, &f->loop, f->wheel, f->engine, err, sizeof err);
    if (!f->server) {
        fprintf(stderr, "fixture: %s\n", err);
        return 1;
    }
    printf("listening %s\n", f->config.listen);
    fflush(stdout);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    server_free(f->server);
    uv_loop_close(&f->loop);
    engine_free(f->engine);
    if (f->hub)
        hub_free(f->hub);
    wheel_free(f->wheel);
    return 0;
}

int main(int argc, char **argv)
{
    static struct fixture f;
    char err[512] = "";
    bool sockets = argc > 1 && strcmp(argv[1], "socket") == 0;
    if (!sockets && !(argc > 1 && strcmp(argv[1], "engine") == 0)) {
        fprintf(stderr, "usage: fixture engine|socket [FLAGS OF vantage6-pushd]\n");
        return 2;
    }
    int status = configure(&f.config, argc, argv, err, sizeof err);
    if (status != 0) {
        fprintf(stderr, "fixture: %s\n", err);
        status = 2;
    } else {
        log_setup((enum log_level)f.config.log_level, f.config.log_json);
        status = serve(&f, sockets);
    }
    config_free(&f.config);
    return status;
}
