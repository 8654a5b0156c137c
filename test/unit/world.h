/*
 * world: all layers of the core between a network and a backend of paper, for their tests.
 *
 * Requests and WebSockets are numbered places in a table that records what they were answered; the
 * backend records what it was asked. Time is a variable.
 */
#ifndef TEST_WORLD_H
#define TEST_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/auth.h"
#include "base/offset.h"
#include "engineio/engine.h"
#include "engineio/frame.h"
#include "socketio/hub.h"

/* The clock of the world begins at 1 s; what the wall clock says then. */
enum { PLACES = 64, WORLD_UNIX = 1700000000 };

struct place {
    int status;       /* of the reply; 0 = none yet */
    char text[16384]; /* body of the reply, or the frames sent, each with a newline; binary ones
                         after a 'b' */
    size_t sends;
    char cookie[32];
    bool closed, paused;
    unsigned code; /* it was closed with */
    bool stalled;  /* the next send leaves a backlog */
    bool backlog;
    struct session *session;
};

struct world {
    struct config config;
    struct metrics metrics;
    struct wheel *wheel;
    struct engine *engine;
    struct hub *hub;
    struct auth *auth;
    struct keyset *keys; /* the secret of its tokens */
    uint64_t now;
    const char *peer, *forwarded_for, *user_agent; /* of all requests from now on */
    struct offset_log offsets;                     /* without a secret */
    struct place place[PLACES];
    struct backend backend; /* behind the auth */
    char asked[4096];       /* of it, a line each */
    int bearers;
    const char *refusal; /* what it says to a socket that asks to connect; NULL = it accepts */
    bool silent;         /* it does not answer at once */
    struct frame *kept;  /* the last attachment that it got */
    char sid[32];        /* socket that connected last */
};

extern const struct net world_net;

/* The configuration holds the defaults; change it between the two calls. */
void world_setup(struct world *w);
void world_start(struct world *w);
/* Ends all sessions and checks that nothing is left. */
void world_end(struct world *w);

/* Requests; the answer is in place[n]. */
void world_get(struct world *w, int n, const char *query);
void world_get_as(struct world *w, int n, const char *query, const char *authorization);
void world_post(struct world *w, int n, const char *query, const char *body);
/* A WebSocket in place[n]; false if refused, with the status in place[n]. */
bool world_ws(struct world *w, int n, const char *query, const char *authorization);
/* The network has sent the backlog. */
void world_writable(struct world *w, int n);
void world_say(struct world *w, int n, const char *text);
void world_say_binary(struct world *w, int n, const char *bytes, size_t len);

/* A polling session: its Engine.IO sid. */
const char *world_handshake(struct world *w, const char *authorization);
/* A WebSocket in place[n], connected to namespace /tasks with a good token for subject 7, and in
 * rooms. */
void world_client(struct world *w, int n, const char *rooms, int64_t principal);
void world_set_rooms(struct world *w, const char *sid, const char *rooms, int64_t principal,
                     const char *snapshot);
void world_event(struct world *w, uint64_t xid, const char *rooms, const char *payload);

/* Let time pass, firing what is due, one turn at its end. */
void world_pass(struct world *w, uint64_t ms);
/* What has been written to place[n] since the last call. */
const char *world_received(struct world *w, int n);

/* A WebSocket with this Authorization, connected to /tasks: what it hears after the answer. */
const char *world_connect_as(struct world *w, int n, const char *authorization);
/* It is closed when so much time has passed, and not before. */
void world_closed_after(struct world *w, int n, uint64_t ms);

/* The key set of the world's secret; the caller frees it. */
struct keyset *world_keys(void);
/* Tokens of HS256, signed with the world's secret; exp in seconds from the world's time. */
const char *world_bearer(struct world *w, int subject, int exp, const char *extra);

#endif
