/* session: see session.h. */
#include "base/alloc.h"
#include "base/log.h"
#include "engineio/engine_state.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct refusal session_unknown = {400, "{\"code\":1,\"message\":\"Session ID unknown\"}",
                                        METRIC_REFUSED_SID};

/* What lws takes in one write (tx_packet_size). */
enum { SEND_BYTES = 65536 };
/* A short queue has less. */
enum { SHORT_PACKETS = 16, SHORT_BYTES = 16384 };

static const struct end_kind {
    const char *reason; /* Socket.IO's name of the reason, if it has one */
    /* The answer to a waiting GET. After a close packet python-socketio never reconnects. A client
     * that closes itself gets a noop. All others (NULL) get the refusal of an unknown session, as
     * on their next request. */
    const char *farewell;
    enum metric_id metric;
    unsigned code; /* of the WebSocket's close frame; 0 = none */
    bool ours;     /* the client did nothing and will reconnect */
} end_kinds[] = {
    [END_CLOSED] = {"transport close", "6", METRIC_CLOSED_CLIENT, 0, false},
    [END_ERROR] = {"transport error", "1", METRIC_CLOSED_OVERLAP, 0, false},
    [END_TIMEOUT] = {"ping timeout", NULL, METRIC_CLOSED_TIMEOUT, 0, false},
    [END_PACKET] = {"parse error", "1", METRIC_CLOSED_MALFORMED, 0, false},
    [END_PAYLOAD] = {"transport error", "1", METRIC_CLOSED_PAYLOAD, WS_TOO_LARGE, false},
    [END_RECEIVE] = {"transport error", NULL, METRIC_CLOSED_RECEIVE, WS_TRY_LATER, true},
    [END_STRANGER] = {"transport error", NULL, METRIC_CLOSED_STRANGER, WS_TRY_LATER, true},
    [END_ATTACHMENTS] = {"parse error", "1", METRIC_CLOSED_ATTACHMENTS, 0, false},
    [END_DEPTH] = {"parse error", "1", METRIC_CLOSED_DEPTH, 0, false},
    [END_PACKETS] = {"parse error", "1", METRIC_CLOSED_PACKETS, 0, false},
    [END_QUEUE_FULL] = {"queue full", NULL, METRIC_CLOSED_QUEUE_FULL, 0, true},
    [END_DISMISSED] = {"dismissed", NULL, METRIC_CLOSED_TOKEN, 0, false},
    [END_PRINCIPAL] = {"too many connections", NULL, METRIC_CLOSED_PRINCIPAL, 0, true},
    [END_KICKED] = {"kicked", NULL, METRIC_CLOSED_KICKED, 0, false},
    [END_DOUBT] = {"rights in doubt", NULL, METRIC_CLOSED_DOUBT, 0, true},
    [END_IDLE] = {"no namespace", NULL, METRIC_CLOSED_IDLE, 0, false},
    [END_DRAIN] = {"server shutting down", NULL, METRIC_CLOSED_STOPPING, 0, true},
};

/* A client that was not read from could not answer and gets another ping. It has gone if a ping
 * cannot be delivered. A polling client must have fetched the last ping. */
static bool is_excused(const struct session *s)
{
    return (s->paused || s->held) && (s->websocket || s->poll || s->seen);
}

/* A busy process is late. The client's time ends when it is due, but the client keeps most of it
 * for its answer. */
static uint64_t lateness(const struct timer *t, uint64_t now, uint64_t wait)
{
    uint64_t late = now - t->due;
    return late < wait / 4 ? late : wait / 4;
}

static void heartbeat(struct timer *t, uint64_t now)
{
    struct session *s = container_of(t, struct session, heartbeat);
    const struct config *c = s->engine->config;
    if (s->awaiting_pong && !is_excused(s)) {
        session_end(s, END_TIMEOUT);
        return;
    }
    struct frame *ping = frame_new(1, &(struct frame_part){"2", 1});
    session_queue(s, ping);
    frame_unref(ping);
    s->awaiting_pong = true;
    s->held = s->paused;
    s->seen = false;
    bool often = s->paused && s->websocket && c->ping_interval < c->ping_timeout;
    uint64_t wait = often ? c->ping_interval : c->ping_timeout;
    timer_start(s->engine->wheel, &s->heartbeat, now + wait - lateness(t, now, wait), heartbeat);
}

void session_pong(struct session *s, uint64_t now)
{
    s->awaiting_pong = false;
    timer_start(s->engine->wheel, &s->heartbeat, now + s->engine->config->ping_interval, heartbeat);
}

static char *address_text(const struct address *a)
{
    char text[ADDRESS_TEXT];
    address_print(a, text);
    char *p = alloc_text(text);
    return p;
}

struct session *session_new(struct engine *e, const struct address *from, void *ws, uint64_t now)
{
    struct session *s = alloc(sizeof *s);
    s->engine = e;
    s->ws = ws;
    s->websocket = ws != NULL;
    s->from = *from;
    s->address = address_text(from);
    sid_new(s->sid);
    HASH_ADD(hh, e->sessions, sid, SID_LEN, s);
    timer_start(e->wheel, &s->heartbeat, now + e->config->ping_interval, heartbeat);
    admission_enter(e->admission, from, !ws, now);
    engine_count(e, METRIC_SESSIONS, 1);
    engine_count(e, METRIC_HANDSHAKES, 1);
    engine_count(e, METRIC_WEBSOCKETS, s->websocket);
    return s;
}

struct session *session_find(struct engine *e, const char *sid)
{
    struct session *s = NULL;
    if (strlen(sid) == SID_LEN)
        HASH_FIND(hh, e->sessions, sid, SID_LEN, s);
    return s;
}

void session_probe_drop(struct session *s)
{
    void *probe = s->probe;
    s->probe = NULL;
    timer_stop(&s->upgrade);
    if (probe) {
        s->backlog = false;
        s->engine->net->close(probe, 0);
    }
}

static void close_transports(struct session *s, const struct end_kind *kind)
{
    const struct net *net = s->engine->net;
    const struct refusal *no = &session_unknown;
    void *poll = s->poll, *post = s->post, *ws = s->ws;
    s->poll = s->post = s->ws = NULL;
    session_probe_drop(s);
    if (poll && kind->farewell)
        net->reply(poll, 200, "text/plain; charset=UTF-8", kind->farewell, strlen(kind->farewell));
    else if (poll)
        net->reply(poll, no->status, "application/json", no->body, strlen(no->body));
    if (post)
        net->reply(post, 200, "text/html", "ok", 2);
    if (ws)
        net->close(ws, kind->code);
}

static void flush_session(struct session *s);

void session_end(struct session *s, enum end_reason reason)
{
    struct engine *e = s->engine;
    const struct end_kind *kind = &end_kinds[reason];
    if (s->ended)
        return;
    if (reason == END_DRAIN)
        flush_session(s);
    if (s->ended)
        return;
    s->ended = true;
    log_debug("session ended reason=\"%s\" address=%s", kind->reason, s->address);
    engine_count(e, kind->metric, 1);
    e->user.ended(e->user.ctx, s, kind->reason, !kind->ours);
    close_transports(s, kind);
    timer_stop(&s->heartbeat);
    timer_stop(&s->throttle);
    admission_leave(e->admission, &s->from, !s->websocket);
    HASH_DEL(e->sessions, s); // NOLINT: the analyzer does not follow uthash
    engine_count(e, METRIC_SESSIONS, -1);
    engine_count(e, METRIC_WEBSOCKETS, -(double)s->websocket);
    if (!s->dirty) { /* otherwise engine_flush() moves it */
        s->next = e->ended;
        e->ended = s;
    }
}

void session_dirty(struct session *s)
{
    if (s->dirty || s->ended)
        return;
    s->dirty = true;
    s->next = s->engine->dirty;
    s->engine->dirty = s;
}

void session_end_soon(struct session *s, enum end_reason reason)
{
    if (!s->ending)
        s->ending = reason;
    session_dirty(s);
}

/* Bytes were added to the queue, or removed. */
static void queue_count(struct session *s, double bytes)
{
    struct engine *e = s->engine;
    half_full_set(&e->half_full, &s->queue.half_full,
                  2 * s->queue.bytes + s->waiting > e->config->queue_bytes);
    engine_count(e, METRIC_QUEUED_BYTES, bytes);
}

static void queue_shift(struct session *s)
{
    struct queue *q = &s->queue;
    struct frame *f = q->frames[q->first++];
    q->bytes -= f->len;
    half_full_took(&q->half_full);
    queue_count(s, -(double)f->len);
    frame_unref(f);
    if (--q->n == 0) {
        q->first = 0;
        if (q->cap > POLL_PACKETS) { /* a burst is over: idle clients use little memory */
            free(q->frames);
            q->frames = NULL;
            q->cap = 0;
        }
    }
}

static void free_session(struct session *s)
{
    while (s->queue.n)
        queue_shift(s);
    free(s->queue.frames);
    free(s->address);
    free(s);
}

struct frame *session_open_packet(const struct session *s)
{
    const struct config *c = s->engine->config;
    char text[256];
    int n =
        snprintf(text, sizeof text,
                 "0{\"sid\":\"%s\",\"upgrades\":[%s],\"pingInterval\":%llu,"
                 "\"pingTimeout\":%llu,\"maxPayload\":%zu}",
                 s->sid, s->websocket ? "" : "\"websocket\"", (unsigned long long)c->ping_interval,
                 (unsigned long long)c->ping_timeout, c->max_payload);
    return frame_new(1, &(struct frame_part){text, (size_t)n});
}

static void queue_push(struct queue *q, struct frame *f)
{
    if (q->first + q->n == q->cap && q->first > 0) {
        memmove(q->frames, q->frames + q->first, q->n * sizeof *q->frames);
        q->first = 0;
    }
    if (q->n == q->cap) {
        q->cap = q->cap ? 2 * q->cap : 2;
        q->frames = alloc_resize(q->frames, q->cap * sizeof *q->frames);
    }
    q->frames[q->first + q->n++] = frame_ref(f);
    q->bytes += f->len;
}

bool session_may_wait(const struct session *s, size_t bytes)
{
    const struct engine *e = s->engine;
    return bytes <= e->config->stranger_bytes || !e->user.knows || e->user.knows(e->user.ctx, s);
}

void session_queue(struct session *s, struct frame *f)
{
    if (s->ended || s->ending)
        return;
    session_dirty(s);
    size_t bytes = s->queue.bytes + s->waiting + f->len;
    if (bytes > s->engine->config->queue_bytes) {
        session_end_soon(s, END_QUEUE_FULL);
        return;
    }
    if (!s->served && !session_may_wait(s, bytes)) {
        session_end_soon(s, END_STRANGER);
        return;
    }
    queue_push(&s->queue, f);
    queue_count(s, (double)f->len);
}

void session_wait(struct session *s, size_t from, size_t to)
{
    s->waiting = s->waiting - from + to;
    queue_count(s, (double)to - (double)from);
    if (s->queue.bytes + s->waiting > s->engine->config->queue_bytes)
        session_end_soon(s, END_QUEUE_FULL);
}

bool session_has_room(struct session *s)
{
    bool room = !s->ended && !s->ending && !s->backlog && s->queue.n < SHORT_PACKETS &&
                s->queue.bytes < SHORT_BYTES;
    s->wants_room |= !room;
    return room;
}

static void flush_poll(struct session *s)
{
    static char body[SEND_BYTES];
    char *out = body;
    struct queue *q = &s->queue;
    unsigned n = q->n < POLL_PACKETS ? q->n : POLL_PACKETS;
    size_t len = 0, size = n;
    for (unsigned i = 0; i < n; i++)
        size += q->frames[q->first + i]->len;
    if (size > sizeof body)
        out = must(malloc(size));
    for (unsigned i = 0; i < n; i++) {
        size_t part;
        // NOLINTNEXTLINE: the analyzer believes that half_full_set() changes n
        const void *text = frame_text(q->frames[q->first], &part);
        if (i)
            out[len++] = 0x1e;
        memcpy(out + len, text, part);
        len += part;
        queue_shift(s);
    }
    void *request = s->poll;
    s->poll = NULL;
    s->engine->net->reply(request, 200, "text/plain; charset=UTF-8", out, len);
    engine_count(s->engine, METRIC_BYTES_SENT, (double)len);
    engine_count(s->engine, METRIC_SENDS, 1);
    if (out != body)
        free(out);
}

static void flush_ws(struct session *s)
{
    static char joined[SEND_BYTES];
    struct queue *q = &s->queue;
    size_t len = 0, part;
    const void *data = frame_ws(q->frames[q->first], &part);
    if (q->n == 1 || part > SEND_BYTES) {
        s->backlog = !s->engine->net->send(s->ws, data, part);
        len = part;
        queue_shift(s);
    } else {
        while (q->n && (data = frame_ws(q->frames[q->first], &part)) && len + part <= SEND_BYTES) {
            memcpy(joined + len, data, part);
            len += part;
            queue_shift(s);
        }
        s->backlog = !s->engine->net->send(s->ws, joined, len);
    }
    engine_count(s->engine, METRIC_BYTES_SENT, (double)len);
    engine_count(s->engine, METRIC_SENDS, 1);
}

static void tell_room(struct session *s)
{
    const struct engine_user *user = &s->engine->user;
    if (!s->wants_room || s->queue.n || s->backlog || s->ended)
        return;
    s->wants_room = false;
    user->room(user->ctx, s);
}

/* Sends what is queued, as far as the transport accepts it. */
static void flush_session(struct session *s)
{
    if (s->ended)
        return;
    if (s->ending)
        session_end(s, s->ending);
    else if (s->websocket)
        while (s->queue.n && !s->backlog)
            flush_ws(s);
    else if (s->queue.n && s->poll)
        flush_poll(s);
}

void session_turn(struct engine *e)
{
    struct session *s;
    while ((s = e->dirty) != NULL) {
        e->dirty = s->next;
        s->dirty = false;
        if (s->ended) {
            s->next = e->ended;
            e->ended = s;
        } else {
            flush_session(s);
            tell_room(s);
        }
    }
    while ((s = e->ended) != NULL) {
        e->ended = s->next;
        free_session(s);
    }
}

static enum metric_id metric_of(enum pause_reason why)
{
    return why == PAUSE_INBOX       ? METRIC_PAUSED_INBOX
           : why == PAUSE_EVENTS    ? METRIC_PAUSED_EVENTS
           : why == PAUSE_PRINCIPAL ? METRIC_PAUSED_PRINCIPAL
                                    : METRIC_PAUSED_BYTES;
}

void session_pause(struct session *s, enum pause_reason why, bool paused)
{
    bool was = s->paused != 0;
    if (paused && !(s->paused & why) && !s->ended)
        engine_count(s->engine, metric_of(why), 1);
    s->held = s->held || paused;
    s->paused = (unsigned char)(paused ? s->paused | why : s->paused & ~why);
    paused = s->paused != 0;
    if (paused == was || s->ended)
        return;
    if (s->ws)
        s->engine->net->pause(s->ws, paused);
    if (!paused && s->post) {
        void *request = s->post;
        s->post = NULL;
        s->engine->net->reply(request, 200, "text/html", "ok", 2);
    }
}
