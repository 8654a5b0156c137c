/*
 * link: one connection to PostgreSQL on the loop, kept up.
 *
 * Statements go through its pipeline. A link that is lost connects again, after a back-off, for as
 * long as it is open. Its reason says why it is not of use now; a change of it is logged, a
 * repetition is not.
 */
#ifndef PUSHD_LINK_H
#define PUSHD_LINK_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/metrics.h"
#include "pg/pipeline.h"

struct link;

struct link_calls {
    void (*up)(void *ctx);   /* connected: statements may be sent */
    void (*down)(void *ctx); /* no longer so; what was pending has been answered with NULL */
    void (*bell)(void *ctx); /* notifications have arrived, however many; may be NULL */
    void (*turn)(void *ctx); /* all answers that had arrived have been given */
};

struct link_setup {
    const char *name, *conninfo;        /* borrowed for the life of the link */
    uint64_t retry_max, answer_timeout; /* ms */
    bool listens;                       /* its session does; else it does not */
    uv_loop_t *loop;
    struct metrics *metrics;
    const struct link_calls *calls;
    void *ctx;
};

struct link *link_new(const struct link_setup *setup);
/* Any time, from a callback of its own only by way of a timer. Calls nothing back. */
void link_free(struct link *l);

/* Be connected from now on. */
void link_open(struct link *l);
/* Now and then: a pooler may have given it the session of another, which it fails for. */
void link_check(struct link *l);
/* Once lost, stay so until link_open(). */
void link_rest(struct link *l);
bool link_is_up(const struct link *l);

void link_send(struct link *l, const struct statement *st, const char *const *values,
               link_done *done, void *ctx);
size_t link_pending(const struct link *l);

/* The link is of use: it has no reason any more. True if it had one. */
bool link_works(struct link *l);
/* NULL if it works. */
const char *link_reason(const struct link *l);
/* Give this connection up for a reason and connect anew. */
void link_fail(struct link *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same, for a statement that was refused. */
void link_refused(struct link *l, const PGresult *result);

#endif
