/* ack_queue: see ack_queue.h. */
#include "socketio/ack_queue.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

struct waiting {
    int64_t id;
    struct shared_text *payload;
};

/* It has an id, and was not acknowledged. */
struct sent {
    int64_t number, id;
};

struct ack_queue {
    struct ack_queue_setup setup;
    struct waiting *waiting; /* from first on; NULL = there is none */
    struct sent *sent;       /* the same, in the order of their numbers */
    unsigned waiting_first, waiting_n, waiting_cap;
    unsigned sent_first, sent_n, sent_cap;
    int64_t highest;     /* no id is above it */
    int64_t outstanding; /* its number; -1 = none */
    int64_t next_number;
    bool silent; /* pushd does not wait for it */
    size_t bytes;
    struct timer timer;
};

struct ack_queue *ack_queue_new(const struct ack_queue_setup *setup)
{
    struct ack_queue *q = alloc(sizeof *q);
    q->setup = *setup;
    q->outstanding = -1;
    return q;
}

/* Room for one element more behind the others. */
static void *grow(void *list, size_t size, unsigned *first, unsigned n, unsigned *cap)
{
    if (*first + n < *cap)
        return list;
    if (*first > n) {
        memmove(list, (char *)list + *first * size, n * size);
        *first = 0;
        return list;
    }
    *cap = *cap ? 2 * *cap : 2;
    return alloc_resize(list, *cap * size);
}

static void push_waiting(struct ack_queue *q, int64_t id, struct shared_text *payload)
{
    q->waiting =
        grow(q->waiting, sizeof *q->waiting, &q->waiting_first, q->waiting_n, &q->waiting_cap);
    q->waiting[q->waiting_first + q->waiting_n++] = (struct waiting){id, shared_text_ref(payload)};
    q->bytes += sizeof *q->waiting + payload->len;
}

/* With its reference. */
static struct waiting shift(struct ack_queue *q)
{
    struct waiting e = q->waiting[q->waiting_first++];
    q->bytes -= sizeof e + e.payload->len;
    if (--q->waiting_n == 0) {
        free(q->waiting);
        q->waiting = NULL;
        q->waiting_first = q->waiting_cap = 0;
    }
    return e;
}

static void push_sent(struct ack_queue *q, int64_t number, int64_t id)
{
    q->sent = grow(q->sent, sizeof *q->sent, &q->sent_first, q->sent_n, &q->sent_cap);
    q->sent[q->sent_first + q->sent_n++] = (struct sent){number, id};
}

static void drop_sent(struct ack_queue *q, struct sent *e)
{
    unsigned at = (unsigned)(e - (q->sent + q->sent_first));
    if (at == 0)
        q->sent_first++;
    else
        memmove(e, e + 1, (q->sent_n - at - 1) * sizeof *e);
    if (--q->sent_n == 0) {
        free(q->sent);
        q->sent = NULL;
        q->sent_first = q->sent_cap = 0;
    }
}

static int compare(const void *number, const void *element)
{
    const struct sent *e = element;
    int64_t n = *(const int64_t *)number;
    return (n > e->number) - (n < e->number);
}

static struct sent *find_sent(struct ack_queue *q, int64_t number)
{
    return q->sent ? bsearch(&number, q->sent + q->sent_first, q->sent_n, sizeof *q->sent, compare)
                   : NULL;
}

void ack_queue_clear(struct ack_queue *q)
{
    while (q->waiting_n)
        shared_text_unref(shift(q).payload);
    free(q->sent);
    q->sent = NULL;
    q->sent_first = q->sent_n = q->sent_cap = 0;
    timer_stop(&q->timer);
    q->outstanding = -1;
    q->highest = 0;
    q->silent = false;
}

void ack_queue_free(struct ack_queue *q)
{
    if (!q)
        return;
    ack_queue_clear(q);
    free(q);
}

static void send_next(struct ack_queue *q, uint64_t now);

static void out_of_patience(struct timer *t, uint64_t now)
{
    struct ack_queue *q = container_of(t, struct ack_queue, timer);
    q->outstanding = -1;
    q->silent = true;
    q->setup.silent(q->setup.ctx);
    send_next(q, now);
}

/* now has no meaning if pushd does not wait for the receiver. */
static void send_one(struct ack_queue *q, struct waiting e, uint64_t now)
{
    int64_t number = e.id == ACK_NONE ? -1 : q->next_number++;
    if (number >= 0 && !q->silent) {
        q->outstanding = number;
        timer_start(q->setup.wheel, &q->timer, now + q->setup.patience, out_of_patience);
    }
    if (e.id > 0)
        push_sent(q, number, e.id);
    q->setup.send(q->setup.ctx, e.id, number, e.payload);
    shared_text_unref(e.payload);
}

static void send_next(struct ack_queue *q, uint64_t now)
{
    while (q->waiting_n && q->outstanding < 0 && (!q->silent || q->setup.has_room(q->setup.ctx)))
        send_one(q, shift(q), now);
}

/* Does an instruction with this id wait, or is it outstanding? One whose time is over may be sent
 * again. */
static bool has(struct ack_queue *q, int64_t id)
{
    if (id > q->highest)
        return false;
    for (unsigned i = 0; i < q->waiting_n; i++)
        if (q->waiting[q->waiting_first + i].id == id)
            return true;
    for (unsigned i = 0; i < q->sent_n; i++) {
        struct sent *e = &q->sent[q->sent_first + i];
        if (e->id != id)
            continue;
        if (e->number == q->outstanding)
            return true;
        drop_sent(q, e);
        return false;
    }
    return false;
}

void ack_queue_add(struct ack_queue *q, int64_t id, struct shared_text *payload, uint64_t now)
{
    if (id > 0 && has(q, id))
        return;
    if (id > q->highest)
        q->highest = id;
    push_waiting(q, id, payload);
    send_next(q, now);
}

void ack_queue_go_on(struct ack_queue *q)
{
    if (q->silent)
        send_next(q, 0);
}

size_t ack_queue_bytes(const struct ack_queue *q)
{
    return q->bytes;
}

bool ack_queue_acked(struct ack_queue *q, int64_t number, uint64_t now, int64_t *id)
{
    if (number < 0 || number >= q->next_number)
        return false;
    struct sent *e = find_sent(q, number);
    *id = e ? e->id : 0;
    if (e)
        drop_sent(q, e);
    q->silent = false;
    if (number == q->outstanding) {
        timer_stop(&q->timer);
        q->outstanding = -1;
    }
    send_next(q, now);
    return true;
}
