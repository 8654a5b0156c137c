/*
 * upgrade: hands a connection over to libwebsockets, which makes a WebSocket of it.
 *
 * libwebsockets reads a head of ours, in which nothing is the client's but its key. So it decides
 * nothing about the request.
 */
#ifndef PUSHD_UPGRADE_H
#define PUSHD_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>

#include "net/connection.h"

/* The request rq, at c->head, asks for an upgrade. ours: its path is ours. data: what came with it.
 * The connection is refused, or ends here and goes on as a WebSocket. */
void upgrade_begin(struct connection *c, const struct request *rq, bool ours, const char *data,
                   size_t len);

#endif
