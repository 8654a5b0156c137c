/*
 * house: all layers of the core between the network and the backend of paper.[ch]: built, looked
 * at after each step, and ended. What it looks at is inside them: engine_state.h, hub_state.h.
 */
#ifndef TEST_HOUSE_H
#define TEST_HOUSE_H

#include "auth/auth.h"
#include "engineio/engine.h"
#include "paper.h"
#include "socketio/hub.h"

enum way {
    WAY_GUARD = 1,   /* a auth before the backend */
    WAY_ACCEPTS = 2, /* the backend accepts at once; behind a auth the auth has done so */
    WAY_ACKS = 4,    /* and answers acks */
    WAY_TURNS = 8,   /* several steps may be one turn */
    WAY_CLOSE = 16   /* it ends by closing all, not by silence */
};

struct house {
    unsigned way;
    struct config config;
    struct keyset *keys;
    struct metrics metrics;
    struct wheel *wheel;
    struct engine *engine;
    struct hub *hub;
    struct auth *auth; /* NULL = none */
    uint64_t now;
    size_t deliveries; /* that the book of the backend makes one expect */
};
extern struct house house;

void house_build(unsigned way);
/* The turn ends if steps are turns; then all is looked at. */
void house_stepped(void);
/* A client's request or WebSocket, from one of three addresses behind a proxy; known: for one of
 * the last polling sessions. */
void house_request(const struct request *rq, bool known, unsigned which);
void house_pass(uint64_t ms);
/* All have gone; whatever is left is a fault. */
void house_end(void);

/* The n-th Authorization header, counted round: none, good, expired, badly signed. */
const char *house_header(unsigned n);

#endif
