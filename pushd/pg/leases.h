/*
 * leases: tells the database which sockets have come and gone, in batches on the log link, and
 * the hub what it answers.
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
/* It has ended: what was not told is forgotten. */
void leases_end(struct leases *g);

void leases_connect(struct leases *g, const struct socket_info *s);
void leases_disconnect(struct leases *g, const char *sid, const char *reason, bool by_client);
/* Send what is queued now rather than at the end of the turn. */
void leases_flush(struct leases *g);

#endif
