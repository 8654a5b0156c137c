/*
 * pipeline: statements on their way to PostgreSQL on one connection.
 *
 * Each is sent at once with its own Sync, so it is a transaction of its own that fails alone, and
 * is answered, in order, when that transaction has ended.
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

/* result is NULL if the connection was lost before the answer: it was carried out or not. */
typedef void link_done(void *ctx, const PGresult *result);

struct pipeline *pipeline_new(void);
/* Answers nothing. */
void pipeline_free(struct pipeline *p);

/* Send it; conn NULL or false: it waits for pipeline_cancel(). */
bool pipeline_put(struct pipeline *p, PGconn *conn, const struct statement *st,
                  const char *const *values, link_done *done, void *ctx);
/* Answer the oldest if its answer is complete: 1; 0: it is not; -1: the connection makes no sense.
 */
int pipeline_next(struct pipeline *p, PGconn *conn);
/* The connection is gone, with what was prepared on it: answer all with NULL. */
void pipeline_cancel(struct pipeline *p);
size_t pipeline_pending(const struct pipeline *p);

#endif
