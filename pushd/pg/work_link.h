/*
 * work_link: the link on which the database works on its own rows for pushd: the beat that says
 * this incarnation lives, the events of clients, what became of instructions, and presence. It
 * works for the incarnation of the log link.
 *
 * A stream is the name that this life of the process has for the database, whatever its
 * incarnation: the events of clients are numbered in it, so that none counts twice.
 */
#ifndef PUSHD_WORK_LINK_H
#define PUSHD_WORK_LINK_H

#include <stdbool.h>

#include "pg/db_env.h"
#include "socketio/backend.h"

struct work_link;

struct work_link *work_link_new(const struct db_env *env);
void work_link_free(struct work_link *w);

/* Work for this incarnation; 0 = wait for another. */
void work_link_begin(struct work_link *w, int64_t incarnation);
/* An event of a client; kept until the database has taken it. */
void work_link_receive(struct work_link *w, const struct incoming *e);
/* An instruction was sent, or acknowledged: kept until the database has taken it. */
void work_link_ack_report(struct work_link *w, int64_t id, int64_t principal, const char *sid,
                          bool acked);
/* The transport of this socket is WebSocket now: said with the next beat. */
void work_link_upgraded(struct work_link *w, const char *sid);
/* Sockets have come or gone: let presence follow. */
void work_link_changed(struct work_link *w);
/* The rooms of this principal have changed: let its presence follow, at the end of the turn. */
void work_link_moved(struct work_link *w, int64_t principal);

/* NULL if it works. */
const char *work_link_reason(const struct work_link *w);
/* Nothing waits for an answer of the database. */
bool work_link_idle(const struct work_link *w);

#endif
