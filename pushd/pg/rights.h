/*
 * rights: rooms of sockets that change while they are connected.
 *
 * The first page of a read begins with the rooms of those of whom the log says that they may have
 * changed. Those that could not be read are in doubt: such a socket hears nothing until they can.
 * An audit compares all sockets with the database, some in each read, and so finds what the log did
 * not say.
 */
#ifndef PUSHD_RIGHTS_H
#define PUSHD_RIGHTS_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "pg/db_env.h"

struct rights;

struct rights *rights_new(const struct db_env *env);
void rights_free(struct rights *g);

/* A session has begun with this pg_snapshot: its sockets are registered anew, so changes count from
 * it, and an audit begins anew. */
void rights_begin(struct rights *g, const char *snapshot);
/* It has ended. */
void rights_end(struct rights *g);

/* Columns of a page, which are also the events'. */
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

/* Arguments of rights_since(); after and rows NULL = no audit is under way. */
struct rights_question {
    const char *since, *after, *rows;
};

/* For the next read, of which rights_take() gets the first page. */
struct rights_question rights_ask(struct rights *g);
/* Heed the rows of it that are about sockets; returns how many there are: the first ones, before
 * the head. */
int rights_take(struct rights *g, const PGresult *page);

#endif
