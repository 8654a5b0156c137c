/*
 * kept: the bytes of a client's events that cannot go to the backend yet.
 *
 * They count in receive_bytes. Before the backend knows the client, stranger_bytes is its limit.
 */
#ifndef PUSHD_KEPT_H
#define PUSHD_KEPT_H

#include <stdbool.h>
#include <stddef.h>

struct client;
struct session;

/* For struct engine_user: does the backend know the client? */
bool kept_for_known(void *ctx, const struct session *s);

/* Keeps this many bytes more. If that exceeds a limit, it ends the session and returns false: the
 * client is gone then. */
bool kept_add(struct client *c, size_t bytes);
/* They are not kept any more. */
void kept_drop(struct client *c, size_t bytes);

#endif
