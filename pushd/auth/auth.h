/*
 * auth: authenticates clients by their tokens; a backend in front of another.
 *
 * A token comes with the request that opens the session (Authorization: Bearer), or in the CONNECT
 * packet. A client with a good token is passed to the other backend, with the subject of the token.
 * Every other client is connected too. It is notified if its user can do something about it, and
 * closed after a grace. So the other backend cannot refuse a socket: auth has already accepted it.
 */
#ifndef PUSHD_AUTH_H
#define PUSHD_AUTH_H

#include "auth/token.h"
#include "socketio/backend.h"
#include "socketio/hub.h"

struct auth;

struct auth *auth_new(const struct config *config, struct metrics *metrics, struct wheel *wheel,
                      struct hub *hub);
/* The other backend. Set it before the first request; borrowed. */
void auth_set_backend(struct auth *a, const struct backend *inner);
/* For hub_set_backend(). */
const struct backend *auth_backend(struct auth *a);
/* Calls f when a token names a key that is not in the set, so that the keys are fetched again. f
 * must not answer within the call. */
void auth_on_unknown_key(struct auth *a, void (*f)(void *ctx), void *ctx);
/* Sets the wall clock: unix_ms since the epoch at the monotonic time now. Call it regularly. */
void auth_set_clock(struct auth *a, int64_t unix_ms, uint64_t now);
/*
 * Judges tokens by these keys from now on; they may be the same as before. Waiting tokens are
 * judged immediately. as_of is the time when the fetch of the keys began. A key that is missing is
 * unknown for tokens that arrived before as_of. The keys are borrowed: the caller frees the old set
 * after this call.
 */
void auth_set_keys(struct auth *a, const struct keyset *keys, uint64_t as_of, uint64_t now);
/* All clients must have left. */
void auth_free(struct auth *a);

#endif
