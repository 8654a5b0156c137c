/*
 * leases: registers new and ended sockets in the database, in batches on the log link, and passes
 * the answers to the hub.
 */
#ifndef PUSHD_LEASES_H
#define PUSHD_LEASES_H

#include <stdbool.h>
#include <stdint.h>

#include "pg/db_env.h"
#include "pg/link.h"
#include "socketio/backend.h"

struct leases;

struct leases *leases_new(const struct db_env *env, struct link *link);
void leases_free(struct leases *g);

/* A session has begun: all sockets lose their rooms and are registered again. */
void leases_begin(struct leases *g, int64_t incarnation);
/* The session has ended: forgets what was not reported. */
void leases_end(struct leases *g);

void leases_connect(struct leases *g, const struct socket_info *s);
void leases_disconnect(struct leases *g, const char *sid, const char *reason, bool by_client);
/* Sends what is queued now, instead of at the end of the turn. */
void leases_flush(struct leases *g);

#endif
