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

#include "frame.h"
#include "hub.h"
#include "token.h"

enum { SID_LEN = 20, POLL_PACKETS = 16 };

/* Who is behind a session, by its token. */
struct identity {
    enum verdict verdict;
    struct claims claims;
    char *token; /* only while it waits for keys */
};

struct queue {
    struct frame **frames;
    unsigned first, n, cap;
    size_t bytes;
    bool full; /* at least half */
};

struct session {
    UT_hash_handle hh;
    struct hub *hub;
    char sid[SID_LEN + 1];
    bool ended, websocket, dirty;
    bool backlog; /* the network has not sent all it was given */
    bool awaiting_pong;
    bool paused;       /* its inbox is full: not read from */
    bool overflow;     /* its queue is full: ends at the end of the turn */
    uint32_t left;     /* bit per namespace that was connected once and is no more */
    void *poll, *post; /* requests not answered yet */
    void *ws, *probe;
    struct queue queue;
    struct timer heartbeat;
    struct timer life;    /* connect timeout, or the grace without a good token */
    struct timer upgrade; /* of the probe: noops for a waiting GET, then its end */
    uint64_t upgrade_until;
    struct identity identity;
    char *address;
    struct socket *sockets;
    size_t inbox;         /* bytes of events that the backend has not taken */
    struct session *next; /* in the list of the dirty or of the ended */
};

enum end_reason {
    END_CLOSED,  /* the client closed its transport or said so */
    END_ERROR,   /* two requests at once, and the like */
    END_TIMEOUT, /* no pong */
    END_PACKET,  /* a packet that breaks the protocol */
    END_SLOW,    /* its queue was full */
    END_TOKEN,   /* no good token within the grace */
    END_IDLE,    /* no namespace within connect_timeout */
    END_DRAIN    /* pushd is stopping */
};

struct session *session_new(struct hub *hub, const char *address, bool websocket, uint64_t now);
struct session *session_find(struct hub *hub, const char *sid);
/* The one way a session ends: answers and closes what is open, tells its sockets. Memory is freed
 * at the end of the turn. */
void session_end(struct session *s, enum end_reason reason);
/* Frees what session_end() left; called by hub_flush(). */
void session_free(struct session *s);

/* The open packet of the handshake. */
struct frame *session_open_packet(const struct session *s);
/* Queue a frame (its own reference is taken); the session ends if its queue is full. */
void session_queue(struct session *s, struct frame *f);
/* Send what is queued, as far as the transport takes it: one send. */
void session_flush(struct session *s);
/* One Engine.IO packet from the client, over whichever transport. */
void session_packet(struct session *s, const char *p, size_t len, uint64_t now);
/* Bytes came into, or were taken out of, the inbox. */
void session_inbox(struct session *s, size_t in, size_t out);

/* transport.c: what the requests of an existing session do. */
void session_get(struct session *s, void *request, uint64_t now);
void session_post(struct session *s, void *request, const char *body, size_t len, uint64_t now);
void session_probe(struct session *s, void *ws, uint64_t now);
void session_probe_message(struct session *s, const char *p, size_t len, uint64_t now);
void session_probe_drop(struct session *s);

#endif
