/*
 * registrar: tells the database which sockets have come and gone, in batches on the log link, and
 * the hub what it answers.
 */
#ifndef PUSHD_REGISTRAR_H
#define PUSHD_REGISTRAR_H

#include <stdbool.h>
#include <stdint.h>

#include "backend.h"
#include "db_env.h"
#include "link.h"

struct registrar;

struct registrar *registrar_new(const struct db_env *env, struct link *link);
void registrar_free(struct registrar *g);

/* A session has begun: all sockets lose their rooms and are registered again. */
void registrar_begin(struct registrar *g, int64_t incarnation);
/* It has ended: what was not told is forgotten. */
void registrar_end(struct registrar *g);

void registrar_connect(struct registrar *g, const struct socket_info *s);
void registrar_disconnect(struct registrar *g, const char *sid, const char *reason, bool by_client);
/* Send what is queued now rather than at the end of the turn. */
void registrar_flush(struct registrar *g);

#endif
