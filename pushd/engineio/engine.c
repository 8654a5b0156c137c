/* engine: see engine.h. */
#include "engineio/engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/words.h"
#include "engineio/engine_state.h"
#include "engineio/query.h"

static const struct refusal UNKNOWN_TRANSPORT = {
    400, "{\"code\":0,\"message\":\"Transport unknown\"}", METRIC_REFUSED_TRANSPORT};
static const struct refusal BAD_METHOD = {400, "{\"code\":2,\"message\":\"Bad handshake method\"}",
                                          METRIC_REFUSED_METHOD};
static const struct refusal BAD_REQUEST = {400, "{\"code\":3,\"message\":\"Bad request\"}",
                                           METRIC_REFUSED_MALFORMED};
static const struct refusal OVERLAP = {400, "", METRIC_REFUSED_MALFORMED};
static const struct refusal STRANGER = {503, "", METRIC_REFUSED_STRANGER};
static const struct refusal FORBIDDEN = {403, "{\"code\":4,\"message\":\"Forbidden\"}",
                                         METRIC_REFUSED_ORIGIN};
static const struct refusal BAD_PROTOCOL = {
    400, "{\"code\":5,\"message\":\"Unsupported protocol version\"}", METRIC_REFUSED_VERSION};
static const struct refusal STOPPING = {503, "{\"code\":3,\"message\":\"Shutting down\"}",
                                        METRIC_REFUSED_STOPPING};

/* The share of each in any case. */
enum { KEEP_SMALL = 4096 };

_Static_assert(sizeof((struct parameters *)0)->sid > SID_LEN + 1, "a cut sid must not be one");

struct engine *engine_new(const struct config *config, struct metrics *metrics, struct wheel *wheel)
{
    struct engine *e = alloc(sizeof *e);
    e->config = config;
    e->metrics = metrics;
    e->wheel = wheel;
    e->admission = admission_new(config);
    return e;
}

void engine_set_net(struct engine *e, const struct net *net)
{
    e->net = net;
}

void engine_set_user(struct engine *e, const struct engine_user *user)
{
    e->user = *user;
}

void engine_free(struct engine *e)
{
    engine_flush(e);
    admission_free(e->admission);
    free(e);
}

/* --- requests --- */

bool engine_origin_allowed(const char *list, const char *origin)
{
    return !origin || words_have(list, "*", 1) || words_have(list, origin, strlen(origin));
}

/* A well-formed request may still exceed a limit. */
static const struct refusal *admit(struct engine *e, const struct request *rq, uint64_t now)
{
    return e->draining ? &STOPPING
                       : admission_refuses(e->admission, &rq->from, !rq->websocket, now);
}

/* The checks of every request, in the order of the reference server. *s is the session that sid
 * names. */
static const struct refusal *check(struct engine *e, const struct request *rq,
                                   const struct parameters *p, struct session **s, uint64_t now)
{
    bool polling = strcmp(p->transport, "polling") == 0;
    bool websocket = strcmp(p->transport, "websocket") == 0;
    *s = NULL;
    wheel_advance(e->wheel, now); /* a late loop delivers requests before timers */
    if (!polling && !websocket)
        return &UNKNOWN_TRANSPORT;
    if (p->sid[0]) {
        *s = session_find(e, p->sid);
        if (!*s)
            return &session_unknown;
        if (strcmp(p->eio, "4") != 0 || websocket != rq->websocket ||
            (!rq->websocket && (*s)->websocket))
            return &BAD_REQUEST;
    } else {
        if (rq->method != METHOD_GET)
            return &BAD_METHOD;
        if (websocket != rq->websocket)
            return &BAD_REQUEST;
    }
    if (!engine_origin_allowed(e->config->cors_allowed_origins, rq->origin))
        return &FORBIDDEN;
    if (!*s && strcmp(p->eio, "4") != 0)
        return &BAD_PROTOCOL;
    return *s ? NULL : admit(e, rq, now);
}

/* Begins a session of a polling client; answers its request. */
static void open_polling(struct engine *e, const struct request *rq, void *request, uint64_t now)
{
    struct session *s = session_new(e, &rq->from, NULL, now);
    struct frame *open = session_open_packet(s);
    size_t len;
    const void *text = frame_text(open, &len);
    if (*e->config->cookie)
        e->net->cookie(request, s->sid);
    e->net->reply(request, 200, "text/plain; charset=UTF-8", text, len);
    frame_unref(open);
    e->user.opened(e->user.ctx, s, rq, now);
}

static struct session *open_ws(struct engine *e, const struct request *rq, void *ws, uint64_t now)
{
    struct session *s = session_new(e, &rq->from, ws, now);
    struct frame *open = session_open_packet(s);
    session_queue(s, open);
    frame_unref(open);
    e->user.opened(e->user.ctx, s, rq, now);
    return s->ended ? NULL : s;
}

void engine_request(struct engine *e, const struct request *rq, void *request, uint64_t now)
{
    struct session *s;
    if (rq->method == METHOD_OPTIONS) {
        e->net->reply(request, 204, NULL, NULL, 0);
        return;
    }
    struct parameters p = query_parse(rq->query);
    const struct refusal *no = check(e, rq, &p, &s, now);
    if (s && s->coming == request)
        s->coming = NULL;
    if (no) {
        engine_count(e, no->metric, 1);
        e->net->reply(request, no->status, "application/json", no->body, strlen(no->body));
    } else if (!s) {
        open_polling(e, rq, request, now);
    } else if (rq->method == METHOD_GET) {
        session_get(s, request, now);
    } else if (rq->method == METHOD_POST && !rq->octet_stream) {
        session_post(s, request, rq->body, rq->body_len, now);
    } else {
        engine_count(e, METRIC_REFUSED_MALFORMED, 1);
        e->net->reply(request, rq->method == METHOD_POST ? 400 : 500, NULL, NULL, 0);
        if (rq->method == METHOD_POST)
            session_end(s, END_ERROR);
    }
}

const struct refusal *engine_refuses_post(struct engine *e, const struct request *rq, void *request,
                                          uint64_t now)
{
    struct session *s;
    struct parameters p = query_parse(rq->query);
    const struct refusal *no = check(e, rq, &p, &s, now);
    if (no || !s)
        return no;
    if (s->post || s->coming) {
        session_end(s, END_ERROR);
        return &OVERLAP;
    }
    if (!session_may_wait(s, rq->body_len))
        return &STRANGER;
    s->coming = request;
    return NULL;
}

void engine_gone(struct engine *e, void *request, const char *sid)
{
    struct session *s = session_find(e, sid);
    if (!s)
        return;
    if (s->post == request)
        s->post = NULL;
    if (s->coming == request)
        s->coming = NULL;
    if (s->poll == request) {
        s->poll = NULL;
        session_end(s, END_CLOSED);
    }
}

const struct refusal *engine_refuses_ws(struct engine *e, const struct request *rq, uint64_t now)
{
    struct session *s;
    struct parameters p = query_parse(rq->query);
    return check(e, rq, &p, &s, now);
}

struct session *engine_ws(struct engine *e, const struct request *rq, void *ws, uint64_t now)
{
    struct session *s;
    struct parameters p = query_parse(rq->query);
    if (check(e, rq, &p, &s, now))
        return NULL;
    if (s && (s->websocket || s->probe))
        return NULL; /* the session keeps its transport */
    if (s) {
        session_probe(s, ws, now);
        return s;
    }
    return open_ws(e, rq, ws, now);
}

void engine_ws_message(struct session *s, void *ws, bool binary, const char *data, size_t len,
                       uint64_t now)
{
    if (ws == s->probe && !binary)
        session_probe_message(s, data, len, now);
    else if (ws == s->probe)
        session_probe_drop(s);
    else
        session_ws_message(s, binary, data, len, now);
}

void engine_ws_broken(struct session *s, void *ws, unsigned code)
{
    if (ws == s->probe)
        session_probe_drop(s);
    else
        session_end(s, code == WS_TOO_LARGE   ? END_PAYLOAD
                       : code == WS_TRY_LATER ? END_RECEIVE
                                              : END_PACKET);
}

bool engine_ws_may_wait(struct session *s, void *ws, size_t bytes)
{
    if (session_may_wait(s, bytes))
        return true;
    if (ws == s->probe)
        session_probe_drop(s);
    else
        session_end(s, END_STRANGER);
    return false;
}

void engine_refused(struct engine *e, enum metric_id metric)
{
    engine_count(e, metric, 1);
}

bool engine_keep(struct engine *e, size_t from, size_t to)
{
    if (to > from && to > KEEP_SMALL && e->kept - from + to > e->config->receive_bytes)
        return false;
    e->kept += to - from;
    metrics_set(e->metrics, METRIC_RECEIVING, (double)e->kept);
    return true;
}

void engine_connections(struct engine *e, int more)
{
    engine_count(e, METRIC_CONNECTIONS, more);
}

void engine_writable(struct session *s, void *ws)
{
    if (ws != s->ws && ws != s->probe)
        return;
    s->backlog = false;
    if (s->queue.n || s->wants_room)
        session_dirty(s);
}

void engine_ws_gone(struct session *s, void *ws, uint64_t now)
{
    (void)now;
    if (ws == s->probe) {
        s->probe = NULL;
        session_probe_drop(s);
    } else if (ws == s->ws) {
        s->ws = NULL;
        session_end(s, END_CLOSED);
    }
}

/* --- the turn and the end --- */

void engine_flush(struct engine *e)
{
    session_turn(e);
}

bool engine_worth_waiting(struct engine *e, uint64_t now)
{
    return half_full_worth_waiting(e->half_full, now);
}

size_t engine_sessions(const struct engine *e)
{
    return HASH_COUNT(e->sessions);
}

void engine_drain(struct engine *e)
{
    e->draining = true;
}

void engine_close_some(struct engine *e, size_t n)
{
    struct session *s, *next;
    HASH_ITER (hh, e->sessions, s, next) {
        if (n-- == 0)
            break;
        session_end(s, END_DRAIN);
    }
}
