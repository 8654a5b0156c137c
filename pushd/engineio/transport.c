/*
 * transport: what a GET, a POST and a probe do to an existing session (Engine.IO, version 4).
 *
 * During an upgrade, packets still go to the polling transport. A noop releases a waiting GET,
 * again and again, because the client's next GET may already be on its way.
 */
#include "base/alloc.h"
#include "base/log.h"
#include "engineio/engine_state.h"

#include <stddef.h>
#include <string.h>

/* Between noops: a client must not poll in a tight loop. */
enum { NOOP_MS = 50 };

void session_get(struct session *s, void *request, uint64_t now)
{
    (void)now;
    if (s->poll) {
        s->engine->net->reply(request, 400, NULL, NULL, 0);
        session_end(s, END_ERROR);
        return;
    }
    s->poll = request;
    s->seen = true;
    if (s->queue.n)
        session_dirty(s);
}

static void take_packet(struct session *s, const struct packet *p, uint64_t now)
{
    const struct engine_user *user = &s->engine->user;
    session_throttle(s, !p->binary, p->len + 1, now); /* attachments belong to an event */
    switch (p->type) {
    case PACKET_MESSAGE:
        user->message(user->ctx, s, p->binary, p->data, p->len, now);
        break;
    case PACKET_PONG:
        session_pong(s, now);
        break;
    case PACKET_CLOSE:
        session_end(s, END_CLOSED);
        break;
    case PACKET_PING: /* the server sends pings */
        session_end(s, END_PACKET);
        break;
    default: /* ignored, as in the reference server */
        break;
    }
}

/* Reads all packets until one ends the session. True if the client closed it. */
static bool packets(struct session *s, struct polling_payload *payload, uint64_t now)
{
    struct packet p = {.type = PACKET_NOOP};
    const char *wrong;
    enum polling_step step = POLLING_END;
    int left = s->engine->config->max_packets;
    while (!s->ended && !s->ending &&
           (step = polling_payload_next(payload, &p, &wrong)) == POLLING_PACKET && left-- > 0)
        take_packet(s, &p, now);
    if (left < 0) {
        session_end(s, END_PACKETS);
        step = POLLING_END;
    }
    if (step == POLLING_WRONG) {
        log_debug("packet refused: %s address=%s", wrong, s->address);
        session_end(s, END_PACKET);
    }
    polling_payload_close(payload);
    return step == POLLING_PACKET && p.type == PACKET_CLOSE;
}

void session_post(struct session *s, void *request, const char *body, size_t len, uint64_t now)
{
    const struct net *net = s->engine->net;
    struct polling_payload payload;
    /* If it is paused without a POST, the last POST was given up, but is still being processed. */
    if (s->post || s->coming || s->paused) {
        net->reply(request, 400, NULL, NULL, 0);
        session_end(s, END_ERROR);
        return;
    }
    polling_payload_open(&payload, body, len);
    bool closed = packets(s, &payload, now);
    if (s->ended && !closed)
        net->reply(request, 400, NULL, NULL, 0);
    else if (s->paused && !s->ended)
        s->post = request; /* it is answered when the client may send again: until then it sends no
                              other */
    else
        net->reply(request, 200, "text/html", "ok", 2);
}

void session_ws_message(struct session *s, bool binary, const char *data, size_t len, uint64_t now)
{
    struct polling_payload payload;
    if (binary) {
        take_packet(s, &(struct packet){PACKET_MESSAGE, true, data, len}, now);
        return;
    }
    polling_payload_open_frame(&payload, data, len);
    packets(s, &payload, now);
}

static void upgrading(struct timer *t, uint64_t now)
{
    struct session *s = container_of(t, struct session, upgrade);
    if (now >= s->upgrade_until) {
        session_probe_drop(s);
        return;
    }
    if (s->poll) {
        void *request = s->poll;
        s->poll = NULL;
        s->engine->net->reply(request, 200, "text/plain; charset=UTF-8", "6", 1);
    }
    timer_start(s->engine->wheel, &s->upgrade, now + NOOP_MS, upgrading);
}

void session_probe(struct session *s, void *ws, uint64_t now)
{
    s->probe = ws;
    s->probed = s->backlog = false; /* the last one may have ended with a backlog */
    s->upgrade_until = now + s->engine->config->upgrade_timeout;
    timer_start(s->engine->wheel, &s->upgrade, s->upgrade_until, upgrading);
}

static void finish_upgrade(struct session *s)
{
    struct engine *e = s->engine;
    s->ws = s->probe;
    s->probe = NULL;
    s->websocket = true;
    admission_upgrade(e->admission);
    timer_stop(&s->upgrade);
    engine_count(e, METRIC_UPGRADES, 1);
    engine_count(e, METRIC_WEBSOCKETS, 1);
    if (s->poll) {
        void *request = s->poll;
        s->poll = NULL;
        e->net->reply(request, 200, "text/plain; charset=UTF-8", "6", 1);
    }
    if (s->paused)
        e->net->pause(s->ws, true);
    if (s->queue.n)
        session_dirty(s);
    if (e->user.upgraded)
        e->user.upgraded(e->user.ctx, s);
}

void session_probe_message(struct session *s, const char *p, size_t len, uint64_t now)
{
    if (len == 6 && memcmp(p, "2probe", 6) == 0 && !s->probed) { /* a flood would fill the memory */
        static const char pong[] = "\x81\x06"
                                   "3probe";
        s->probed = true;
        s->backlog = !s->engine->net->send(s->probe, pong, sizeof pong - 1);
        timer_start(s->engine->wheel, &s->upgrade, now + NOOP_MS, upgrading);
    } else if (len == 1 && *p == '5') {
        finish_upgrade(s);
    } else {
        session_probe_drop(s);
    }
}
