/*
 * half_full: the queues that are at least half full, and whether their clients take anything.
 *
 * A client that is slow takes something of its queue now and then, so it is worth waiting for. One
 * that does not read takes nothing: after HALF_FULL_PATIENCE it is waited for no more until it has
 * taken something again. A queue that has just become half full has the benefit of the doubt, since
 * its client may not have had the time. Time is an argument, in milliseconds.
 */
#ifndef PUSHD_HALF_FULL_H
#define PUSHD_HALF_FULL_H

#include <stdbool.h>
#include <stdint.h>

/* More than a round trip, after which a window of TCP moves on. */
enum { HALF_FULL_PATIENCE = 200 };

/* A member of the struct that has the queue. Zero bytes are a queue that is not half full. */
struct half_full {
    struct half_full *prev, *next; /* in the list of those that are */
    bool listed;
    bool took;      /* since half_full_worth_waiting() was last called */
    uint64_t since; /* when that call last found that it had taken something */
};

/* The queue is half full, or it is not any more. */
void half_full_set(struct half_full **list, struct half_full *h, bool half_full);
/* The client has taken something of its queue. */
void half_full_took(struct half_full *h);
/* Does a client in the list use the time that it is given? */
bool half_full_worth_waiting(struct half_full *list, uint64_t now);

#endif
