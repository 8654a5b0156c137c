/*
 * log_link: the database link that decides who receives what: doorbell, registration of sockets,
 * and reads of the event log, in order.
 *
 * A read is one or more pages of the log. However often the doorbell rings during a read, one more
 * read follows.
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
/* This incarnation has ended: open another. */
void log_link_ended(struct log_link *l, int64_t incarnation);

/* NULL after it has read everything; otherwise why not. */
const char *log_link_reason(const struct log_link *l);
/* Begins no more reads; sends what is queued. */
void log_link_finish(struct log_link *l);
/* True if it waits for no answer of the database. */
bool log_link_idle(const struct log_link *l);

#endif
