/* socket: see socket.h. */
#include "base/alloc.h"
#include "base/decimal.h"
#include "socketio/hub_state.h"
#include "socketio/kept.h"
#include "socketio/notice.h"
#include "socketio/principal.h"

#include <stdlib.h>
#include <string.h>

struct socket *socket_new(struct client *c, unsigned nsp_index)
{
    struct hub *hub = c->hub;
    struct socket *k = alloc(sizeof *k);
    k->client = c;
    k->nsp = hub->nsp[nsp_index];
    k->nsp_index = nsp_index;
    k->held_end = &k->held;
    sid_new(k->sid);
    if (c->recovers)
        sid_new(k->pid);
    k->next = c->sockets;
    c->sockets = k;
    HASH_ADD(hh, hub->sockets, sid, SID_LEN, k);
    hub_count(hub, METRIC_SOCKETS, 1);
    return k;
}

static void unlink_socket(struct socket *k)
{
    struct client *c = k->client;
    struct socket **at = &c->sockets;
    while (*at != k)
        at = &(*at)->next;
    *at = k->next;
    if (k->accepted)
        c->left |= 1U << k->nsp_index;
    HASH_DEL(c->hub->sockets, k);
}

void socket_close(struct socket *k, const char *reason, bool by_client)
{
    struct client *c = k->client;
    struct hub *hub = c->hub;
    notice_ended(k, reason);
    unlink_socket(k);
    principal_set(k, 0);
    socket_settle(k);
    socket_ready(k);
    socket_rooms(k, "");
    free(k->resume);
    k->resume = NULL;
    hub->backend->disconnect(hub->backend->ctx, c->bearer, k->sid, reason, by_client);
    hub_count(hub, METRIC_SOCKETS, -1);
    hub_count(hub, METRIC_JOINED, -(double)k->joined);
    k->joined = false;
    socket_release(k);
    socket_taken(k, k->inbox);
    socket_forget_instructions(k);
    ack_queue_free(k->instructions);
    free(k);
}

void socket_rooms(struct socket *k, const char *rooms)
{
    struct hub *hub = k->client->hub;
    rooms_set(hub->rooms, &k->subscriber, k->nsp, rooms);
    metrics_set(hub->metrics, METRIC_ROOMS, (double)rooms_count(hub->rooms));
}

void socket_ready(struct socket *k)
{
    k->client->hub->waiting -= k->waits;
    k->waits = false;
}

void socket_send(struct socket *k, struct frame *f, const struct attachments *with)
{
    session_queue(k->client->session, f);
    frame_unref(f);
    for (unsigned i = 0; with && i < with->n; i++)
        session_queue(k->client->session, with->frames[i]);
}

void socket_ack(struct socket *k, const char *ack, const char *args, size_t len,
                const struct attachments *with)
{
    socket_send(k, sio_pack_ack(k->nsp, ack, args, len, with ? with->n : 0), with);
    hub_count(k->client->hub, METRIC_ACKS, 1);
}

void socket_upgraded(struct socket *k)
{
    const struct backend *backend = k->client->hub->backend;
    if (!k->joined || k->reported_websocket || !k->client->session->websocket)
        return;
    k->reported_websocket = true;
    if (backend->upgraded)
        backend->upgraded(backend->ctx, k->client->bearer, k->sid);
}

void socket_info(struct socket *k, struct socket_info *out)
{
    const struct session *s = k->client->session;
    *out = (struct socket_info){
        .sid = k->sid,
        .nsp = k->nsp,
        .transport = s->websocket ? "websocket" : "polling",
        .address = s->address,
        .user_agent = k->client->user_agent,
        .pid = k->pid[0] ? k->pid : NULL,
        .was = k->resume ? k->resume->was : NULL,
        .offset = k->resume && k->resume->has_offset ? k->resume->offset : NULL,
        /* The other half is for events that arrive meanwhile. */
        .most_bytes = k->client->hub->config->queue_bytes / 2,
        .muted = k->muted,
    };
}

/* --- instructions --- */

static void report(const struct socket *k, int64_t id, bool acked)
{
    const struct backend *backend = k->client->hub->backend;
    if (id > 0 && backend->ack_report)
        backend->ack_report(backend->ctx, k->client->bearer, k->sid, k->principal, id, acked);
}

static void count_waiting(struct socket *k)
{
    size_t was = k->waiting;
    k->waiting = ack_queue_bytes(k->instructions);
    session_wait(k->client->session, was, k->waiting);
}

static void send_instruction(void *ctx, int64_t id, int64_t number,
                             const struct shared_text *payload)
{
    struct socket *k = ctx;
    char digits[SIO_ACK_DIGITS + 1] = "";
    if (number >= 0)
        snprintf(digits, sizeof digits, "%lld", (long long)number);
    count_waiting(k);
    socket_send(k, sio_pack_event(k->nsp, digits, payload->text, payload->len, 0), NULL);
    if (number < 0)
        return;
    hub_count(k->client->hub, METRIC_INSTRUCTIONS_SENT, 1);
    report(k, id, false);
}

static bool has_room(void *ctx)
{
    const struct socket *k = ctx;
    return session_has_room(k->client->session);
}

static void silent(void *ctx)
{
    const struct socket *k = ctx;
    hub_count(k->client->hub, METRIC_INSTRUCTIONS_SILENT, 1);
}

void socket_instruct(struct socket *k, int64_t id, struct shared_text *payload, uint64_t now)
{
    const struct hub *hub = k->client->hub;
    if (!k->instructions)
        k->instructions = ack_queue_new(&(struct ack_queue_setup){
            hub->wheel, hub->config->ack_timeout, send_instruction, has_room, silent, k});
    ack_queue_add(k->instructions, id, payload, now);
    count_waiting(k);
}

void socket_forget_instructions(struct socket *k)
{
    if (!k->instructions)
        return;
    ack_queue_clear(k->instructions);
    count_waiting(k);
}

void socket_room(struct socket *k)
{
    if (k->instructions)
        ack_queue_go_on(k->instructions);
}

/* False if no instruction of the socket was sent with this number. */
static bool instruction_acked(struct socket *k, int64_t number, uint64_t now)
{
    int64_t id;
    if (!k->instructions || !ack_queue_acked(k->instructions, number, now, &id))
        return false;
    hub_count(k->client->hub, METRIC_INSTRUCTIONS_ACKED, 1);
    report(k, id, true);
    return true;
}

/* --- events for the socket --- */

/* Inserts into a list of sockets whose snapshot is not part of a read yet. */
static void put(struct socket **list, struct socket *k)
{
    k->fresh_next = *list;
    if (k->fresh_next)
        k->fresh_next->fresh_link = &k->fresh_next;
    k->fresh_link = list;
    *list = k;
}

static void take(struct socket *k)
{
    *k->fresh_link = k->fresh_next;
    if (k->fresh_next)
        k->fresh_next->fresh_link = k->fresh_link;
}

void socket_fresh(struct socket *k, const char *snapshot)
{
    k->since = snapshot ? snapshot_parse(snapshot) : NULL;
    if (!k->since)
        return;
    k->since_text = alloc_text(snapshot);
    put(&k->client->hub->fresh, k);
}

void socket_settling(struct socket *k)
{
    take(k);
    put(&k->client->hub->settling, k);
}

void socket_settle(struct socket *k)
{
    if (!k->since)
        return;
    take(k);
    free(k->since);
    free(k->since_text);
    k->since = NULL;
    k->since_text = NULL;
}

/* --- what the client sends --- */

/* Bytes were added to the inbox of a client, or removed. */
static void count_inbox(struct client *c, size_t in, size_t out)
{
    size_t max = c->hub->config->inbox_bytes;
    bool paused = c->session->paused & PAUSE_INBOX;
    c->inbox += in;
    c->inbox -= out < c->inbox ? out : c->inbox;
    session_pause(c->session, PAUSE_INBOX, c->inbox > (paused ? max / 2 : max));
}

static void give(struct socket *k, const json_t *event, const struct attachments *with,
                 const char *ack, size_t bytes)
{
    const struct backend *backend = k->client->hub->backend;
    struct incoming e = {.sid = k->sid,
                         .principal = k->principal,
                         .nsp = k->nsp,
                         .event = event,
                         .with = *with,
                         .ack = ack,
                         .bytes = bytes};
    backend->receive(backend->ctx, k->client->bearer, &e);
}

static void drop(struct held *h)
{
    for (unsigned i = 0; i < h->attachments; i++)
        frame_unref(h->attached[i]);
    free(h->attached);
    free(h->text);
    free(h);
}

static size_t size_of(const struct held *h)
{
    size_t size = sizeof *h + (h->text ? strlen(h->text) : 0);
    for (unsigned i = 0; i < h->attachments; i++)
        size += sizeof *h->attached[i] + h->attached[i]->size;
    return size;
}

/* Must be the last call: it may end the session. */
static void hold(struct socket *k, struct sio_packet *p)
{
    size_t len = strlen(p->ack);
    struct held *h = alloc(sizeof *h + len + 1);
    h->text = json_dumps(p->data, JSON_COMPACT);
    h->attached = p->attached;
    h->attachments = p->attachments;
    p->attached = NULL;
    h->bytes = p->bytes;
    memcpy(h->ack, p->ack, len);
    h->size = size_of(h);
    if (!kept_add(k->client, h->size)) {
        drop(h);
        return;
    }
    *k->held_end = h;
    k->held_end = &h->next;
}

void socket_receive(struct socket *k, struct sio_packet *p)
{
    struct hub *hub = k->client->hub;
    bool effect = p->data && !k->muted;
    /* Every ack is answered, even of an event without effect: the client may wait for it. */
    if (p->ack[0] && !(effect && hub->backend->acks))
        socket_ack(k, p->ack, "[]", 2, NULL);
    hub_count(hub, METRIC_RECEIVED, 1);
    if (!effect)
        return;
    k->inbox += p->bytes;
    count_inbox(k->client, p->bytes, 0);
    if (k->joined)
        give(k, p->data, &(struct attachments){p->attachments, p->attached}, p->ack, p->bytes);
    else
        hold(k, p);
}

void socket_acked(struct socket *k, const struct sio_packet *p, uint64_t now)
{
    const struct backend *backend = k->client->hub->backend;
    struct attachments with = {p->attachments, p->attached};
    uint64_t ack;
    if (k->muted || !decimal(p->ack, strlen(p->ack), INT64_MAX, &ack) ||
        instruction_acked(k, (int64_t)ack, now))
        return;
    if (backend->acked)
        backend->acked(backend->ctx, k->client->bearer, k->sid, (int64_t)ack, p->data, &with);
}

void socket_release(struct socket *k)
{
    struct held *h;
    while ((h = k->held) != NULL) {
        k->held = h->next;
        kept_drop(k->client, h->size);
        json_t *event = h->text ? json_loads(h->text, JSON_ALLOW_NUL, NULL) : NULL;
        if (event && k->joined && !k->muted)
            give(k, event, &(struct attachments){h->attachments, h->attached}, h->ack, h->bytes);
        else
            socket_taken(k, h->bytes);
        json_decref(event);
        drop(h);
    }
    k->held_end = &k->held;
}

void socket_taken(struct socket *k, size_t bytes)
{
    bytes = bytes < k->inbox ? bytes : k->inbox;
    k->inbox -= bytes;
    count_inbox(k->client, 0, bytes);
}
