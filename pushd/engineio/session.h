/*
 * session: one Engine.IO connection over either transport.
 *
 * A session begins polling or as a WebSocket, may upgrade from the one to the other (a probe is a
 * WebSocket that has not taken over yet), and ends once, in session_end(). It holds a queue of
 * frames, sends a ping every ping_interval and ends if no pong arrives within ping_timeout.
 */
#ifndef PUSHD_SESSION_H
#define PUSHD_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "base/address.h"
#include "base/bucket.h"
#include "base/sid.h"
#include "base/wheel.h"
#include "engineio/frame.h"
#include "engineio/polling_payload.h"

struct engine;

/* python-engineio drops a connection whose answer holds more. */
enum { POLL_PACKETS = 16 };

struct queue {
    struct frame **frames;
    unsigned first, n, cap;
    size_t bytes;
    bool full; /* at least half */
};

/* No reason is 0. */
enum end_reason {
    END_CLOSED = 1,  /* the client closed its transport or said so */
    END_ERROR,       /* two requests at once, and the like */
    END_TIMEOUT,     /* no pong */
    END_PACKET,      /* a packet that breaks the protocol, of this layer or the one above */
    END_PAYLOAD,     /* a message beyond max_payload */
    END_RECEIVE,     /* a message, when those of all clients that came in part had no room */
    END_ATTACHMENTS, /* a packet beyond max_attachments */
    END_DEPTH,       /* JSON beyond max_depth */
    END_PACKETS,     /* a POST of more than max_packets */
    END_QUEUE_FULL,  /* its queue was full */
    END_DISMISSED,   /* a layer above will not have it */
    END_DOUBT,       /* a layer above may have kept something from it */
    END_IDLE,        /* no namespace within connect_timeout */
    END_DRAIN        /* pushd is stopping */
};

/* Why a client is not read from. Each reason is given and taken back for itself. */
enum pause_reason {
    PAUSE_INBOX = 1,  /* what it sent has still to be taken */
    PAUSE_EVENTS = 2, /* it sends more events a second than it may */
    PAUSE_BYTES = 4   /* or more bytes */
};

struct session {
    UT_hash_handle hh;
    struct engine *engine;
    void *user; /* of the layer above */
    char sid[SID_LEN + 1];
    bool ended, websocket, dirty;
    bool backlog; /* the network has not sent all it was given */
    bool awaiting_pong;
    bool held;              /* it was not read from for a part of its time to answer */
    bool seen;              /* a polling client: it has asked since the last ping */
    unsigned char paused;   /* enum pause_reason, or-ed */
    enum end_reason ending; /* at the end of the turn; 0 = it does not */
    void *poll, *post;      /* requests not answered yet */
    void *coming;           /* a POST whose body is still to come */
    void *ws, *probe;
    bool probed; /* the probe has been answered */
    struct queue queue;
    struct timer heartbeat;
    struct timer upgrade; /* of the probe: noops for a waiting GET, then its end */
    uint64_t upgrade_until;
    struct bucket events, bytes; /* received */
    struct timer throttle;       /* until it is read from again */
    struct address from;
    char *address;        /* the same as text */
    struct session *next; /* in the list of the dirty or of the ended */
};

/* ws: the WebSocket that it begins with, or NULL. */
struct session *session_new(struct engine *e, const struct address *from, void *ws, uint64_t now);
/* The answer to any request for a session that there is not. */
extern const struct refusal session_unknown;
struct session *session_find(struct engine *e, const char *sid);
/* The one way a session ends: answers and closes what is open, tells the layer above. Memory is
 * freed at the end of the turn. */
void session_end(struct session *s, enum end_reason reason);
/* The same at the end of the turn: for callers whose own callers still use what belongs to it. */
void session_end_soon(struct session *s, enum end_reason reason);
/* The session is flushed at the end of the turn. */
void session_dirty(struct session *s);
/* The end of the turn: flushes those, and frees what session_end() left. */
void session_turn(struct engine *e);

/* The open packet of the handshake. */
struct frame *session_open_packet(const struct session *s);
/* Queue a frame (its own reference is taken); the session ends if its queue is full. */
void session_queue(struct session *s, struct frame *f);
/* Its client has answered the last ping. */
void session_pong(struct session *s, uint64_t now);
/* The probe, if there is one, ends. */
void session_probe_drop(struct session *s);
/* Stop reading from the client for this reason, or go on if there is no other. */
void session_pause(struct session *s, enum pause_reason why, bool paused);

/* throttle.c: so much has come from the client; over its rates it is not read from for a while. */
void session_throttle(struct session *s, size_t events, size_t bytes, uint64_t now);

/* transport.c: what the requests of an existing session do. */
void session_get(struct session *s, void *request, uint64_t now);
void session_post(struct session *s, void *request, const char *body, size_t len, uint64_t now);
void session_ws_message(struct session *s, bool binary, const char *data, size_t len, uint64_t now);
void session_probe(struct session *s, void *ws, uint64_t now);
void session_probe_message(struct session *s, const char *p, size_t len, uint64_t now);

#endif
