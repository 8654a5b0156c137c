/*
 * listener: the address that clients connect to.
 *
 * An address that this machine does not have yet (one that moves between machines, or a network
 * that comes up late) is tried again every second.
 */
#ifndef PUSHD_LISTENER_H
#define PUSHD_LISTENER_H

#include <stddef.h>

#include "net/scope.h"

struct listener;

/* Listens on scope->config->listen. NULL with one line in err if it cannot. */
struct listener *listener_open(struct server_scope *scope, char *err, size_t errlen);
/* Why nobody can connect at the moment; NULL: they can, or it is closed. */
const char *listener_reason(const struct listener *l);
/* It is freed in the next turn, and must not be used any more. NULL is allowed. */
void listener_close(struct listener *l);

#endif
