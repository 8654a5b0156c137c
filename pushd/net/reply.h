/*
 * reply: answers the request of a connection, for the core or by itself.
 */
#ifndef PUSHD_REPLY_H
#define PUSHD_REPLY_H

#include <stddef.h>

#include "engineio/net.h"
#include "net/connection.h"

/* Functions of struct net. A request is a connection. */
void reply_send(void *request, int status, const char *type, const void *body, size_t len);
void reply_cookie(void *request, const char *value);

/* Answers immediately, without waiting for the body, and ends the connection. */
void reply_refuse(struct connection *c, const struct refusal *no);
/* The same with this status. why: a static text for the body; NULL: no body. */
void reply_refuse_as(struct connection *c, int status, const char *why);
/* The origin that the answer is going to allow, or NULL. Valid while the request is. */
const char *reply_origin(const struct connection *c);

#endif
