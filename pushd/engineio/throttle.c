/*
 * throttle: limits how fast a client may send; see session.h. If a client exceeds its rates, pushd
 * does not read from it until its debt is paid off. Nothing is dropped.
 */
#include <stddef.h>

#include "base/alloc.h"
#include "engineio/engine_state.h"

/* Stopping and continuing costs some calls, so a pause has this minimum. */
enum { PAUSE_MS = 50 };

static void go_on(struct timer *t, uint64_t now)
{
    struct session *s = container_of(t, struct session, throttle);
    (void)now;
    session_pause(s, PAUSE_EVENTS, false);
    session_pause(s, PAUSE_BYTES, false);
}

/* Milliseconds that the client has to wait. */
static uint64_t spend(struct session *s, struct bucket *b, uint64_t rate, uint64_t n,
                      enum pause_reason why, uint64_t now)
{
    if (rate == 0)
        return 0;
    bucket_take(b, rate, n, now);
    uint64_t wait = bucket_wait(b, rate, now);
    if (wait)
        session_pause(s, why, true);
    return wait;
}

void session_throttle(struct session *s, size_t events, size_t bytes, uint64_t now)
{
    const struct config *c = s->engine->config;
    uint64_t wait = spend(s, &s->events, (uint64_t)c->event_rate, events, PAUSE_EVENTS, now);
    uint64_t other = spend(s, &s->bytes, c->byte_rate, bytes, PAUSE_BYTES, now);
    if (other > wait)
        wait = other;
    if (wait && !s->ended)
        timer_start(s->engine->wheel, &s->throttle, now + (wait > PAUSE_MS ? wait : PAUSE_MS),
                    go_on);
}
