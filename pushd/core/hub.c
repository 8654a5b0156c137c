/* hub: see hub.h. */
#include "hub_state.h"
#include "identity.h"
#include "log.h"
#include "sio.h"

#include <openssl/rand.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static char *word_copy(const char *word, size_t len)
{
    char *p = calloc(1, len + 1);
    if (!p)
        abort();
    memcpy(p, word, len);
    return p;
}

char *hub_strdup(const char *s)
{
    return word_copy(s, strlen(s));
}

struct hub *hub_new(const struct config *config, struct metrics *metrics, struct wheel *wheel)
{
    struct hub *hub = calloc(1, sizeof *hub);
    const char *word;
    size_t len;
    if (!hub || !(hub->rooms = rooms_new()))
        abort();
    hub->config = config;
    hub->metrics = metrics;
    hub->wheel = wheel;
    while (hub->nsps < CONFIG_NAMESPACES_MAX &&
           (len = config_word(config->namespaces, hub->nsps, &word)))
        hub->nsp[hub->nsps++] = word_copy(word, len);
    return hub;
}

void hub_set_backend(struct hub *hub, const struct backend *backend)
{
    hub->backend = backend;
}

void hub_set_net(struct hub *hub, const struct net *net)
{
    hub->net = net;
}

void hub_on_unknown_key(struct hub *hub, void (*f)(void *ctx), void *ctx)
{
    hub->unknown_key = f;
    hub->unknown_key_ctx = ctx;
}

void hub_set_clock(struct hub *hub, int64_t unix_ms, uint64_t now)
{
    hub->unix_ms = unix_ms - (int64_t)now;
}

void hub_set_keys(struct hub *hub, const struct keyset *keys, uint64_t now)
{
    struct session *s, *next;
    hub->keys = keys;
    HASH_ITER (hh, hub->sessions, s, next)
        identity_retry(s, now);
}

void hub_free(struct hub *hub)
{
    hub_flush(hub);
    identity_forget(hub);
    rooms_free(hub->rooms);
    for (unsigned i = 0; i < hub->nsps; i++)
        free(hub->nsp[i]);
    free(hub);
}

void hub_count(struct hub *hub, enum metric_id id, double n)
{
    metrics_add(hub->metrics, id, n);
}

void hub_new_sid(char *sid)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char random[SID_LEN];
    if (RAND_bytes(random, sizeof random) != 1)
        abort();
    for (int i = 0; i < SID_LEN; i++)
        sid[i] = digits[random[i] & 63];
    sid[SID_LEN] = '\0';
}

/* --- answers of the backend --- */

static struct socket *find(struct hub *hub, const char *sid)
{
    struct socket *k = NULL;
    if (strlen(sid) == SID_LEN)
        HASH_FIND(hh, hub->sockets, sid, SID_LEN, k);
    return k;
}

static void greet(struct socket *k, const json_t *greeting)
{
    size_t i;
    json_t *event;
    json_array_foreach (greeting, i, event) {
        char *payload = json_dumps(event, JSON_COMPACT);
        if (payload)
            socket_event(k, payload, strlen(payload));
        free(payload);
    }
}

/* Into a list of sockets whose snapshot is not yet part of a read. */
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

static void join(struct hub *hub, struct socket *k, const struct admission *a)
{
    k->joined = true;
    hub_count(hub, METRIC_JOINED, 1);
    k->since = a->snapshot ? snapshot_parse(a->snapshot) : NULL;
    if (k->since)
        put(&hub->fresh, k);
    greet(k, a->greeting);
}

void hub_admit(struct hub *hub, const struct admission *a, uint64_t now)
{
    struct socket *k = find(hub, a->sid);
    if (!k)
        return;
    struct session *s = k->session;
    k->principal = a->principal;
    k->unknown = a->principal == 0;
    hub_ready(k);
    rooms_set(hub->rooms, &k->subscriber, k->nsp, a->principal ? a->rooms : "");
    if (k->unknown) {
        hub_count(hub, METRIC_UNKNOWN_SUBJECTS, 1);
        log_info("no principal has the subject of this token address=%s", s->address);
        identity_grace(s, hub->config->refused_grace, now);
        socket_release(k);
        return;
    }
    timer_stop(&s->life);
    if (!k->joined)
        join(hub, k, a);
    socket_release(k);
}

void hub_forget_rooms(struct hub *hub)
{
    struct socket *k, *next;
    HASH_ITER (hh, hub->sockets, k, next) {
        rooms_set(hub->rooms, &k->subscriber, k->nsp, "");
        hub->waiting += k->joined && !k->waits;
        k->waits = k->joined;
    }
}

void hub_ready(struct socket *k)
{
    k->session->hub->waiting -= k->waits;
    k->waits = false;
}

size_t hub_waiting(const struct hub *hub)
{
    return hub->waiting;
}

void hub_each_socket(struct hub *hub, void (*f)(void *ctx, const struct socket_info *s), void *ctx)
{
    struct socket *k, *next;
    struct socket_info info;
    HASH_ITER (hh, hub->sockets, k, next) {
        if (!k->answered || k->session->identity.verdict != TOKEN_GOOD)
            continue;
        socket_info(k, &info);
        f(ctx, &info);
    }
}

/* --- events --- */

void hub_settle(struct socket *k)
{
    if (!k->since)
        return;
    take(k);
    free(k->since);
    k->since = NULL;
}

void hub_read_begin(struct hub *hub)
{
    struct socket *k;
    while ((k = hub->fresh) != NULL) {
        take(k);
        put(&hub->settling, k);
    }
}

bool hub_is_full(const struct hub *hub)
{
    return hub->full > 0;
}

void hub_read_end(struct hub *hub)
{
    while (hub->settling)
        hub_settle(hub->settling);
}

struct delivery {
    struct hub *hub;
    const struct event *event;
    struct frame *frame; /* made for the first receiver */
};

static void hear(struct subscriber *subscriber, void *ctx)
{
    struct delivery *d = ctx;
    const struct event *e = d->event;
    struct socket *k = (struct socket *)((char *)subscriber - offsetof(struct socket, subscriber));
    if (e->except && k->principal == e->except)
        return;
    if (k->since && snapshot_sees(k->since, e->xid))
        return;
    if (!d->frame)
        d->frame = sio_event(e->nsp, e->payload, e->payload_len);
    session_queue(k->session, d->frame);
    hub_count(d->hub, METRIC_DELIVERIES, 1);
}

void hub_event(struct hub *hub, const struct event *e)
{
    struct delivery d = {hub, e, NULL};
    hub_count(hub, METRIC_EVENTS, 1);
    rooms_publish(hub->rooms, e->nsp, e->rooms, hear, &d);
    frame_unref(d.frame);
}

void hub_taken(struct hub *hub, const char *sid, size_t bytes)
{
    struct socket *k = find(hub, sid);
    if (k)
        socket_taken(k, bytes);
}

/* --- the turn --- */

void hub_dirty(struct session *s)
{
    if (s->dirty || s->ended)
        return;
    s->dirty = true;
    s->next = s->hub->dirty;
    s->hub->dirty = s;
}

void hub_flush(struct hub *hub)
{
    struct session *s;
    while ((s = hub->dirty) != NULL) {
        hub->dirty = s->next;
        s->dirty = false;
        if (s->ended) {
            s->next = hub->ended;
            hub->ended = s;
        } else {
            session_flush(s);
        }
    }
    while ((s = hub->ended) != NULL) {
        hub->ended = s->next;
        session_free(s);
    }
    metrics_set(hub->metrics, METRIC_ROOMS, (double)rooms_count(hub->rooms));
}

size_t hub_sessions(const struct hub *hub)
{
    return HASH_COUNT(hub->sessions);
}

void hub_drain(struct hub *hub)
{
    hub->draining = true;
}

void hub_close_some(struct hub *hub, size_t n)
{
    struct session *s, *next;
    HASH_ITER (hh, hub->sessions, s, next) {
        if (n-- == 0)
            break;
        session_end(s, END_DRAIN);
    }
}
