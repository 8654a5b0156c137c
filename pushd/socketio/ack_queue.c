/* ack_queue: see ack_queue.h. A sent instruction with an id is kept, without its payload, until it
 * is acknowledged. */
#include "socketio/ack_queue.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct instruction {
    UT_hash_handle by_id, by_number;
    struct instruction *next;
    int64_t id, number; /* number: -1 while it waits */
    size_t len;
    char *payload; /* NULL once it was sent */
};

struct ack_queue {
    struct ack_queue_setup setup;
    struct instruction *first, **end; /* the waiting ones */
    struct instruction *ids, *sent;   /* hashes: those with an id, by id; those sent, by number */
    int64_t outstanding;              /* its number; -1 = none */
    int64_t next_number;
    bool silent; /* pushd does not wait for it */
    size_t bytes;
    struct timer timer;
};

struct ack_queue *ack_queue_new(const struct ack_queue_setup *setup)
{
    struct ack_queue *q = alloc(sizeof *q);
    q->setup = *setup;
    q->end = &q->first;
    q->outstanding = -1;
    return q;
}

static void drop(struct ack_queue *q, struct instruction *e)
{
    if (e->id > 0)
        HASH_DELETE(by_id, q->ids, e);
    if (e->number >= 0)
        HASH_DELETE(by_number, q->sent, e);
    free(e->payload);
    free(e);
}

static struct instruction *shift(struct ack_queue *q)
{
    struct instruction *e = q->first;
    q->first = e->next;
    if (!q->first)
        q->end = &q->first;
    q->bytes -= sizeof *e + e->len;
    return e;
}

void ack_queue_clear(struct ack_queue *q)
{
    struct instruction *e, *next;
    while (q->first)
        drop(q, shift(q));
    HASH_ITER (by_number, q->sent, e, next)
        drop(q, e);
    timer_stop(&q->timer);
    q->outstanding = -1;
    q->silent = false;
}

void ack_queue_free(struct ack_queue *q)
{
    if (!q)
        return;
    ack_queue_clear(q);
    free(q);
}

static void tell_next(struct ack_queue *q, uint64_t now);

static void out_of_patience(struct timer *t, uint64_t now)
{
    struct ack_queue *q = container_of(t, struct ack_queue, timer);
    q->outstanding = -1;
    q->silent = true;
    q->setup.silent(q->setup.ctx);
    tell_next(q, now);
}

static void send_one(struct ack_queue *q, struct instruction *e, uint64_t now)
{
    int64_t number = e->id == ACK_NONE ? -1 : q->next_number++;
    char *payload = e->payload;
    e->payload = NULL;
    if (number >= 0 && !q->silent) {
        q->outstanding = number;
        timer_start(q->setup.wheel, &q->timer, now + q->setup.patience, out_of_patience);
    }
    q->setup.send(q->setup.ctx, e->id, number, payload, e->len);
    free(payload);
    if (e->id > 0) {
        e->number = number;
        HASH_ADD(by_number, q->sent, number, sizeof e->number, e);
    } else {
        drop(q, e);
    }
}

static void tell_next(struct ack_queue *q, uint64_t now)
{
    while (q->first && q->outstanding < 0)
        send_one(q, shift(q), now);
}

/* Does an instruction with this id wait, or is it outstanding? One whose time is over may be sent
 * again. */
static bool has(struct ack_queue *q, int64_t id)
{
    struct instruction *e;
    HASH_FIND(by_id, q->ids, &id, sizeof id, e);
    if (!e)
        return false;
    if (e->number < 0 || e->number == q->outstanding)
        return true;
    drop(q, e);
    return false;
}

void ack_queue_add(struct ack_queue *q, int64_t id, const char *payload, size_t len, uint64_t now)
{
    if (id > 0 && has(q, id))
        return;
    struct instruction *e = alloc(sizeof *e);
    e->payload = must(malloc(len + 1));
    memcpy(e->payload, payload, len);
    e->payload[len] = '\0';
    e->len = len;
    e->id = id;
    e->number = -1;
    if (id > 0)
        HASH_ADD(by_id, q->ids, id, sizeof e->id, e);
    *q->end = e;
    q->end = &e->next;
    q->bytes += sizeof *e + len;
    tell_next(q, now);
}

size_t ack_queue_bytes(const struct ack_queue *q)
{
    return q->bytes;
}

bool ack_queue_acked(struct ack_queue *q, int64_t number, uint64_t now, int64_t *id)
{
    struct instruction *e;
    if (number < 0 || number >= q->next_number)
        return false;
    HASH_FIND(by_number, q->sent, &number, sizeof number, e);
    *id = e ? e->id : 0;
    if (e)
        drop(q, e);
    q->silent = false;
    if (number == q->outstanding) {
        timer_stop(&q->timer);
        q->outstanding = -1;
        tell_next(q, now);
    }
    return true;
}
