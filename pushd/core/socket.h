/*
 * socket: one connection of a session to one namespace (Socket.IO, version 5).
 *
 * A socket is made by a CONNECT packet, which is answered at once. It is asked of the backend when
 * its token is good, and joined when the backend has said its rooms.
 */
#ifndef PUSHD_SOCKET_H
#define PUSHD_SOCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "room.h"
#include "session.h"
#include "snapshot.h"

struct socket {
    UT_hash_handle hh;
    struct subscriber subscriber;
    struct session *session;
    struct socket *next; /* of the same session */
    const char *nsp;     /* the hub's */
    unsigned nsp_index;
    char sid[SID_LEN + 1];
    bool answered; /* its identity has been acted upon: an event sent, or the backend asked */
    bool joined;
    int64_t principal;
    /* Until a read includes it: the snapshot of the first admission. */
    struct snapshot *since;
    struct socket *fresh_next, **fresh_link; /* in the hub's list of the fresh or the settling */
};

/* One Socket.IO packet, without the Engine.IO type. */
void socket_message(struct session *s, const char *text, size_t len, uint64_t now);
/* Act upon the identity of a session for all its sockets that have not been answered. */
void socket_identify(struct session *s, uint64_t now);
void socket_event(struct socket *k, const char *payload, size_t len);
/* The session has ended, or the client left the namespace. */
void socket_close(struct socket *k, const char *reason, bool by_client);
void socket_info(const struct socket *k, struct socket_info *out);

#endif
