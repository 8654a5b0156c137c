/* engine: see engine.h. */
#include "engine.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "hub_state.h"
#include "identity.h"
#include "query.h"

static const struct refusal UNKNOWN_TRANSPORT = {400,
                                                 "{\"code\":0,\"message\":\"Transport unknown\"}"};
const struct refusal engine_unknown_sid = {400, "{\"code\":1,\"message\":\"Session ID unknown\"}"};
static const struct refusal BAD_METHOD = {400, "{\"code\":2,\"message\":\"Bad handshake method\"}"};
static const struct refusal BAD_REQUEST = {400, "{\"code\":3,\"message\":\"Bad request\"}"};
static const struct refusal FORBIDDEN = {403, "{\"code\":4,\"message\":\"Forbidden\"}"};
static const struct refusal BAD_PROTOCOL = {
    400, "{\"code\":5,\"message\":\"Unsupported protocol version\"}"};
static const struct refusal STOPPING = {503, "{\"code\":3,\"message\":\"Shutting down\"}"};
static const struct refusal FULL = {503, "{\"code\":3,\"message\":\"Too many connections\"}"};

_Static_assert(sizeof((struct parameters *)0)->sid > SID_LEN + 1, "a cut sid must not be one");

bool engine_origin_allowed(const char *list, const char *origin)
{
    return !origin || config_list_has(list, "*", 1) ||
           config_list_has(list, origin, strlen(origin));
}

static bool printable(const char *origin)
{
    for (; origin && *origin; origin++)
        if (iscntrl((unsigned char)*origin))
            return false;
    return true;
}

/* The checks of every request, in the reference server's order. *s is the session that sid names.
 */
static const struct refusal *check(struct hub *hub, const struct request *rq,
                                   const struct parameters *p, struct session **s)
{
    bool polling = strcmp(p->transport, "polling") == 0;
    bool websocket = strcmp(p->transport, "websocket") == 0;
    *s = NULL;
    if (!polling && !websocket)
        return &UNKNOWN_TRANSPORT;
    if (!printable(rq->origin))
        return &BAD_REQUEST;
    if (p->sid[0]) {
        *s = session_find(hub, p->sid);
        if (!*s)
            return &engine_unknown_sid;
        if (strcmp(p->eio, "4") != 0 || websocket != rq->websocket ||
            (!rq->websocket && (*s)->websocket))
            return &BAD_REQUEST;
    } else {
        if (rq->method != METHOD_GET)
            return &BAD_METHOD;
        if (websocket != rq->websocket)
            return &BAD_REQUEST;
    }
    if (!engine_origin_allowed(hub->config->cors_allowed_origins, rq->origin))
        return &FORBIDDEN;
    if (!*s && strcmp(p->eio, "4") != 0)
        return &BAD_PROTOCOL;
    if (!*s && hub->draining)
        return &STOPPING;
    if (!*s && HASH_COUNT(hub->sessions) >= (unsigned)hub->config->max_connections)
        return &FULL;
    return NULL;
}

static struct session *handshake(struct hub *hub, const struct request *rq, bool websocket,
                                 uint64_t now)
{
    size_t len = 0;
    struct session *s = session_new(hub, rq->address, websocket, now);
    const char *token = identity_bearer(rq->authorization, &len);
    if (token)
        identity_judge(s, token, len, now);
    return s;
}

void engine_request(struct hub *hub, const struct request *rq, void *request, uint64_t now)
{
    struct session *s;
    if (rq->method == METHOD_OPTIONS) {
        hub->net->reply(request, 204, NULL, NULL, 0);
        return;
    }
    struct parameters p = query_parse(rq->query);
    const struct refusal *no = check(hub, rq, &p, &s);
    if (no) {
        hub_count(hub, METRIC_BAD_REQUESTS, 1);
        hub->net->reply(request, no->status, "application/json", no->body, strlen(no->body));
    } else if (!s) {
        s = handshake(hub, rq, false, now);
        struct frame *open = session_open_packet(s);
        size_t len;
        const void *text = frame_text(open, &len);
        hub->net->reply(request, 200, "text/plain; charset=UTF-8", text, len);
        frame_unref(open);
    } else if (rq->method == METHOD_GET) {
        session_get(s, request, now);
    } else if (rq->method == METHOD_POST && !rq->octet_stream) {
        session_post(s, request, rq->body, rq->body_len, now);
    } else {
        hub_count(hub, METRIC_BAD_REQUESTS, 1);
        hub->net->reply(request, rq->method == METHOD_POST ? 400 : 500, NULL, NULL, 0);
        if (rq->method == METHOD_POST)
            session_end(s, END_ERROR);
    }
}

void engine_gone(struct hub *hub, void *request, const char *query, uint64_t now)
{
    (void)now;
    struct parameters p = query_parse(query);
    struct session *s = session_find(hub, p.sid);
    if (!s)
        return;
    if (s->post == request)
        s->post = NULL;
    if (s->poll == request) {
        s->poll = NULL;
        session_end(s, END_CLOSED);
    }
}

const struct refusal *engine_refuses_ws(struct hub *hub, const struct request *rq)
{
    struct session *s;
    struct parameters p = query_parse(rq->query);
    const struct refusal *no = check(hub, rq, &p, &s);
    if (no)
        hub_count(hub, METRIC_BAD_REQUESTS, 1);
    return no;
}

struct session *engine_ws(struct hub *hub, const struct request *rq, void *ws, uint64_t now)
{
    struct session *s;
    struct parameters p = query_parse(rq->query);
    if (check(hub, rq, &p, &s))
        return NULL;
    if (s && (s->websocket || s->probe))
        return NULL; /* the session goes on with what it has */
    if (s) {
        session_probe(s, ws, now);
        return s;
    }
    s = handshake(hub, rq, true, now);
    s->ws = ws;
    struct frame *open = session_open_packet(s);
    session_queue(s, open);
    frame_unref(open);
    return s;
}

void engine_ws_message(struct session *s, void *ws, bool binary, const char *data, size_t len,
                       uint64_t now)
{
    if (ws == s->probe && !binary)
        session_probe_message(s, data, len, now);
    else if (ws == s->probe)
        session_probe_drop(s);
    else if (binary)
        session_end(s, END_PACKET);
    else
        session_packet(s, data, len, now);
}

void engine_writable(struct session *s, void *ws)
{
    if (ws != s->ws)
        return;
    s->backlog = false;
    if (s->queue.n)
        hub_dirty(s);
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
