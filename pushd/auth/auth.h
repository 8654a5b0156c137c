/*
 * auth: a backend in front of another: who is this client, by the token it shows?
 *
 * A token comes with the request that opens the session (Authorization: Bearer), or in the CONNECT
 * packet. A client with a good one is the other backend's, with the subject of the token; any other
 * is connected too, told of it where its users can do something about it, and closed after a grace.
 * So the other backend can refuse no socket: each that it is asked to connect has been accepted.
 */
#ifndef PUSHD_AUTH_H
#define PUSHD_AUTH_H

#include "auth/token.h"
#include "socketio/backend.h"
#include "socketio/hub.h"

struct auth;

struct auth *auth_new(const struct config *config, struct metrics *metrics, struct wheel *wheel,
                      struct hub *hub);
/* The backend behind it. Must be set before the first request; borrowed. */
void auth_set_backend(struct auth *a, const struct backend *inner);
/* For hub_set_backend(). */
const struct backend *auth_backend(struct auth *a);
/* Called when a token names a key that is not in the set: look for them again. f must not answer
 * within the call. */
void auth_on_unknown_key(struct auth *a, void (*f)(void *ctx), void *ctx);
/* The wall clock: unix_ms since the epoch at the monotonic time now. Call now and then. */
void auth_set_clock(struct auth *a, int64_t unix_ms, uint64_t now);
/*
 * Judge tokens by these keys from now on, which may be those in use; those that waited for a key
 * are judged now. as_of is when the look began that brought the keys: one that a token names, and
 * that they lack, is unknown if the token had come by then. The keys are borrowed: the caller frees
 * the old set after this call.
 */
void auth_set_keys(struct auth *a, const struct keyset *keys, uint64_t as_of, uint64_t now);
/* All clients must have left. */
void auth_free(struct auth *a);

#endif
