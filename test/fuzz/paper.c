/* paper: see paper.h. */
#include "paper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engineio/session.h"
#include "fuzz.h"
#include "socketio/hub.h"

struct paper paper;

/* --- the network --- */

/* Of a session that there is; those of others may be forgotten. */
static struct stream *stream_of(const char *sid)
{
    struct stream *free_one = NULL;
    for (struct stream *st = paper.streams; st < paper.streams + STREAMS; st++) {
        if (strcmp(st->sid, sid) == 0)
            return st;
        if (!session_find(paper.engine, st->sid))
            free_one = st;
    }
    expect(free_one != NULL, "expected fewer sessions");
    *free_one = (struct stream){.attachments = 0};
    snprintf(free_one->sid, sizeof free_one->sid, "%s", sid);
    return free_one;
}

/* An Engine.IO packet that goes out. */
static void check_text(struct stream *st, const char *p, size_t len)
{
    expect(len > 0 && *p >= '0' && *p <= '6', "expected a packet, found %.*s", (int)len, p);
    expect(!memchr(p, 0x1e, len), "expected no separator in %.*s", (int)len, p);
    expect(!st || st->attachments == 0, "expected %u attachments first, found %.*s",
           st ? st->attachments : 0, (int)len, p);
    if (*p != '4')
        return;
    expect(len > 1 && p[1] >= '0' && p[1] <= '6', "expected a packet, found %.*s", (int)len, p);
    if (st && p[1] >= '5')
        st->attachments = (unsigned)atoi(p + 2);
}

static void check_binary(struct stream *st)
{
    expect(!st || st->attachments-- > 0, "expected no attachment");
}

static void check_payload(struct stream *st, const char *body, size_t len)
{
    const char *end = body + len, *stop;
    int n = 0;
    for (const char *p = body; p; p = stop ? stop + 1 : NULL, n++) {
        stop = memchr(p, 0x1e, (size_t)(end - p));
        if (*p == 'b')
            check_binary(st);
        else
            check_text(st, p, (size_t)((stop ? stop : end) - p));
    }
    expect(n <= POLL_PACKETS, "expected %d packets at most, found %d", POLL_PACKETS, n);
}

/* The sid of an open packet, for later requests. */
static void remember_sid(const char *body, size_t len)
{
    static const char open[] = "0{\"sid\":\"";
    if (len < sizeof open - 1 + SID_LEN || memcmp(body, open, sizeof open - 1) != 0)
        return;
    char *sid = paper.sids[paper.next_sid++ % 8];
    memcpy(sid, body + sizeof open - 1, SID_LEN);
}

static void reply(void *request, int status, const char *type, const void *body, size_t len)
{
    struct handle *h = request;
    expect(h->state == HANDLE_OPEN && !h->websocket, "expected one answer, found another: %d",
           status);
    expect((type == NULL) == (len == 0), "expected a type with a body only");
    h->state = HANDLE_DONE;
    h->status = status;
    if (status == 200 && strcmp(type, "text/plain; charset=UTF-8") == 0) {
        const char *sid = strstr(h->query, "&sid=");
        bool known = sid && session_find(paper.engine, sid + 5);
        check_payload(known && len > 1 ? stream_of(sid + 5) : NULL, body, len);
        remember_sid(body, len);
    }
}

static bool send_ws(void *ws, const void *data, size_t len)
{
    struct handle *h = ws;
    const unsigned char *at = data, *end = at + len;
    expect(h->state == HANDLE_OPEN && h->websocket, "expected an open WebSocket");
    expect(!h->backlog, "expected no send before the backlog is gone");
    expect(len > 0, "expected something to send");
    while (at < end) {
        size_t n = at[1], head = n == 126 ? 4 : n == 127 ? 10 : 2;
        bool text = at[0] == 0x81;
        expect(text || at[0] == 0x82, "expected a frame, found 0x%x", at[0]);
        for (size_t i = 2, long_n = 0; i < head; i++)
            n = long_n = long_n << 8 | at[i];
        expect(head + n <= (size_t)(end - at), "expected a whole frame");
        /* A probe is beside the stream. */
        struct session *s = h->session;
        struct stream *st = s && s->ws == h ? stream_of(s->sid) : NULL;
        if (text)
            check_text(st, (const char *)at + head, n);
        else
            check_binary(st);
        at += head + n;
    }
    h->backlog = h->stalled;
    h->stalled = false;
    return !h->backlog;
}

static void close_ws(void *ws, unsigned code)
{
    struct handle *h = ws;
    (void)code;
    expect(h->state == HANDLE_OPEN && h->websocket, "expected one close");
    h->state = HANDLE_DONE;
    h->session = NULL;
}

static void pause_ws(void *ws, bool paused)
{
    struct handle *h = ws;
    expect(h->state == HANDLE_OPEN && h->websocket, "expected an open WebSocket");
    expect(h->paused != paused, "expected it to be %s", paused ? "read from" : "paused");
    h->paused = paused;
}

static void set_cookie(void *request, const char *value)
{
    struct handle *h = request;
    expect(h->state == HANDLE_OPEN && !h->websocket, "expected a cookie before the answer");
    expect(strlen(value) == SID_LEN, "expected a sid, found %s", value);
}

const struct net paper_net = {
    .reply = reply, .send = send_ws, .close = close_ws, .cookie = set_cookie, .pause = pause_ws};

struct handle *paper_handle(bool websocket)
{
    for (int i = 0; i < HANDLES; i++) {
        struct handle *h = &paper.handles[i];
        if (h->state == HANDLE_OPEN)
            continue;
        *h = (struct handle){.state = HANDLE_OPEN, .websocket = websocket};
        return h;
    }
    return NULL;
}

/* --- the backend --- */

static void *arrive(void *ctx, struct client *c, const struct request *rq, uint64_t now)
{
    struct visit *v = calloc(1, sizeof *v);
    (void)ctx;
    (void)rq;
    (void)now;
    v->client = c;
    paper.visits++;
    return v;
}

static void leave(void *ctx, void *bearer)
{
    struct visit *v = bearer;
    (void)ctx;
    expect(v->guests == 0, "expected its sockets to leave first");
    paper.visits--;
    free(v);
}

static struct guest *guest(const char *sid)
{
    for (int i = 0; i < SOCKETS; i++)
        if (paper.guests[i].here && strcmp(paper.guests[i].sid, sid) == 0)
            return &paper.guests[i];
    return NULL;
}

static struct guest *new_guest(struct visit *v, const struct socket_info *s)
{
    struct guest *g = paper.guests;
    while (g->here) /* clients are few, and so are namespaces */
        expect(++g < paper.guests + SOCKETS, "expected fewer sockets");
    *g = (struct guest){.here = true, .visit = v};
    snprintf(g->sid, sizeof g->sid, "%s", s->sid);
    snprintf(g->nsp, sizeof g->nsp, "%s", s->nsp);
    v->guests++;
    return g;
}

static void ask_for(void *ctx, void *bearer, const struct socket_info *s, const json_t *auth,
                    uint64_t now)
{
    struct guest *g = guest(s->sid);
    (void)ctx;
    (void)now;
    expect(!auth || json_is_object(auth), "expected an object of a CONNECT");
    expect(g == NULL || s->again, "expected %s to be asked for once", s->sid);
    if (g) { /* hub_renew() */
        g->rooms = 0;
        return;
    }
    g = new_guest(bearer, s);
    g->accepted = paper.accepts;
    if (paper.accepts)
        hub_accept(paper.hub, s->sid);
}

static void take_leave(void *ctx, void *bearer, const char *sid, const char *reason, bool by_client)
{
    struct guest *g = guest(sid);
    (void)ctx;
    (void)by_client;
    expect(g && g->visit == bearer && *reason, "expected leave of a socket that was here");
    g->visit->guests--;
    g->here = false;
}

static void check_attached(const struct attachments *with)
{
    expect(with->n == 0 || with->frames, "expected %u attachments", with->n);
    for (unsigned i = 0; i < with->n; i++)
        expect(with->frames[i]->binary, "expected a binary frame");
}

static void receive(void *ctx, void *bearer, const struct incoming *e)
{
    struct guest *g = guest(e->sid);
    (void)ctx;
    expect(g && g->visit == bearer, "expected an event of a socket that is here");
    expect(g->welcome && e->principal == g->principal && e->principal != 0,
           "expected an event of a socket that was admitted");
    expect(strcmp(e->nsp, g->nsp) == 0 && json_array_size(e->event) > 0 && e->bytes > 0,
           "expected an event");
    check_attached(&e->with);
    g->untaken += e->bytes;
    snprintf(g->ack, sizeof g->ack, "%s", e->ack);
}

static void acked(void *ctx, void *bearer, const char *sid, int64_t ack, const json_t *args,
                  const struct attachments *with)
{
    struct guest *g = guest(sid);
    (void)ctx;
    expect(g && g->visit == bearer && g->accepted, "expected an ack of a socket that is here");
    expect(ack >= 0 && json_is_array(args), "expected an ack");
    check_attached(with);
}

void paper_begin(bool accepts, bool acks)
{
    memset(&paper, 0, sizeof paper);
    paper.accepts = accepts;
    paper.backend = (struct backend){.acks = acks,
                                     .arrive = arrive,
                                     .leave = leave,
                                     .connect = ask_for,
                                     .disconnect = take_leave,
                                     .receive = receive,
                                     .acked = acked};
}

const char *paper_rooms(unsigned bits)
{
    static char names[2 * ROOMS + 1];
    char *p = names;
    for (int i = 0; i < ROOMS; i++)
        if (bits >> i & 1)
            p += sprintf(p, "%s%c", p > names ? "," : "", 'a' + i);
    *p = '\0';
    return names;
}
