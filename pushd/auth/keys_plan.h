/*
 * keys_plan: when to read or fetch the keys again, and whether they are up to date.
 *
 * A look is one reading of the file or one fetch. The next look is due:
 * - at a certain age of the keys
 * - when a token names an unknown key, but at most once per gap
 * - after a failure, with delays that grow up to the gap
 *
 * Time is an argument: milliseconds of any monotonic clock.
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
    bool looked;       /* there has been a look */
    bool wanted;       /* a look that begins from now on is needed */
    bool forced;       /* and immediately */
    uint64_t begun;    /* the look under way, or the last one */
    uint64_t ended;    /* the last one */
    bool was_wanted;   /* the last look for an unknown key began at ... */
    uint64_t asked;    /* ... this time */
    unsigned failures; /* failures in a row */
    size_t usable;     /* keys in use */
    uint64_t good; /* when the last good look began; before the first one, when the process began */
    char problem[KEYS_PROBLEM]; /* of the last look, "" = none */
};

void keys_plan_init(struct keys_plan *p, uint64_t max_age, uint64_t gap, uint64_t now);

/* A token names an unknown key. */
void keys_plan_want(struct keys_plan *p);
/* The operator asks for a look, without regard to the gap. */
void keys_plan_force(struct keys_plan *p);
/* Milliseconds until the next look is due; -1 during a look. */
int64_t keys_plan_due(const struct keys_plan *p, uint64_t now);

void keys_plan_begin(struct keys_plan *p, uint64_t now);
/* The look has ended. Returns true if the result differs from the one before. */
bool keys_plan_good(struct keys_plan *p, size_t usable, bool changed, uint64_t now);
bool keys_plan_failed(struct keys_plan *p, const char *problem, uint64_t now);

/* Seconds since the keys in use were confirmed. */
double keys_plan_age(const struct keys_plan *p, uint64_t now);

#endif
