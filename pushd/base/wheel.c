/*
 * wheel: see wheel.h.
 *
 * There are eight levels of 64 slots, one for each group of six bits of the time. A timer is in the
 * level of the highest group in which its due time differs from now. So no slot is passed before
 * its timers are due. After a full turn of a level, the next slot of the level above is spread over
 * the levels below.
 */
#include "base/wheel.h"
#include "base/alloc.h"

#include <stdlib.h>

enum { BITS = 6, SLOTS = 1 << BITS, LEVELS = 8 };

struct wheel {
    uint64_t now;
    uint64_t used[LEVELS]; /* a bit for each slot; may stay set after the last timer was stopped */
    struct timer *slot[LEVELS][SLOTS];
};

static unsigned slot_of(uint64_t time, int level)
{
    return (unsigned)(time >> (level * BITS)) & (SLOTS - 1);
}

static void place(struct wheel *w, struct timer *t)
{
    uint64_t differs = t->due ^ w->now;
    int level = differs ? (63 - __builtin_clzll(differs)) / BITS : 0;
    if (level >= LEVELS)
        level = LEVELS - 1;
    unsigned s = slot_of(t->due, level);
    struct timer **head = &w->slot[level][s];
    t->next = *head;
    if (t->next)
        t->next->link = &t->next;
    t->link = head;
    *head = t;
    w->used[level] |= UINT64_C(1) << s;
}

struct wheel *wheel_new(uint64_t now)
{
    struct wheel *w = alloc(sizeof *w);
    if (w)
        w->now = now;
    return w;
}

void wheel_free(struct wheel *w)
{
    free(w);
}

void timer_start(struct wheel *w, struct timer *t, uint64_t due,
                 void (*fire)(struct timer *t, uint64_t now))
{
    timer_stop(t);
    t->due = due > w->now ? due : w->now + 1;
    t->fire = fire;
    place(w, t);
}

void timer_stop(struct timer *t)
{
    if (!t->link)
        return;
    *t->link = t->next;
    if (t->next)
        t->next->link = t->link;
    t->next = NULL;
    t->link = NULL;
}

bool timer_running(const struct timer *t)
{
    return t->link != NULL;
}

/* Moves a slot's list to *head, so that its timers may be stopped during the walk. */
static void take(struct wheel *w, int level, unsigned s, struct timer **head)
{
    *head = w->slot[level][s];
    if (*head)
        (*head)->link = head;
    w->slot[level][s] = NULL;
    w->used[level] &= ~(UINT64_C(1) << s);
}

static void spread(struct wheel *w, int level)
{
    struct timer *head;
    take(w, level, slot_of(w->now, level), &head);
    while (head) {
        struct timer *t = head;
        timer_stop(t);
        place(w, t);
    }
}

static void fire_slot(struct wheel *w, uint64_t now)
{
    struct timer *head;
    take(w, 0, slot_of(w->now, 0), &head);
    while (head) {
        struct timer *t = head;
        timer_stop(t);
        t->fire(t, now);
    }
}

/* The next time after w->now at which a slot is to be fired or spread; 0 if there is none. */
static uint64_t next_stop(const struct wheel *w)
{
    for (int level = 0; level < LEVELS; level++) {
        unsigned current = slot_of(w->now, level);
        uint64_t later =
            current == SLOTS - 1 ? 0 : w->used[level] & (~UINT64_C(0) << (current + 1));
        while (later && !w->slot[level][__builtin_ctzll(later)])
            later &= later - 1; /* its timers have been stopped */
        if (!later)
            continue;
        uint64_t above = w->now >> ((level + 1) * BITS) << ((level + 1) * BITS);
        return above + ((uint64_t)__builtin_ctzll(later) << (level * BITS));
    }
    return 0;
}

void wheel_advance(struct wheel *w, uint64_t now)
{
    uint64_t stop;
    while ((stop = next_stop(w)) != 0 && stop <= now) {
        w->now = stop;
        for (int level = LEVELS - 1; level > 0; level--)
            if ((stop & ((UINT64_C(1) << (level * BITS)) - 1)) == 0)
                spread(w, level);
        fire_slot(w, now);
    }
    if (now > w->now)
        w->now = now;
}

int64_t wheel_next(const struct wheel *w, uint64_t now)
{
    uint64_t stop = next_stop(w);
    if (stop == 0)
        return -1;
    return stop > now ? (int64_t)(stop - now) : 0;
}
