/*
 * mock_backend: a backend without a database, a mock of struct backend.
 *
 * It keeps a list of the sockets that have asked to connect, accepts each at once unless it is told
 * otherwise, and records what it was asked. It demands what backend.h promises: a socket asks once
 * and leaves once, its client after it. A test may replace single functions of .backend.
 */
#ifndef TEST_MOCK_BACKEND_H
#define TEST_MOCK_BACKEND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/sid.h"
#include "socketio/backend.h"

struct hub;

/* What the backend keeps of a client: its bearer. */
struct mock_client {
    struct client *client;
    unsigned sockets;
};

struct mock_socket {
    struct mock_socket *next;
    struct mock_client *client;
    char sid[SID_LEN + 1], nsp[16];
    bool accepted;
    bool resumes; /* an earlier one; if that is given up, it asks once more */
};

struct mock_backend {
    struct backend backend; /* for hub_set_backend() or auth_set_backend() */
    struct hub *hub;
    size_t socket_size; /* of a larger struct that begins with a struct mock_socket; 0 = none */
    struct mock_socket *sockets;
    unsigned clients;
    const char *refusal;   /* what it says to a socket that asks to connect; NULL = it accepts */
    bool silent;           /* it does not answer at once */
    char asked[4096];      /* of it, a line each; no more than fits */
    char sid[SID_LEN + 1]; /* of the socket that asked to connect last */
    char token[64];        /* its fingerprint */
    struct frame *kept;    /* the last attachment that it got */
};

void mock_backend_begin(struct mock_backend *b);
/* NULL if there is none. */
struct mock_socket *mock_backend_socket(struct mock_backend *b, const char *sid);
/* The socket that asks to connect, in the list. */
struct mock_socket *mock_backend_add(struct mock_backend *b, void *bearer,
                                     const struct socket_info *s);
/* .backend's functions, for those that replace them and go on with them. */
void mock_backend_connect(void *ctx, void *bearer, const struct socket_info *s, const json_t *auth,
                          uint64_t now);
void mock_backend_receive(void *ctx, void *bearer, const struct incoming *e);

#endif
