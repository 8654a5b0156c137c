/*
 * rights: applies changes of rights: rooms that change while sockets are connected.
 *
 * The first page of a read begins with the rooms of the sockets that may have changed, according to
 * the log. One without a principal there was kicked: its session ends. A socket whose rooms could
 * not be read is in doubt: it receives nothing until they can be. An audit compares all sockets
 * with the database, some in each read. So it finds changes that the log does not have.
 */
#ifndef PUSHD_RIGHTS_H
#define PUSHD_RIGHTS_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "pg/db_env.h"

struct rights;

struct rights *rights_new(const struct db_env *env);
void rights_free(struct rights *g);

/* A session has begun with this pg_snapshot. Its sockets are registered again, so changes count
 * from it, and the audit begins again. */
void rights_begin(struct rights *g, const char *snapshot);
/* The session has ended. */
void rights_end(struct rights *g);

/* The columns of a page. Events use the same. */
enum page_column {
    PAGE_ID,
    PAGE_XID,
    PAGE_NSP,
    PAGE_ROOMS,
    PAGE_PRINCIPAL,
    PAGE_PAYLOAD,
    PAGE_SNAPSHOT,
    PAGE_EPOCH,
    PAGE_MORE,
    PAGE_ACK,
    /* of a socket's rooms */
    PAGE_SID,
    PAGE_KNOWN,
    PAGE_NOTED,
    PAGE_AUDITED
};

/* The arguments of rights_since(). after and rows are NULL if no audit is under way. */
struct rights_question {
    const char *since, *after, *rows;
};

/* For the next read, whose first page is passed to rights_take(). */
struct rights_question rights_ask(struct rights *g);
/* Applies the rows about sockets. Returns their number: they are the first ones, before the head.
 */
int rights_take(struct rights *g, const PGresult *page);

#endif
