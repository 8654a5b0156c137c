/*
 * stack_watch: the mock_stack that the target "engine" drives, looked at after each step. What it
 * looks at is inside the layers: engine_state.h, hub_state.h.
 */
#ifndef TEST_STACK_WATCH_H
#define TEST_STACK_WATCH_H

#include "mock_stack.h"

enum way {
    WAY_AUTH = 1,    /* an auth before the backend */
    WAY_ACCEPTS = 2, /* the backend accepts at once; behind an auth that has done so */
    WAY_ACKS = 4,    /* and answers acks */
    WAY_TURNS = 8,   /* several steps may be one turn */
    WAY_CLOSE = 16   /* it ends by closing all, not by silence */
};

enum { ROOMS = 4 };

/* What the target keeps of a socket. */
struct tracked {
    struct mock_socket socket;
    bool welcome; /* admitted once with a principal: joined */
    bool waits;   /* to be admitted again */
    bool nobody;  /* admitted last without one */
    int64_t principal;
    unsigned rooms; /* a bit each */
    size_t untaken; /* bytes received and not taken */
    char ack[24];   /* of the last event that wanted one */
    /* The events before this xid are not for it: until a read that began later has ended. */
    uint64_t since;
    bool settling;
};

extern struct mock_stack stack;
extern size_t deliveries; /* expected of them */

/* All of them in turn; g may not go meanwhile. */
#define each_tracked(g)                                                                            \
    (struct tracked * (g) = (struct tracked *)stack.mock.sockets; (g);                             \
     (g) = (struct tracked *)(g)->socket.next)

void watch_begin(unsigned way);
/* The turn ends if steps are turns; then all is looked at. */
void watch_step(void);
/* A client's request or WebSocket, from one of three addresses behind a proxy; known: for one of
 * the last polling sessions. */
void watch_request(const struct request *rq, bool known, unsigned which);
/* All have gone; whatever is left is a fault. */
void watch_end(void);

/* The n-th Authorization header, counted round: none, good, expired, badly signed. */
const char *watch_header(unsigned n);

#endif
