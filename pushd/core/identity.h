/*
 * identity: whom a session speaks for, and what follows from the judgement of its token.
 */
#ifndef PUSHD_IDENTITY_H
#define PUSHD_IDENTITY_H

#include "session.h"

/* Judge token (len bytes; NULL = absent) for the session. It is kept only while keys are awaited.
 */
void identity_judge(struct session *s, const char *token, size_t len, uint64_t now);
/* The token of an Authorization header of scheme Bearer, or NULL. */
const char *identity_bearer(const char *authorization, size_t *len);
/* Keys have changed: judge again if this session waits for them. */
void identity_retry(struct session *s, uint64_t now);
/* The token names a key that is not in the set: invalid unless the key arrives soon. */
void identity_await_key(struct session *s, uint64_t now);
/* Start the grace after which a session without a good token is closed. */
void identity_grace(struct session *s, uint64_t ms, uint64_t now);
/* May the invalid_event be sent to this address now? At most one in 10 s each. */
bool identity_may_tell(struct hub *hub, const char *address, uint64_t now);
/* Forget all addresses that were told. */
void identity_forget(struct hub *hub);
void identity_clear(struct identity *id);

#endif
