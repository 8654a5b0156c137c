/*
 * link: one connection to PostgreSQL on the loop, which reconnects.
 *
 * Statements go through its pipeline. A lost link reconnects after a back-off, as long as it is
 * open. Its reason says why it does not work. A new reason is logged; a repeated one is not.
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
    void (*down)(void *ctx); /* disconnected; pending statements were answered with NULL */
    void (*bell)(void *ctx); /* notifications have arrived, one or more; may be NULL */
    void (*turn)(void *ctx); /* all answers that had arrived were given */
};

struct link_setup {
    const char *name, *conninfo;        /* borrowed for the life of the link */
    uint64_t retry_max, answer_timeout; /* ms */
    bool listens;                       /* whether its session listens */
    uv_loop_t *loop;
    struct metrics *metrics;
    const struct link_calls *calls;
    void *ctx;
};

struct link *link_new(const struct link_setup *setup);
/* Any time; from a callback of its own only through a timer. Calls nothing back. */
void link_free(struct link *l);

/* Connects and stays connected. */
void link_open(struct link *l);
/* Call it regularly: a pooler may have given it another link's session, and then it fails. */
void link_check(struct link *l);
/* Once lost, it stays so until link_open(). */
void link_rest(struct link *l);
bool link_is_up(const struct link *l);

void link_send(struct link *l, const struct statement *st, const char *const *values,
               link_done *done, void *ctx);
size_t link_pending(const struct link *l);

/* The link works: it has no reason any more. True if it had one. */
bool link_works(struct link *l);
/* NULL if it works. */
const char *link_reason(const struct link *l);
/* Closes this connection for a reason and reconnects. */
void link_fail(struct link *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same, after a statement was refused. */
void link_refused(struct link *l, const PGresult *result);

#endif
