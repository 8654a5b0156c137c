/*
 * exchange: a request on a connection and its answer: what the core gets, and what is refused here.
 */
#ifndef PUSHD_EXCHANGE_H
#define PUSHD_EXCHANGE_H

#include <stddef.h>

#include "engineio/net.h"
#include "net/connection.h"

/*
 * Takes a head or a part of a body from the beginning of data, which the connection has read.
 * Returns how many bytes were used; 0: a head has not arrived completely.
 */
size_t exchange_take(struct connection *c, char *data, size_t len);
/* A connection is refused when it is accepted. */
void exchange_refuse(struct connection *c, const struct refusal *no);
/* The client sends no more. True if its request is still to be answered. */
bool exchange_ended(struct connection *c);
/* The stage has taken too long; the connection is about to be closed. */
void exchange_late(struct connection *c);
/* The connection is being closed. */
void exchange_gone(struct connection *c);

/* What the core gets of the request at c->head. */
void exchange_describe(const struct connection *c, struct request *rq);

/* Functions of struct net. */
void exchange_reply(void *request, int status, const char *type, const void *body, size_t len);
void exchange_cookie(void *request, const char *value);

#endif
