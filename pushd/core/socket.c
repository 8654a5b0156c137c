/* socket: see socket.h. */
#include "hub_state.h"
#include "identity.h"
#include "log.h"
#include "sio.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void send_frame(struct session *s, struct frame *f)
{
    session_queue(s, f);
    frame_unref(f);
}

static int nsp_index(const struct hub *hub, const char *nsp)
{
    for (unsigned i = 0; i < hub->nsps; i++)
        if (strcmp(hub->nsp[i], nsp) == 0)
            return (int)i;
    return -1;
}

static struct socket *find(const struct session *s, const char *nsp)
{
    for (struct socket *k = s->sockets; k; k = k->next)
        if (strcmp(k->nsp, nsp) == 0)
            return k;
    return NULL;
}

static struct socket *socket_new(struct session *s, unsigned index)
{
    struct hub *hub = s->hub;
    struct socket *k = calloc(1, sizeof *k);
    if (!k)
        abort();
    k->session = s;
    k->nsp = hub->nsp[index];
    k->nsp_index = index;
    k->held_end = &k->held;
    hub_new_sid(k->sid);
    k->next = s->sockets;
    s->sockets = k;
    HASH_ADD(hh, hub->sockets, sid, SID_LEN, k);
    hub_count(hub, METRIC_SOCKETS, 1);
    return k;
}

/* The token of a CONNECT packet counts for all namespaces of the session. */
static void judge_again(struct session *s, const json_t *token, uint64_t now)
{
    identity_judge(s, json_string_value(token), json_string_length(token), now);
    if (s->identity.verdict == TOKEN_REFUSED)
        return;
    timer_stop(&s->life);
    for (struct socket *k = s->sockets; k; k = k->next)
        k->answered = false;
}

/* CONNECT is answered at once; what the token is worth follows. */
static void connect_nsp(struct session *s, const struct sio_packet *p, uint64_t now)
{
    int index = nsp_index(s->hub, p->nsp);
    const json_t *token = p->data ? json_object_get(p->data, "token") : NULL;
    if (index < 0) {
        send_frame(s, sio_connect_error(p->nsp, "Invalid namespace"));
        return;
    }
    if (find(s, p->nsp)) {
        session_end(s, END_PACKET);
        return;
    }
    if (!s->sockets && s->left == 0)
        timer_stop(&s->life); /* the connect timeout */
    s->left &= ~(1U << index);
    if (s->identity.verdict == TOKEN_REFUSED && json_is_string(token))
        judge_again(s, token, now);
    struct socket *k = socket_new(s, (unsigned)index);
    send_frame(s, sio_connect(k->nsp, k->sid));
    socket_identify(s, now);
}

static void tell(struct socket *k, const char *event)
{
    char payload[SIO_NSP_MAX + 8];
    int n = snprintf(payload, sizeof payload, "[\"%s\"]", event);
    if (n > 0 && (size_t)n < sizeof payload)
        socket_event(k, payload, (size_t)n);
}

static void identify(struct socket *k, uint64_t now)
{
    struct session *s = k->session;
    const struct config *c = s->hub->config;
    struct socket_info info;
    switch (s->identity.verdict) {
    case TOKEN_GOOD:
        socket_info(k, &info);
        s->hub->backend->connect(s->hub->backend->ctx, &info);
        break;
    case TOKEN_EXPIRED:
        tell(k, c->expired_event);
        identity_grace(s, s->identity.claims.grace, now);
        break;
    case TOKEN_INVALID:
        if (identity_may_tell(s->hub, s->address, now))
            tell(k, c->invalid_event);
        identity_grace(s, c->refused_grace, now);
        break;
    case TOKEN_REFUSED:
        identity_grace(s, c->refused_grace, now);
        break;
    case TOKEN_UNKNOWN_KEY:
        identity_await_key(s, now);
        return;
    case TOKEN_NO_KEYS: /* judged when there are some */
        return;
    }
    k->answered = true;
    if (s->identity.verdict != TOKEN_GOOD)
        socket_release(k);
}

void socket_identify(struct session *s, uint64_t now)
{
    for (struct socket *k = s->sockets; k; k = k->next)
        if (!k->answered)
            identify(k, now);
}

void socket_event(struct socket *k, const char *payload, size_t len)
{
    send_frame(k->session, sio_event(k->nsp, payload, len));
}

/* No event of this client will ever have an effect. */
static bool useless(const struct socket *k)
{
    switch (k->session->identity.verdict) {
    case TOKEN_GOOD:
        return k->unknown;
    case TOKEN_NO_KEYS:
    case TOKEN_UNKNOWN_KEY:
        return false;
    default:
        return true;
    }
}

static void take_event(struct socket *k, json_t *event, size_t bytes)
{
    const struct backend *backend = k->session->hub->backend;
    k->inbox += bytes;
    session_inbox(k->session, bytes, 0);
    if (k->joined) {
        backend->receive(backend->ctx, k->sid, k->principal, k->nsp, event, bytes);
        return;
    }
    struct held *h = calloc(1, sizeof *h);
    if (!h)
        abort();
    h->text = json_dumps(event, JSON_COMPACT);
    h->bytes = bytes;
    *k->held_end = h;
    k->held_end = &h->next;
}

void socket_release(struct socket *k)
{
    const struct backend *backend = k->session->hub->backend;
    struct held *h;
    while ((h = k->held) != NULL) {
        k->held = h->next;
        json_t *event = h->text ? json_loads(h->text, JSON_ALLOW_NUL, NULL) : NULL;
        if (event && k->joined && k->principal)
            backend->receive(backend->ctx, k->sid, k->principal, k->nsp, event, h->bytes);
        else
            socket_taken(k, h->bytes);
        json_decref(event);
        free(h->text);
        free(h);
    }
    k->held_end = &k->held;
}

void socket_taken(struct socket *k, size_t bytes)
{
    bytes = bytes < k->inbox ? bytes : k->inbox;
    k->inbox -= bytes;
    session_inbox(k->session, 0, bytes);
}

/* Every ack is answered, also of an event without effect: the client may wait for it. */
static void client_event(struct socket *k, struct sio_packet *p, size_t bytes)
{
    struct session *s = k->session;
    struct hub *hub = s->hub;
    if (p->ack[0]) {
        send_frame(s, sio_ack(k->nsp, p->ack));
        hub_count(hub, METRIC_ACKS, 1);
    }
    hub_count(hub, METRIC_RECEIVED, 1);
    if (p->data && !useless(k))
        take_event(k, p->data, bytes);
}

void socket_message(struct session *s, const char *text, size_t len, uint64_t now)
{
    struct sio_packet p;
    const char *wrong = sio_parse(text, len, &p);
    if (wrong) {
        log_debug("packet refused: %s address=%s", wrong, s->address);
        session_end(s, END_PACKET);
        return;
    }
    struct socket *k = find(s, p.nsp);
    int index = nsp_index(s->hub, p.nsp);
    if (p.type == SIO_CONNECT)
        connect_nsp(s, &p, now);
    else if (k && p.type == SIO_EVENT)
        client_event(k, &p, len);
    else if (k && p.type == SIO_DISCONNECT)
        socket_close(k, "client namespace disconnect", true);
    else if (!k && (index < 0 || !(s->left & (1U << index))))
        session_end(s, END_PACKET); /* it was never connected there */
    json_decref(p.data);
}

void socket_close(struct socket *k, const char *reason, bool by_client)
{
    struct session *s = k->session;
    struct hub *hub = s->hub;
    struct socket **at = &s->sockets;
    while (*at != k)
        at = &(*at)->next;
    *at = k->next;
    s->left |= 1U << k->nsp_index;
    HASH_DEL(hub->sockets, k);
    hub_settle(k);
    hub_ready(k);
    rooms_set(hub->rooms, &k->subscriber, k->nsp, "");
    if (k->answered && s->identity.verdict == TOKEN_GOOD)
        hub->backend->disconnect(hub->backend->ctx, k->sid, reason, by_client);
    hub_count(hub, METRIC_SOCKETS, -1);
    hub_count(hub, METRIC_JOINED, -(double)k->joined);
    k->joined = false;
    socket_release(k);
    socket_taken(k, k->inbox);
    free(k);
}

void socket_info(const struct socket *k, struct socket_info *out)
{
    const struct session *s = k->session;
    *out = (struct socket_info){
        .sid = k->sid,
        .nsp = k->nsp,
        .subject = s->identity.claims.subject,
        .transport = s->websocket ? "websocket" : "polling",
        .address = s->address,
        .expires = s->identity.claims.expires,
    };
}
