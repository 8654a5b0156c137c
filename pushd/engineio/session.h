/*
 * session: one Engine.IO connection over either transport.
 *
 * A session begins with polling or a WebSocket. It may upgrade from polling to WebSocket; until
 * then the new WebSocket is a probe. It has a queue of frames. It sends a ping every ping_interval
 * and ends if no pong arrives within ping_timeout. It ends once, in session_end().
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
#include "engineio/half_full.h"
#include "engineio/polling_payload.h"

struct engine;

/* python-engineio closes a connection if a response has more. */
enum { POLL_PACKETS = 16 };

struct queue {
    struct frame **frames;
    unsigned first, n, cap;
    size_t bytes;
    struct half_full half_full;
};

/* 0 is not a reason. */
enum end_reason {
    END_CLOSED = 1,  /* the client closed the transport or said so */
    END_ERROR,       /* two requests at the same time, and similar errors */
    END_TIMEOUT,     /* no pong */
    END_PACKET,      /* a packet that breaks the protocol of this layer or the one above */
    END_PAYLOAD,     /* a message above max_payload */
    END_RECEIVE,     /* a partial message, when those of all clients left no room */
    END_STRANGER,    /* more than stranger_bytes, either way, before it was known */
    END_ATTACHMENTS, /* a packet above max_attachments */
    END_DEPTH,       /* JSON above max_depth */
    END_PACKETS,     /* a POST with more than max_packets */
    END_QUEUE_FULL,  /* its queue was full */
    END_DISMISSED,   /* a layer above refused it */
    END_PRINCIPAL,   /* its principal has newer connections, as many as it may have */
    END_KICKED,      /* an operator closed it */
    END_DOUBT,       /* a layer above may have withheld something from it */
    END_IDLE,        /* no namespace within connect_timeout */
    END_DRAIN        /* pushd stops */
};

/* Why pushd does not read from a client. Each reason is set and cleared separately. */
enum pause_reason {
    PAUSE_INBOX = 1,    /* the backend has still to process what it sent */
    PAUSE_EVENTS = 2,   /* it sends too many events a second */
    PAUSE_BYTES = 4,    /* it sends too many bytes a second */
    PAUSE_PRINCIPAL = 8 /* all connections of its principal together send too much */
};

struct session {
    UT_hash_handle hh;
    struct engine *engine;
    void *user; /* of the layer above */
    char sid[SID_LEN + 1];
    bool ended, websocket, dirty;
    bool served;  /* it has received rooms: it is no stranger, though its token may expire */
    bool backlog; /* the network has not sent everything yet */
    bool awaiting_pong;
    bool wants_room;        /* the layer above has more to send */
    bool held;              /* it was not read from during a part of its time to answer */
    bool seen;              /* a polling client: it has sent a GET since the last ping */
    unsigned char paused;   /* a set of enum pause_reason */
    enum end_reason ending; /* at the end of the turn; 0 = it does not end */
    void *poll, *post;      /* requests that are not answered yet */
    void *coming;           /* a POST whose body has not arrived yet */
    void *ws, *probe;
    bool probed; /* the probe has been answered */
    struct queue queue;
    size_t waiting; /* bytes that the layer above keeps for it until it may send them */
    struct timer heartbeat;
    struct timer upgrade; /* of the probe: noops for a waiting GET, then the end of the probe */
    uint64_t upgrade_until;
    struct bucket events, bytes; /* received */
    struct timer throttle;       /* until pushd reads again */
    struct address from;
    char *address;        /* the same, as text */
    struct session *next; /* in the list dirty or ended */
};

/* ws: the WebSocket that it begins with, or NULL. */
struct session *session_new(struct engine *e, const struct address *from, void *ws, uint64_t now);
/* The answer to every request for an unknown session. */
extern const struct refusal session_unknown;
struct session *session_find(struct engine *e, const char *sid);
/* The only way to end a session. Answers and closes what is open and notifies the layer above. The
 * memory is freed at the end of the turn. */
void session_end(struct session *s, enum end_reason reason);
/* The same at the end of the turn, if the caller's callers still use the session. */
void session_end_soon(struct session *s, enum end_reason reason);
/* Flushes the session at the end of the turn. */
void session_dirty(struct session *s);
/* Ends the turn: flushes the dirty sessions and frees those that have ended. */
void session_turn(struct engine *e);

/* The open packet of the handshake. */
struct frame *session_open_packet(const struct session *s);
/* May so many bytes wait for this client, or of it? Those of a stranger are few. */
bool session_may_wait(const struct session *s, size_t bytes);
/* Queues a frame and takes a reference of its own. The session ends if its queue is full, which is
 * sooner before the client is known. */
void session_queue(struct session *s, struct frame *f);
/* What the layer above keeps for the client grows or shrinks from one size to another. It counts
 * as the queue does: the session ends if both together are too large. */
void session_wait(struct session *s, size_t from, size_t to);
/* Is its queue short? False: engine_user.room() is called when everything in it was sent. */
bool session_has_room(struct session *s);
/* The client has answered the last ping. */
void session_pong(struct session *s, uint64_t now);
/* Ends the probe, if there is one. */
void session_probe_drop(struct session *s);
/* Stops reading from the client for this reason, or continues if there is no other reason. */
void session_pause(struct session *s, enum pause_reason why, bool paused);

/* throttle.c: the client has sent this much. If it exceeds its rates, pushd stops reading for a
 * while. */
void session_throttle(struct session *s, size_t events, size_t bytes, uint64_t now);

/* transport.c: the requests of an existing session. */
void session_get(struct session *s, void *request, uint64_t now);
void session_post(struct session *s, void *request, const char *body, size_t len, uint64_t now);
void session_ws_message(struct session *s, bool binary, const char *data, size_t len, uint64_t now);
void session_probe(struct session *s, void *ws, uint64_t now);
void session_probe_message(struct session *s, const char *p, size_t len, uint64_t now);

#endif
