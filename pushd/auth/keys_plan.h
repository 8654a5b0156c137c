/*
 * keys_plan: when to look for the keys again, and whether all is well with them.
 *
 * A look is one reading of a file or one request. The next follows by age; sooner when a token
 * names an unknown key, but then at most one in a gap; and after a failure, at times that grow up
 * to the gap. Time is an argument: milliseconds of any monotonic clock.
 */
#ifndef PUSHD_KEYS_PLAN_H
#define PUSHD_KEYS_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KEYS_RETRY_MS = 1000, KEYS_PROBLEM = 4608 };

struct keys_plan {
    uint64_t max_age, gap;
    bool looking;
    bool looked;                /* at least once */
    bool wanted;                /* somebody asks for a look that begins from now on */
    bool forced;                /* and at once */
    uint64_t begun;             /* the look under way, or the last one */
    uint64_t ended;             /* the last one */
    bool was_wanted;            /* there was one because of an unknown key, which began at ... */
    uint64_t asked;             /* ... this time */
    unsigned failures;          /* in a row */
    size_t usable;              /* keys in use */
    uint64_t good;              /* when the last good look began; before one, when all began */
    char problem[KEYS_PROBLEM]; /* of the last look, "" = none */
};

void keys_plan_init(struct keys_plan *p, uint64_t max_age, uint64_t gap, uint64_t now);

/* A token names an unknown key. */
void keys_plan_want(struct keys_plan *p);
/* The operator asks: whatever the gap. */
void keys_plan_force(struct keys_plan *p);
/* Milliseconds until the next look is due; -1 while there is one. */
int64_t keys_plan_due(const struct keys_plan *p, uint64_t now);

void keys_plan_begin(struct keys_plan *p, uint64_t now);
/* It has ended. Each returns true if that is news: what was not so after the look before. */
bool keys_plan_good(struct keys_plan *p, size_t usable, bool changed, uint64_t now);
bool keys_plan_failed(struct keys_plan *p, const char *problem, uint64_t now);

/* Seconds since the keys in use were found right. */
double keys_plan_age(const struct keys_plan *p, uint64_t now);

#endif
