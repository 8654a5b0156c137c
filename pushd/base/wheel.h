/*
 * wheel: timers, many and cheap (a hierarchical timing wheel of 1 ms).
 *
 * Time is an argument: milliseconds of any monotonic clock. A timer is embedded in what it times;
 * zero bytes are a stopped timer.
 */
#ifndef PUSHD_WHEEL_H
#define PUSHD_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

struct wheel;

struct timer {
    struct timer *next, **link; /* link is NULL when stopped */
    uint64_t due;
    void (*fire)(struct timer *t, uint64_t now);
};

struct wheel *wheel_new(uint64_t now);
void wheel_free(struct wheel *w);

/* (Re)start t to fire at due, or at the next advance if that has passed. */
void timer_start(struct wheel *w, struct timer *t, uint64_t due,
                 void (*fire)(struct timer *t, uint64_t now));
void timer_stop(struct timer *t);
bool timer_running(const struct timer *t);

/* Fire all timers due by now. Timers may be started and stopped within. */
void wheel_advance(struct wheel *w, uint64_t now);
/* Milliseconds from now until the wheel must be advanced, or -1 if no timer runs. Never later than
 * the earliest timer, possibly earlier. */
int64_t wheel_next(const struct wheel *w, uint64_t now);

#endif
