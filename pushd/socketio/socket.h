/*
 * socket: one connection of a client to one namespace.
 *
 * A socket is made by a CONNECT packet and asked of the backend, which accepts or refuses it. It is
 * joined when the backend has said its rooms; until then its events are held.
 */
#ifndef PUSHD_SOCKET_H
#define PUSHD_SOCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "base/sid.h"
#include "base/snapshot.h"
#include "socketio/ack_queue.h"
#include "socketio/backend.h"
#include "socketio/room.h"
#include "socketio/sio.h"

/* An event of the client that waits until its socket is joined. */
struct held {
    struct held *next;
    char *text; /* JSON: a tree would take many times its size */
    struct frame **attached;
    unsigned attachments;
    size_t bytes;
    char ack[];
};

/* A client says that it goes on as an earlier socket, until its CONNECT is answered. */
struct resume {
    char was[SID_LEN + 1];
    bool has_offset; /* it has an offset */
    char offset[];
};

struct socket {
    UT_hash_handle hh;
    struct subscriber subscriber;
    struct client *client;
    struct socket *next; /* of the same client */
    const char *nsp;     /* the hub's */
    unsigned nsp_index;
    char sid[SID_LEN + 1];
    bool accepted, joined;
    bool muted;              /* its events have no effect */
    bool waits;              /* for its rooms, which were forgotten */
    bool doubted;            /* likewise, but reads go on */
    uint64_t doubted_at;     /* the hub's events then */
    bool reported_websocket; /* the backend knows that its transport is WebSocket */
    bool offsets;            /* its events have one */
    char pid[SID_LEN + 1];   /* empty: it has none */
    struct resume *resume;   /* NULL = it makes none */
    int64_t principal;
    size_t inbox; /* its share of the client's */
    struct held *held, **held_end;
    struct ack_queue *instructions; /* NULL = it never had one */
    /* Until a read includes it: the snapshot of the first admission, and its text. */
    struct snapshot *since;
    char *since_text;
    struct socket *fresh_next, **fresh_link; /* in the hub's list of the fresh or the settling */
};

struct socket *socket_new(struct client *c, unsigned nsp_index);
/* The session has ended, the client left the namespace, or the backend refused the socket. */
void socket_close(struct socket *k, const char *reason, bool by_client);
/* An EVENT packet, and an ACK packet. May take what is attached to it. */
void socket_receive(struct socket *k, struct sio_packet *p);
void socket_acked(struct socket *k, const struct sio_packet *p, uint64_t now);
/* Send a packet, and drop this reference to it, with its attachments (NULL = none). */
void socket_send(struct socket *k, struct frame *f, const struct attachments *with);
/* Answer an ack; args is a JSON array. */
void socket_ack(struct socket *k, const char *ack, const char *args, size_t len,
                const struct attachments *with);
/* Be in exactly these rooms. */
void socket_rooms(struct socket *k, const char *rooms);
/* The rooms that were forgotten are known again, or will never be. */
void socket_ready(struct socket *k);
/* The backend has taken so many bytes of its events. */
void socket_taken(struct socket *k, size_t bytes);
/* The socket has been joined, or never will be: what it held goes to the backend, or nowhere. */
void socket_release(struct socket *k);
/* Its client has, or may have, been upgraded: the backend is told, once it is joined. */
void socket_upgraded(struct socket *k);
/* The socket has been admitted with this snapshot: until a read includes it, events visible in it
 * are not for the socket. */
void socket_fresh(struct socket *k, const char *snapshot);
/* The read under way includes that snapshot. */
void socket_settling(struct socket *k);
/* The socket hears all from now on; forgets its snapshot. */
void socket_settle(struct socket *k);

/* The socket is to be told this after its other instructions. */
void socket_instruct(struct socket *k, int64_t id, const char *payload, size_t len, uint64_t now);
/* For backend.connect(). */
void socket_info(struct socket *k, struct socket_info *out);

#endif
