/*
 * log_link: the link on which everything travels that decides who hears what: the bell, the coming
 * and going of sockets, and the reads of the event log, in order.
 *
 * A read is one or more pages of the log; however many bells ring during it, one read follows.
 */
#ifndef PUSHD_LOG_LINK_H
#define PUSHD_LOG_LINK_H

#include <stdbool.h>

#include "pg/db_env.h"
#include "socketio/backend.h"

struct log_link;

struct log_link *log_link_new(const struct db_env *env);
void log_link_free(struct log_link *l);

void log_link_connect(struct log_link *l, const struct socket_info *s);
void log_link_disconnect(struct log_link *l, const char *sid, const char *reason, bool by_client);
/* This incarnation is no more: open another. */
void log_link_ended(struct log_link *l, int64_t incarnation);

/* NULL once it has read all that there was; else why it does not. */
const char *log_link_reason(const struct log_link *l);
/* Begin no more reads; send what is queued. */
void log_link_finish(struct log_link *l);
/* Nothing waits for an answer of the database. */
bool log_link_idle(const struct log_link *l);

#endif
