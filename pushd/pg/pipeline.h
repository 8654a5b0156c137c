/*
 * pipeline: sends statements to PostgreSQL on one connection without waiting.
 *
 * Each statement is sent immediately with its own Sync. So it is a transaction of its own, which
 * fails alone. Its answer comes in order, when that transaction has ended.
 */
#ifndef PUSHD_PIPELINE_H
#define PUSHD_PIPELINE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

struct pipeline;

struct statement {
    const char *name; /* prepared under this name when first sent; NULL = not prepared */
    const char *sql;
    int n; /* parameters, as text */
};

/* result is NULL if the connection was lost before the answer: the statement may have been executed
 * or not. */
typedef void link_done(void *ctx, const PGresult *result);

struct pipeline *pipeline_new(void);
/* Calls nothing back. */
void pipeline_free(struct pipeline *p);

/* Sends it. If conn is NULL, or the result is false, it waits for pipeline_cancel(). */
bool pipeline_put(struct pipeline *p, PGconn *conn, const struct statement *st,
                  const char *const *values, link_done *done, void *ctx);
/* Answers the oldest one if its answer is complete. 1: done; 0: not complete; -1: the answers are
 * invalid. */
int pipeline_next(struct pipeline *p, PGconn *conn);
/* The connection is lost, with its prepared statements: answers all with NULL. */
void pipeline_cancel(struct pipeline *p);
size_t pipeline_pending(const struct pipeline *p);

#endif
