/*
 * page_wait: whether the next page of events waits, so that clients receive first; see engine.h.
 *
 * half full  a queue of more than half of queue_bytes
 * drained    something of the queue was sent since the last page, or it was empty
 *
 * A page waits for clients whose queue is half full and has drained. Who reads nothing is not
 * waited for, and who reads too little only by PAGES pages until its queue is below half: so a
 * client that is slow on purpose delays the others for a limited time, however many pages there
 * are.
 */
#include "engineio/engine_state.h"

enum { PAGES = 8 };

static void forget(struct session *s)
{
    s->engine->awaited -= s->queue.awaited;
    s->queue.awaited = false;
}

void session_queue_changed(struct session *s, bool drained)
{
    struct engine *e = s->engine;
    struct queue *q = &s->queue;
    bool full = q->bytes > e->config->queue_bytes / 2;
    if (drained)
        q->drained = e->page;
    e->full += full;
    e->full -= q->full;
    q->full = full;
    if (!full) {
        q->pages = 0;
        forget(s);
    }
}

static void look(struct session *s)
{
    struct queue *q = &s->queue;
    forget(s);
    if (!q->full || q->drained != s->engine->page || q->pages == PAGES)
        return;
    q->pages++;
    q->awaited = true;
    s->engine->awaited++;
}

bool engine_page_waits(struct engine *e, uint64_t waited)
{
    struct session *s, *next;
    if (waited == 0) {
        if (e->full)
            HASH_ITER (hh, e->sessions, s, next)
                look(s);
        e->page++;
        engine_count(e, METRIC_PAGES_WAITED, e->awaited > 0);
    }
    return e->awaited && waited < PAGE_WAIT;
}
