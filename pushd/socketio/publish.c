/* publish: the way of an event from the backend to the queues of its receivers; see hub.h. */
#include "base/alloc.h"
#include "socketio/hub_state.h"
#include "socketio/sio.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

void hub_read_begin(struct hub *hub)
{
    while (hub->fresh)
        socket_settling(hub->fresh);
}

void hub_read_marks(struct hub *hub, const char *prev, const char *cur)
{
    free(hub->prev);
    free(hub->cur);
    hub->prev = alloc_text(prev);
    hub->cur = alloc_text(cur);
}

void hub_read_end(struct hub *hub)
{
    while (hub->settling)
        socket_settle(hub->settling);
}

bool hub_worth_waiting(struct hub *hub, uint64_t now)
{
    return engine_worth_waiting(hub->engine, now);
}

struct delivery {
    struct hub *hub;
    const struct event *event;
    struct frame *frame, *marked; /* without and with an offset; made for the first receiver */
    struct shared_text *payload;  /* of an instruction; the same */
    uint64_t now;
};

static struct frame *mark(const struct delivery *d, const char *prev)
{
    const struct event *e = d->event;
    const char *offset = offset_make(d->hub->offsets, prev, d->hub->cur, e->id);
    return sio_pack_event_at(e->nsp, e->payload, e->payload_len, offset);
}

/* The form of the event for this socket, with a reference of its own. */
static struct frame *form(struct delivery *d, const struct socket *k)
{
    const struct event *e = d->event;
    /* It has not received what its snapshot sees, so its part of this read begins there. */
    if (k->offsets && k->since)
        return mark(d, k->since_text);
    struct frame **shared = k->offsets ? &d->marked : &d->frame;
    if (!*shared)
        *shared = k->offsets ? mark(d, d->hub->prev)
                             : sio_pack_event(e->nsp, "", e->payload, e->payload_len, 0);
    return frame_ref(*shared);
}

static void receive(struct subscriber *subscriber, void *ctx)
{
    struct delivery *d = ctx;
    const struct event *e = d->event;
    struct socket *k = container_of(subscriber, struct socket, subscriber);
    if (e->except && k->principal == e->except)
        return;
    if (k->since && snapshot_sees(k->since, e->xid))
        return;
    hub_count(d->hub, METRIC_DELIVERIES, 1);
    if (e->instruction) {
        if (!d->payload)
            d->payload = shared_texts_get(d->hub->texts, e->payload, e->payload_len);
        socket_instruct(k, e->instruction_id, d->payload, d->now);
        return;
    }
    struct frame *f = form(d, k);
    session_queue(k->client->session, f);
    frame_unref(f);
}

void hub_publish(struct hub *hub, const struct event *e, uint64_t now)
{
    struct delivery d = {hub, e, NULL, NULL, NULL, now};
    hub_count(hub, METRIC_EVENTS, 1);
    hub->events++;
    rooms_publish(hub->rooms, e->nsp, e->rooms, receive, &d);
    frame_unref(d.frame);
    frame_unref(d.marked);
    shared_text_unref(d.payload);
}
