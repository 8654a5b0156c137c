/*
 * connection_limit: how many connections of one address may serve no session at the moment.
 *
 * A connection counts from the moment it is accepted. It does not count while it belongs to a
 * session, as a held poll or a WebSocket: sessions have a limit of their own. One that waits for
 * its next request is idle. If its address wants another connection, one makes room that has not
 * served its client, or else that which has been idle longest (RFC 9112, 9.5, allows a server to
 * close it at any time).
 *
 * IPv6 is counted by /64: see address_to_count().
 */
#ifndef PUSHD_CONNECTION_LIMIT_H
#define PUSHD_CONNECTION_LIMIT_H

#include <stdbool.h>

#include "base/address.h"

struct connection_limit;

/* Member of the struct of a connection. Zero bytes do not count. */
struct counted {
    struct counted_address *of;
    struct counted *prev, *next; /* among the idle ones of its address */
    bool idle;
};

/* most: connections of one address, at least 1. */
struct connection_limit *connection_limit_new(unsigned most);
/* Nothing may count any more. */
void connection_limit_free(struct connection_limit *l);

/* c, which did not count, counts and is not idle. False: its address has its most, and none of them
 * is idle. *over is the one that is to be closed for it, which counts no more; or NULL. */
bool connection_limit_enter(struct connection_limit *l, struct counted *c, const struct address *a,
                            struct counted **over);
/* It waits for its next request. If it has not served its client, it makes room before those that
 * have. */
void connection_limit_idle(struct counted *c, bool served);
/* Its next request arrives. */
void connection_limit_busy(struct counted *c);
/* It counts no more. Does nothing if it does not count. */
void connection_limit_leave(struct connection_limit *l, struct counted *c);

#endif
