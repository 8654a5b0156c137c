/*
 * mock_stack: all layers of the core between a mock_net and a mock_backend, for their tests.
 *
 * The answers to requests and WebSockets are in net.handle[n], what the backend was asked is in
 * mock.asked. Time is a variable.
 */
#ifndef TEST_MOCK_STACK_H
#define TEST_MOCK_STACK_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/auth.h"
#include "base/offset.h"
#include "engineio/engine.h"
#include "engineio/frame.h"
#include "mock_backend.h"
#include "mock_net.h"
#include "socketio/hub.h"

/* Its clock begins at 1 s; what the wall clock says then. */
enum { STACK_START = 1000, STACK_UNIX = 1700000000 };

struct mock_stack {
    struct config config;
    struct metrics metrics;
    struct wheel *wheel;
    struct engine *engine;
    struct hub *hub;
    bool without_auth;   /* the backend is the hub's own */
    struct auth *auth;   /* in front of the backend; NULL = none */
    struct keyset *keys; /* the secret of its tokens */
    uint64_t now;
    const char *peer, *forwarded_for, *user_agent; /* of all requests from now on */
    struct offset_log offsets;                     /* without a secret */
    struct mock_net net;
    struct mock_backend mock;
};

/* The configuration holds the defaults, after options (NULL = none; ends with NULL); change it
 * between the two calls. */
void stack_setup(struct mock_stack *m, const char *const *options);
void stack_start(struct mock_stack *m);
/* Ends all sessions and checks that nothing is left; it may start again. */
void stack_stop(struct mock_stack *m);
/* The same, and frees what stack_setup() made. */
void stack_end(struct mock_stack *m);

/* Requests; the answer is in net.handle[n]. */
void stack_request(struct mock_stack *m, int n, const struct request *rq);
void stack_get(struct mock_stack *m, int n, const char *query);
void stack_get_as(struct mock_stack *m, int n, const char *query, const char *authorization);
void stack_post(struct mock_stack *m, int n, const char *query, const char *body);
/* A WebSocket in net.handle[n]; false if refused, with the status there. */
bool stack_ws(struct mock_stack *m, int n, const char *query, const char *authorization);
/* The same in an open handle, without the end of a turn. */
bool stack_upgrade(struct mock_stack *m, struct handle *h, const struct request *rq);
/* The network has sent the backlog. */
void stack_writable(struct mock_stack *m, int n);
void stack_say(struct mock_stack *m, int n, const char *text);
void stack_say_binary(struct mock_stack *m, int n, const char *bytes, size_t len);

/* A polling session: its Engine.IO sid. Its answer is in the last handle. */
const char *stack_handshake(struct mock_stack *m, const char *authorization);
/* A WebSocket, connected to namespace /tasks with a good token for subject 7, and in rooms. */
void stack_client(struct mock_stack *m, int n, const char *rooms, int64_t principal);
void stack_set_rooms(struct mock_stack *m, const char *sid, const char *rooms, int64_t principal,
                     const char *snapshot);
void stack_event(struct mock_stack *m, uint64_t xid, const char *rooms, const char *payload);

/* Let time pass, firing what is due, one turn at its end. */
void stack_pass(struct mock_stack *m, uint64_t ms);
/* What has been written to net.handle[n] since the last call. */
const char *stack_received(struct mock_stack *m, int n);

/* A WebSocket with this Authorization, connected to /tasks: what it receives after the answer. */
const char *stack_connect_as(struct mock_stack *m, int n, const char *authorization);
/* It is closed when so much time has passed, and not before. */
void stack_closed_after(struct mock_stack *m, int n, uint64_t ms);

/* The key set of the stack's secret; the caller frees it. */
struct keyset *stack_keys(void);
/* An Authorization header with a token of the stack's secret; exp is in seconds from now. */
const char *stack_bearer(struct mock_stack *m, int subject, int exp, const char *extra);

#endif
