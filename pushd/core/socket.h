/*
 * socket: one connection of a session to one namespace (Socket.IO, version 5).
 *
 * A socket is made by a CONNECT packet, which is answered at once. It is asked of the backend when
 * its token is good, and joined when the backend has said its rooms.
 */
#ifndef PUSHD_SOCKET_H
#define PUSHD_SOCKET_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "room.h"
#include "session.h"
#include "snapshot.h"

/* An event of the client that waits until its socket is joined. */
struct held {
    struct held *next;
    char *text; /* JSON: a tree would take many times its size */
    size_t bytes;
};

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
    bool waits;   /* for its rooms, which were forgotten */
    bool unknown; /* the backend knows no principal for its token */
    int64_t principal;
    size_t inbox; /* its share of the session's */
    struct held *held, **held_end;
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
/* The backend has taken so many bytes of its events. */
void socket_taken(struct socket *k, size_t bytes);
/* The socket has been joined, or never will be: what it held goes to the backend, or nowhere. */
void socket_release(struct socket *k);
void socket_info(const struct socket *k, struct socket_info *out);

#endif
