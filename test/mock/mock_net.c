/* mock_net: see mock_net.h. */
#include "mock_net.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engineio/session.h"
#include "expect.h"

/* Of a session that there is; those of others may be forgotten. */
static struct stream *stream_of(struct mock_net *net, const char *sid)
{
    struct stream *end = net->streams + STREAMS, *st = net->streams;
    while (st < end && strcmp(st->sid, sid) != 0)
        st++;
    if (st < end)
        return st;
    st = net->streams;
    while (st < end && session_find(net->engine, st->sid))
        st++;
    expect(st < end, "expected fewer sessions");
    st->attachments = 0;
    snprintf(st->sid, sizeof st->sid, "%s", sid);
    return st;
}

/* An Engine.IO packet that goes out. */
static void check_text(struct stream *st, const char *p, size_t len)
{
    expect(len > 0 && *p >= '0' && *p <= '6', "expected a packet, found %.*s", (int)len, p);
    if (!st)
        return;
    expect(!memchr(p, 0x1e, len), "expected no separator in %.*s", (int)len, p);
    expect(st->attachments == 0, "expected %u attachments first, found %.*s", st->attachments,
           (int)len, p);
    if (*p != '4')
        return;
    expect(len > 1 && p[1] >= '0' && p[1] <= '6', "expected a packet, found %.*s", (int)len, p);
    if (p[1] >= '5')
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
static void remember_sid(struct mock_net *net, const char *body, size_t len)
{
    static const char open[] = "0{\"sid\":\"";
    if (len >= sizeof open - 1 + SID_LEN && memcmp(body, open, sizeof open - 1) == 0)
        memcpy(net->sids[net->next_sid++ % SIDS], body + sizeof open - 1, SID_LEN);
}

static void record(struct handle *h, size_t used, const void *data, size_t len)
{
    size_t n = len < sizeof h->text - 1 - used ? len : sizeof h->text - 1 - used;
    if (n)
        memcpy(h->text + used, data, n);
    h->text[used + n] = '\0';
}

static void reply(void *request, int status, const char *type, const void *body, size_t len)
{
    struct handle *h = request;
    struct mock_net *net = h->net;
    expect(h->state == HANDLE_OPEN && !h->websocket, "expected one answer, found another: %d",
           status);
    expect((type == NULL) == (len == 0), "expected a type with a body only");
    h->state = HANDLE_DONE;
    h->status = status;
    record(h, 0, body, len);
    if (status == 200 && type && strcmp(type, "text/plain; charset=UTF-8") == 0) {
        const char *sid = strstr(h->query, "&sid=");
        bool known = net->engine && sid && session_find(net->engine, sid + 5);
        check_payload(known && len > 1 ? stream_of(net, sid + 5) : NULL, body, len);
        remember_sid(net, body, len);
    }
}

/* Undoes the framing, so that tests read packets. */
static size_t take_frame(struct handle *h, struct stream *st, const unsigned char *at,
                         const unsigned char *end)
{
    size_t n = at[1], head = n == 126 ? 4 : n == 127 ? 10 : 2, used = strlen(h->text);
    bool text = at[0] == 0x81;
    expect(text || at[0] == 0x82, "expected a frame, found 0x%x", at[0]);
    for (size_t i = 2, long_n = 0; i < head; i++)
        n = long_n = long_n << 8 | at[i];
    expect(head + n <= (size_t)(end - at), "expected a whole frame");
    if (text)
        check_text(st, (const char *)at + head, n);
    else
        check_binary(st);
    if (used + n + 2 < sizeof h->text) {
        record(h, used, "b", !text);
        record(h, used + !text, at + head, n);
        record(h, used + !text + n, "\n", 1);
    }
    return head + n;
}

static bool send_ws(void *ws, const void *data, size_t len)
{
    struct handle *h = ws;
    const unsigned char *at = data, *end = at + len;
    expect(h->state == HANDLE_OPEN && h->websocket, "expected an open WebSocket");
    expect(!h->backlog, "expected no send before the backlog is gone");
    expect(len > 0, "expected something to send");
    /* A probe is beside the stream. */
    struct session *s = h->net->engine ? h->session : NULL;
    struct stream *st = s && s->ws == h ? stream_of(h->net, s->sid) : NULL;
    while (at < end)
        at += take_frame(h, st, at, end);
    h->sends++;
    h->backlog = h->stalled;
    h->stalled = false;
    return !h->backlog;
}

static void close_ws(void *ws, unsigned code)
{
    struct handle *h = ws;
    expect(h->state == HANDLE_OPEN && h->websocket, "expected one close");
    h->state = HANDLE_DONE;
    h->closed = true;
    h->code = code;
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
    snprintf(h->cookie, sizeof h->cookie, "%s", value);
}

const struct net mock_net_functions = {
    .reply = reply, .send = send_ws, .close = close_ws, .cookie = set_cookie, .pause = pause_ws};

void mock_net_begin(struct mock_net *net, struct engine *engine)
{
    for (int i = 0; i < HANDLES; i++)
        net->handle[i].state = HANDLE_FREE;
    memset(net->streams, 0, sizeof net->streams);
    memset(net->sids, 0, sizeof net->sids);
    net->next_sid = 0;
    net->engine = engine;
}

struct handle *mock_net_open(struct mock_net *net, int n, const struct request *rq)
{
    struct handle *h = &net->handle[n];
    memset(h, 0, offsetof(struct handle, text)); /* clearing the large text would take long */
    h->text[0] = '\0';
    h->net = net;
    h->state = HANDLE_OPEN;
    h->websocket = rq->websocket;
    snprintf(h->query, sizeof h->query, "%s", rq->query ? rq->query : "");
    return h;
}
