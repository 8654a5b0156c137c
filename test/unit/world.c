/* world: see world.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

static void reply(void *request, int status, const char *type, const void *body, size_t len)
{
    struct place *p = request;
    (void)type;
    assert_int_equal(p->status, 0); /* each request is answered once */
    assert_true(len < sizeof p->text);
    p->status = status;
    if (len)
        memcpy(p->text, body, len);
    p->text[len] = '\0';
}

/* Undo the framing, so that tests read packets. */
static bool send_ws(void *ws, const void *data, size_t len)
{
    struct place *p = ws;
    const unsigned char *at = data, *end = at + len;
    size_t used = strlen(p->text);
    p->sends++;
    assert_false(p->backlog);
    while (at < end) {
        size_t n = at[1], head = 2;
        assert_true(at[0] == 0x81 || at[0] == 0x82);
        if (at[0] == 0x82)
            p->text[used++] = 'b';
        if (n == 126) {
            n = (size_t)at[2] << 8 | at[3];
            head = 4;
        } else if (n == 127) {
            n = (size_t)at[6] << 24 | (size_t)at[7] << 16 | (size_t)at[8] << 8 | at[9];
            head = 10;
        }
        if (used + n + 2 > sizeof p->text) /* of a flood only the beginning is kept */
            n = sizeof p->text - used - 2;
        memcpy(p->text + used, at + head, n);
        used += n;
        p->text[used++] = '\n';
        p->text[used] = '\0';
        if (used + 2 >= sizeof p->text)
            return true;
        at += head + n;
    }
    p->backlog = p->stalled;
    return !p->backlog;
}

static void close_ws(void *ws, unsigned code)
{
    struct place *p = ws;
    assert_false(p->closed);
    p->code = code;
    p->closed = true;
    p->session = NULL;
}

static void pause_ws(void *ws, bool paused)
{
    ((struct place *)ws)->paused = paused;
}

static void ask(struct world *w, const char *format, ...)
{
    size_t used = strlen(w->asked);
    va_list args;
    va_start(args, format);
    vsnprintf(w->asked + used, sizeof w->asked - used, format, args);
    va_end(args);
}

static void *backend_arrive(void *ctx, struct client *c, const struct request *rq, uint64_t now)
{
    struct world *w = ctx;
    (void)rq;
    (void)now;
    w->bearers++;
    return c; /* any value: it comes back */
}

static void backend_leave(void *ctx, void *bearer)
{
    struct world *w = ctx;
    assert_non_null(bearer);
    w->bearers--;
}

static void backend_connect(void *ctx, void *bearer, const struct socket_info *s,
                            const json_t *auth, uint64_t now)
{
    struct world *w = ctx;
    (void)now;
    assert_non_null(bearer);
    snprintf(w->sid, sizeof w->sid, "%s", s->sid);
    ask(w, "connect%s %s %s %s", s->again ? " again" : "", s->nsp, s->subject, s->transport);
    if (s->was)
        ask(w, " was %s at %s%s", s->was, s->offset ? s->offset : "its beginning",
            s->expired ? " expired" : "");
    ask(w, "\n");
    if (s->was)
        return; /* hub_set_rooms() accepts it */
    if (w->refusal)
        hub_refuse(w->hub, s->sid, w->refusal, auth);
    else if (!w->silent)
        hub_accept(w->hub, s->sid);
}

static void backend_upgraded(void *ctx, void *bearer, const char *sid)
{
    (void)bearer;
    (void)sid;
    ask(ctx, "upgraded\n");
}

static void backend_disconnect(void *ctx, void *bearer, const char *sid, const char *reason,
                               bool by_client)
{
    (void)sid;
    assert_non_null(bearer);
    ask(ctx, "disconnect %s %d\n", reason, by_client);
}

static void keep(struct world *w, const struct attachments *with)
{
    if (with->n == 0)
        return;
    frame_unref(w->kept);
    w->kept = frame_ref(with->frames[with->n - 1]);
}

static void backend_receive(void *ctx, void *bearer, const struct incoming *e)
{
    struct world *w = ctx;
    assert_non_null(bearer);
    ask(w, "receive %lld %s %s %zu%s%s\n", (long long)e->principal, e->nsp,
        json_string_value(json_array_get(e->event, 0)), e->bytes, w->backend.acks ? " ack " : "",
        w->backend.acks ? e->ack : "");
    keep(w, &e->with);
}

static void backend_acked(void *ctx, void *bearer, const char *sid, int64_t ack, const json_t *args,
                          const struct attachments *with)
{
    char *text = json_dumps(args, JSON_COMPACT);
    (void)sid;
    assert_non_null(bearer);
    ask(ctx, "acked %lld %s\n", (long long)ack, text);
    free(text);
    keep(ctx, with);
}

static void backend_ack_report(void *ctx, void *bearer, const char *sid, int64_t principal,
                               int64_t id, bool acked)
{
    assert_non_null(bearer);
    assert_int_equal(strlen(sid), 20);
    ask(ctx, "%s instruction %lld %s %lld\n", acked ? "acked" : "sent", (long long)id,
        acked ? "of" : "to", (long long)principal);
}

static void set_cookie(void *request, const char *value)
{
    struct place *p = request;
    snprintf(p->cookie, sizeof p->cookie, "%s", value);
}

const struct net world_net = {
    .reply = reply, .cookie = set_cookie, .send = send_ws, .close = close_ws, .pause = pause_ws};
static const struct backend paper_backend = {.arrive = backend_arrive,
                                             .leave = backend_leave,
                                             .connect = backend_connect,
                                             .disconnect = backend_disconnect,
                                             .upgraded = backend_upgraded,
                                             .receive = backend_receive,
                                             .acked = backend_acked,
                                             .ack_report = backend_ack_report};

void world_setup(struct world *w)
{
    char err[256];
    static char words[][16] = {"test", "--jwks-file", "/dev/null", "--config", "/dev/null"};
    char *argv[] = {words[0], words[1], words[2], words[3], words[4], NULL};
    char *env[] = {NULL};
    memset(w, 0, sizeof *w);
    w->now = 1000;
    w->peer = "192.0.2.1";
    if (config_load(&w->config, 5, argv, env, err, sizeof err) != 0)
        fail_msg("%s", err);
}

void world_start(struct world *w)
{
    w->keys = world_keys();
    w->wheel = wheel_new(w->now);
    w->engine = engine_new(&w->config, &w->metrics, w->wheel);
    engine_set_net(w->engine, &world_net);
    w->hub = hub_new(&w->config, &w->metrics, w->wheel, w->engine);
    w->auth = auth_new(&w->config, &w->metrics, w->wheel, w->hub);
    hub_set_backend(w->hub, auth_backend(w->auth));
    hub_set_offsets(w->hub, &w->offsets);
    w->backend = paper_backend;
    w->backend.ctx = w;
    auth_set_backend(w->auth, &w->backend);
    auth_set_clock(w->auth, (int64_t)WORLD_UNIX * 1000, w->now);
    auth_set_keys(w->auth, w->keys, 0, w->now);
}

void world_end(struct world *w)
{
    engine_close_some(w->engine, SIZE_MAX);
    engine_flush(w->engine);
    assert_int_equal(engine_sessions(w->engine), 0);
    assert_int_equal((int)w->metrics.value[METRIC_SESSIONS], 0);
    assert_int_equal((int)w->metrics.value[METRIC_SOCKETS], 0);
    assert_int_equal((int)w->metrics.value[METRIC_JOINED], 0);
    assert_int_equal((int)w->metrics.value[METRIC_ROOMS], 0);
    assert_int_equal((int)w->metrics.value[METRIC_WEBSOCKETS], 0);
    assert_int_equal((int)w->metrics.value[METRIC_QUEUED_BYTES], 0);
    assert_int_equal(w->bearers, 0);
    frame_unref(w->kept);
    engine_free(w->engine);
    auth_free(w->auth);
    hub_free(w->hub);
    assert_int_equal(wheel_next(w->wheel, w->now), -1);
    wheel_free(w->wheel);
    config_free(&w->config);
    offset_close(&w->offsets);
    keyset_free(w->keys);
}

static void request(struct world *w, int n, const struct request *rq)
{
    memset(&w->place[n], 0, sizeof w->place[n]);
    engine_request(w->engine, rq, &w->place[n], w->now);
    engine_flush(w->engine);
}

void world_get_as(struct world *w, int n, const char *query, const char *authorization)
{
    struct request rq = {.method = METHOD_GET,
                         .query = query,
                         .authorization = authorization,
                         .user_agent = w->user_agent,
                         .peer = w->peer,
                         .forwarded_for = w->forwarded_for};
    request(w, n, &rq);
}

void world_get(struct world *w, int n, const char *query)
{
    world_get_as(w, n, query, NULL);
}

void world_post(struct world *w, int n, const char *query, const char *body)
{
    struct request rq = {
        .method = METHOD_POST, .query = query, .body = body, .body_len = strlen(body)};
    request(w, n, &rq);
}

bool world_ws(struct world *w, int n, const char *query, const char *authorization)
{
    struct request rq = {.method = METHOD_GET,
                         .websocket = true,
                         .query = query,
                         .authorization = authorization,
                         .user_agent = w->user_agent,
                         .peer = w->peer,
                         .forwarded_for = w->forwarded_for};
    struct place *p = &w->place[n];
    memset(p, 0, sizeof *p);
    const struct refusal *no = engine_refuses_ws(w->engine, &rq, w->now);
    if (no) {
        engine_refused(w->engine, no->metric);
        p->status = no->status;
        snprintf(p->text, sizeof p->text, "%s", no->body);
        return false;
    }
    p->session = engine_ws(w->engine, &rq, p, w->now);
    engine_flush(w->engine);
    return p->session != NULL;
}

void world_writable(struct world *w, int n)
{
    struct place *p = &w->place[n];
    p->stalled = p->backlog = false;
    engine_writable(p->session, p);
    engine_flush(w->engine);
}

void world_say(struct world *w, int n, const char *text)
{
    struct place *p = &w->place[n];
    assert_non_null(p->session);
    engine_ws_message(p->session, p, false, text, strlen(text), w->now);
    engine_flush(w->engine);
}

void world_say_binary(struct world *w, int n, const char *bytes, size_t len)
{
    struct place *p = &w->place[n];
    assert_non_null(p->session);
    engine_ws_message(p->session, p, true, bytes, len, w->now);
    engine_flush(w->engine);
}

const char *world_handshake(struct world *w, const char *authorization)
{
    static char sid[32];
    enum { FREE = PLACES - 1 };
    world_get_as(w, FREE, "EIO=4&transport=polling", authorization);
    assert_int_equal(w->place[FREE].status, 200);
    assert_int_equal(sscanf(w->place[FREE].text, "0{\"sid\":\"%20[^\"]\"", sid), 1);
    return sid;
}

void world_client(struct world *w, int n, const char *rooms, int64_t principal)
{
    assert_true(world_ws(w, n, "EIO=4&transport=websocket", world_bearer(w, 7, 3600, "")));
    world_say(w, n, "40/tasks,{}");
    world_set_rooms(w, w->sid, rooms, principal, "10:10:");
    hub_read_begin(w->hub);
    hub_read_end(w->hub);
    world_received(w, n);
}

void world_set_rooms(struct world *w, const char *sid, const char *rooms, int64_t principal,
                     const char *snapshot)
{
    struct registration a = {
        .sid = sid, .principal = principal, .rooms = rooms, .snapshot = snapshot};
    hub_set_rooms(w->hub, &a, w->now);
    engine_flush(w->engine);
}

void world_event(struct world *w, uint64_t xid, const char *rooms, const char *payload)
{
    struct event e = {.id = (int64_t)xid,
                      .xid = xid,
                      .nsp = "/tasks",
                      .rooms = rooms,
                      .payload = payload,
                      .payload_len = strlen(payload)};
    hub_publish(w->hub, &e, w->now);
}

void world_pass(struct world *w, uint64_t ms)
{
    uint64_t end = w->now + ms;
    int64_t wait;
    while ((wait = wheel_next(w->wheel, w->now)) >= 0 && w->now + (uint64_t)wait <= end) {
        w->now += (uint64_t)wait;
        wheel_advance(w->wheel, w->now);
        engine_flush(w->engine);
    }
    w->now = end;
    wheel_advance(w->wheel, w->now);
    engine_flush(w->engine);
}

const char *world_received(struct world *w, int n)
{
    static char text[sizeof w->place[0].text];
    memcpy(text, w->place[n].text, sizeof text);
    w->place[n].text[0] = '\0';
    return text;
}

const char *world_connect_as(struct world *w, int n, const char *authorization)
{
    assert_true(world_ws(w, n, "EIO=4&transport=websocket", authorization));
    world_received(w, n);
    world_say(w, n, "40/tasks,{}");
    const char *heard = world_received(w, n);
    assert_memory_equal(heard, "40/tasks,{\"sid\":\"", 17);
    return strchr(heard, '\n') + 1;
}

void world_closed_after(struct world *w, int n, uint64_t ms)
{
    world_pass(w, ms - 1);
    assert_false(w->place[n].closed);
    world_pass(w, 1);
    assert_true(w->place[n].closed);
}
