/*
 * backend: what the hub asks of whoever knows the clients and holds the events.
 *
 * The hub calls the functions of struct backend; the backend answers later, from the same thread,
 * with hub_admit(), hub_event() and the rest of hub.h. PostgreSQL (edge/) is one backend. All
 * strings are valid during the call only.
 *
 * A socket is one connection to one namespace; its public name is its sid. A principal is whom the
 * database found behind a token's subject.
 */
#ifndef PUSHD_BACKEND_H
#define PUSHD_BACKEND_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct socket_info {
    const char *sid;
    const char *nsp;
    const char *subject;
    const char *transport; /* "polling" or "websocket" */
    const char *address;
    int64_t expires; /* of the token, seconds since the epoch; 0 = none */
};

struct backend {
    void *ctx;
    /* Register this socket and read its rooms; answered by hub_admit(). While the backend is away
     * the call is forgotten: it asks for all sockets with hub_each_socket() when it is back. */
    void (*connect)(void *ctx, const struct socket_info *s);
    /* The socket is gone; by_client if the client itself said so or closed its transport. */
    void (*disconnect)(void *ctx, const char *sid, const char *reason, bool by_client);
    /* An event of a client whose principal is known. event is [name, args...], borrowed. Never
     * called for one client in a row beyond config.inbox_bytes that have not been answered by
     * hub_taken(). */
    void (*receive)(void *ctx, const char *sid, int64_t principal, const char *nsp, json_t *event,
                    size_t bytes);
};

#endif
