/*
 * wheel: many cheap timers (a hierarchical timing wheel with steps of 1 ms).
 *
 * Time is an argument: milliseconds of any monotonic clock. A timer is a member of the struct that
 * it times. Zero bytes are a stopped timer.
 */
#ifndef PUSHD_WHEEL_H
#define PUSHD_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

struct wheel;

struct timer {
    struct timer *next, **link; /* NULL in link = stopped */
    uint64_t due;
    void (*fire)(struct timer *t, uint64_t now);
};

struct wheel *wheel_new(uint64_t now);
void wheel_free(struct wheel *w);

/* (Re)starts t. It fires at due, or at the next advance if that time has passed. */
void timer_start(struct wheel *w, struct timer *t, uint64_t due,
                 void (*fire)(struct timer *t, uint64_t now));
void timer_stop(struct timer *t);
bool timer_running(const struct timer *t);

/* Fires all timers that are due. They may start and stop timers. */
void wheel_advance(struct wheel *w, uint64_t now);
/* Milliseconds until the next wheel_advance(), or -1 if no timer runs. Never later than the
 * earliest timer, possibly earlier. */
int64_t wheel_next(const struct wheel *w, uint64_t now);

#endif
