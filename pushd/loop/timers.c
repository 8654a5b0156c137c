/* timers: see timers.h. */
#include "loop/timers.h"
#include "base/alloc.h"

#include <stdlib.h>

struct heap_timer {
    uv_timer_t timer; /* first: the handle is the allocation */
    void (*fire)(void *ctx);
    void *ctx;
};

uv_timer_t *timers_new(uv_loop_t *loop, void (*fire)(void *ctx), void *ctx)
{
    struct heap_timer *t = alloc(sizeof *t);
    uv_timer_init(loop, &t->timer);
    t->fire = fire;
    t->ctx = ctx;
    return &t->timer;
}

static void on_timer(uv_timer_t *timer)
{
    struct heap_timer *t = (struct heap_timer *)timer;
    t->fire(t->ctx);
}

void timers_start(uv_timer_t *timer, uint64_t ms)
{
    uv_timer_start(timer, on_timer, ms, 0);
}

void timers_repeat(uv_timer_t *timer, uint64_t ms)
{
    uv_timer_start(timer, on_timer, ms, ms);
}

void timers_free(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, (uv_close_cb)free);
}
