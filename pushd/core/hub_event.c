/* hub: events from the backend to the queues; see hub.h. */
#include "hub_state.h"
#include "sio.h"

#include <stddef.h>
#include <stdlib.h>

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
    if (k->since)
        put(&k->client->hub->fresh, k);
}

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
    struct frame *frame; /* made for the first receiver */
    uint64_t now;
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
    hub_count(d->hub, METRIC_DELIVERIES, 1);
    if (e->errand) {
        hub_errand(k, e->errand_id, e->payload, e->payload_len, d->now);
        return;
    }
    if (!d->frame)
        d->frame = sio_pack_event(e->nsp, "", e->payload, e->payload_len, 0);
    session_queue(k->client->session, d->frame);
}

void hub_event(struct hub *hub, const struct event *e, uint64_t now)
{
    struct delivery d = {hub, e, NULL, now};
    hub_count(hub, METRIC_EVENTS, 1);
    rooms_publish(hub->rooms, e->nsp, e->rooms, hear, &d);
    frame_unref(d.frame);
}
