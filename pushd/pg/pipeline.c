/* pipeline: see pipeline.h. */
#include "pg/pipeline.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum { STATEMENTS = 8 };

struct sent {
    struct sent *next;
    link_done *done;
    void *ctx;
    PGresult *result; /* the first error, otherwise the last result */
};

struct pipeline {
    struct sent *first, **end;
    size_t pending;
    const struct statement *prepared[STATEMENTS];
};

struct pipeline *pipeline_new(void)
{
    struct pipeline *p = alloc(sizeof *p);
    p->end = &p->first;
    return p;
}

size_t pipeline_pending(const struct pipeline *p)
{
    return p->pending;
}

/* A named statement is prepared in the transaction of its first use. */
static int send_one(struct pipeline *p, PGconn *conn, const struct statement *st,
                    const char *const *values)
{
    if (!st->name)
        return PQsendQueryParams(conn, st->sql, st->n, NULL, values, NULL, NULL, 0);
    size_t i = 0;
    while (p->prepared[i] && p->prepared[i] != st)
        if (++i == STATEMENTS)
            abort();
    if (!p->prepared[i] && !PQsendPrepare(conn, st->name, st->sql, st->n, NULL))
        return 0;
    p->prepared[i] = st;
    return PQsendQueryPrepared(conn, st->name, st->n, values, NULL, NULL, 0);
}

bool pipeline_put(struct pipeline *p, PGconn *conn, const struct statement *st,
                  const char *const *values, link_done *done, void *ctx)
{
    struct sent *q = alloc(sizeof *q);
    q->done = done;
    q->ctx = ctx;
    *p->end = q;
    p->end = &q->next;
    p->pending++;
    return conn && send_one(p, conn, st, values) && PQpipelineSync(conn);
}

/* The callback may put more. */
static void finish_first(struct pipeline *p, bool notify, bool answered)
{
    struct sent *q = p->first;
    p->first = q->next;
    if (!p->first)
        p->end = &p->first;
    p->pending--;
    if (notify)
        q->done(q->ctx, answered ? q->result : NULL);
    PQclear(q->result);
    free(q);
}

/* After an error the rest of the transaction is reported as aborted, which explains nothing. */
static void keep(struct sent *q, PGresult *result)
{
    if (q->result && PQresultStatus(q->result) == PGRES_FATAL_ERROR) {
        PQclear(result);
        return;
    }
    PQclear(q->result);
    q->result = result;
}

/* Only the Sync means that the transaction has committed. */
int pipeline_next(struct pipeline *p, PGconn *conn)
{
    int ends = 0;
    while (p->first && !PQisBusy(conn)) {
        PGresult *result = PQgetResult(conn);
        if (!result) {
            if (++ends > 2)
                return -1;
            continue;
        }
        ends = 0;
        if (PQresultStatus(result) != PGRES_PIPELINE_SYNC) {
            keep(p->first, result);
            continue;
        }
        PQclear(result);
        finish_first(p, true, true);
        return 1;
    }
    return 0;
}

void pipeline_cancel(struct pipeline *p)
{
    memset(p->prepared, 0, sizeof p->prepared);
    while (p->first)
        finish_first(p, true, false);
}

void pipeline_free(struct pipeline *p)
{
    if (!p)
        return;
    while (p->first)
        finish_first(p, false, false);
    free(p);
}
