/*
 * socket: one connection of a client to one namespace.
 *
 * A CONNECT packet makes a socket. The backend accepts or refuses it. It is joined when the backend
 * has set its rooms; until then its events are held.
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

/* An event from the client that waits until the socket is joined. */
struct held {
    struct held *next;
    char *text; /* JSON: a tree would take many times its size */
    struct frame **attached;
    unsigned attachments;
    size_t bytes;
    size_t size; /* that it is kept with: numbers may be longer than the client wrote them */
    char ack[];
};

/* A resume of an earlier socket, until the CONNECT is answered. */
struct resume {
    char was[SID_LEN + 1];
    bool has_offset; /* the client sent an offset */
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
    bool waits;              /* for its rooms, which are unknown */
    bool doubted;            /* the same, but reads continue */
    uint64_t doubted_at;     /* the hub's number of events at that time */
    bool reported_websocket; /* the backend knows that its transport is WebSocket */
    bool offsets;            /* its events have an offset */
    char pid[SID_LEN + 1];   /* empty = none */
    struct resume *resume;   /* NULL = it resumes nothing */
    int64_t principal;
    int64_t noticed;                    /* the one that the log names; 0 = none */
    struct principal *owner;            /* the same, once its rooms are known; NULL = nobody */
    struct socket *own_prev, *own_next; /* in the owner's list */
    size_t inbox;                       /* its share of the client's */
    struct held *held, **held_end;
    struct ack_queue *instructions; /* NULL = it has had none */
    size_t waiting;                 /* their bytes, as the session counts them */
    /* The snapshot of the first admission and its text, until a read includes it. */
    struct snapshot *since;
    char *since_text;
    struct socket *fresh_next, **fresh_link; /* in the hub's list fresh or settling */
};

struct socket *socket_new(struct client *c, unsigned nsp_index);
/* The session has ended, the client left the namespace, or the backend refused the socket. */
void socket_close(struct socket *k, const char *reason, bool by_client);
/* An EVENT packet and an ACK packet. They may take its attachments. */
void socket_receive(struct socket *k, struct sio_packet *p);
void socket_acked(struct socket *k, const struct sio_packet *p, uint64_t now);
/* Sends a packet with its attachments (NULL = none) and drops this reference. */
void socket_send(struct socket *k, struct frame *f, const struct attachments *with);
/* Answers an ack. args is a JSON array. */
void socket_ack(struct socket *k, const char *ack, const char *args, size_t len,
                const struct attachments *with);
/* Sets the rooms of the socket: exactly these. */
void socket_rooms(struct socket *k, const char *rooms);
/* The unknown rooms are known again, or never will be. */
void socket_ready(struct socket *k);
/* The backend has processed events of this size. */
void socket_taken(struct socket *k, size_t bytes);
/* The socket is joined, or never will be: held events go to the backend, or are dropped. */
void socket_release(struct socket *k);
/* The client has upgraded, or may have: reports it to the backend once the socket is joined. */
void socket_upgraded(struct socket *k);
/* The socket was joined with this snapshot. It does not receive events that the snapshot sees,
 * until a read includes it. */
void socket_fresh(struct socket *k, const char *snapshot);
/* The read under way includes that snapshot. */
void socket_settling(struct socket *k);
/* The socket receives everything from now on; forgets the snapshot. */
void socket_settle(struct socket *k);

/* Sends this to the socket after its other instructions. Takes a reference of its own. */
void socket_instruct(struct socket *k, int64_t id, struct shared_text *payload, uint64_t now);
void socket_forget_instructions(struct socket *k);
/* Its session has room for more of them. */
void socket_room(struct socket *k);
/* For backend.connect(). */
void socket_info(struct socket *k, struct socket_info *out);

#endif
