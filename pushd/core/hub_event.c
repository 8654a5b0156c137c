/* hub: events from the backend to the queues; see hub.h. */
#include "hub_state.h"
#include "sio.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

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

void hub_fresh(struct socket *k, const char *snapshot)
{
    k->since = snapshot ? snapshot_parse(snapshot) : NULL;
    if (!k->since)
        return;
    if (!(k->since_text = strdup(snapshot)))
        abort();
    put(&k->client->hub->fresh, k);
}

void hub_settle(struct socket *k)
{
    if (!k->since)
        return;
    take(k);
    free(k->since);
    free(k->since_text);
    k->since = NULL;
    k->since_text = NULL;
}

void hub_read_begin(struct hub *hub)
{
    struct socket *k;
    while ((k = hub->fresh) != NULL) {
        take(k);
        put(&hub->settling, k);
    }
}

static char *copy(const char *text)
{
    char *c = text ? strdup(text) : NULL;
    if (text && !c)
        abort();
    return c;
}

void hub_read_marks(struct hub *hub, const char *prev, const char *cur)
{
    free(hub->prev);
    free(hub->cur);
    hub->prev = copy(prev);
    hub->cur = copy(cur);
}

void hub_read_end(struct hub *hub)
{
    while (hub->settling)
        hub_settle(hub->settling);
}

bool hub_is_full(const struct hub *hub)
{
    return engine_is_full(hub->engine);
}

struct delivery {
    struct hub *hub;
    const struct event *event;
    struct frame *frame, *marked; /* without and with an offset: made for the first receiver */
    uint64_t now;
};

static struct frame *mark(const struct delivery *d, const char *prev)
{
    const struct event *e = d->event;
    const char *offset = offset_make(d->hub->offsets, prev, d->hub->cur, e->id);
    return sio_pack_event_at(e->nsp, e->payload, e->payload_len, offset);
}

/* A reference to the form of the event that this socket gets. */
static struct frame *form(struct delivery *d, const struct socket *k)
{
    const struct event *e = d->event;
    /* It has heard nothing that its snapshot sees, so its part of this read begins there. */
    if (k->offsets && k->since)
        return mark(d, k->since_text);
    struct frame **shared = k->offsets ? &d->marked : &d->frame;
    if (!*shared)
        *shared = k->offsets ? mark(d, d->hub->prev)
                             : sio_pack_event(e->nsp, "", e->payload, e->payload_len, 0);
    return frame_ref(*shared);
}

static void hear(struct subscriber *subscriber, void *ctx)
{
    struct delivery *d = ctx;
    const struct event *e = d->event;
    struct socket *k = (struct socket *)((char *)subscriber - offsetof(struct socket, subscriber));
    if (e->except && k->principal == e->except)
        return;
    if (k->since && snapshot_sees(k->since, e->xid))
        return;
    hub_count(d->hub, METRIC_DELIVERIES, 1);
    if (e->errand) {
        hub_errand(k, e->errand_id, e->payload, e->payload_len, d->now);
        return;
    }
    struct frame *f = form(d, k);
    session_queue(k->client->session, f);
    frame_unref(f);
}

void hub_event(struct hub *hub, const struct event *e, uint64_t now)
{
    struct delivery d = {hub, e, NULL, NULL, now};
    hub_count(hub, METRIC_EVENTS, 1);
    hub->events++;
    rooms_publish(hub->rooms, e->nsp, e->rooms, hear, &d);
    frame_unref(d.frame);
    frame_unref(d.marked);
}
