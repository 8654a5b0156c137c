/*
 * work_link: the database link for the work of this instance: heartbeat, events from clients, ack
 * reports and presence. It works for the incarnation of the log link.
 *
 * A stream is the database's name of this process, over all its incarnations. Events of clients are
 * numbered in it, so that none counts twice.
 */
#ifndef PUSHD_WORK_LINK_H
#define PUSHD_WORK_LINK_H

#include <stdbool.h>

#include "pg/db_env.h"
#include "socketio/backend.h"

struct work_link;

struct work_link *work_link_new(const struct db_env *env);
void work_link_free(struct work_link *w);

/* Works for this incarnation; 0 = waits for another. */
void work_link_begin(struct work_link *w, int64_t incarnation);
/* An event from a client; kept until the database has processed it. */
void work_link_receive(struct work_link *w, const struct incoming *e);
/* An instruction was sent, or acknowledged; kept until the database has processed it. */
void work_link_ack_report(struct work_link *w, int64_t id, int64_t principal, const char *sid,
                          bool acked);
/* The transport of this socket is WebSocket now; reported with the next beat. */
void work_link_upgraded(struct work_link *w, const char *sid);
/* Sockets have connected or ended: updates presence. */
void work_link_changed(struct work_link *w);
/* The rooms of this principal have changed: updates its presence at the end of the turn. */
void work_link_moved(struct work_link *w, int64_t principal);

/* NULL if it works. */
const char *work_link_reason(const struct work_link *w);
/* What an operator should know though it works, or NULL. */
const char *work_link_note(const struct work_link *w);
/* True if it waits for no answer of the database. */
bool work_link_idle(const struct work_link *w);

#endif
