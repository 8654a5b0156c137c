/*
 * backend: what the hub asks of whoever knows the clients and holds the events.
 *
 * The hub calls the functions of struct backend; the backend answers at once or later, from the
 * same thread, with hub_accept(), hub_set_rooms(), hub_publish() and the rest of hub.h. PostgreSQL
 * (edge/db) is one backend; auth is one that stands in front of another. All pointers but bearer
 * are valid during the call only, and so is what they point to.
 *
 * A client is one session; a socket is its connection to one namespace, and has a public name, the
 * sid. A bearer is what the backend keeps of a client. A principal is whom the backend found
 * behind a socket: a number of its own.
 */
#ifndef PUSHD_BACKEND_H
#define PUSHD_BACKEND_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct client;
struct frame;
struct request;

struct socket_info {
    const char *sid;
    const char *nsp;
    const char *subject;   /* by auth: whom the token names; NULL = nobody said */
    const char *transport; /* "polling" or "websocket" */
    const char *address;
    int64_t expires; /* by auth: of the token, seconds since the epoch; 0 = none */
    const char *pid; /* the secret name that the client is told of the socket; NULL = none */
    /* The client resumes this earlier socket, after this offset (NULL = none). Then its
     * CONNECT is still to be answered: hub_set_rooms() does. */
    const char *was, *offset;
    size_t most_bytes; /* that fit into its queue, of what it has missed */
    bool expired;      /* by auth: of a resume, which alone can prove who it is */
    bool again;        /* hub_renew(), hub_doubt(): it was asked for before */
    bool known;        /* and admitted */
};

/* Binary messages that belong to a packet, whose JSON has a placeholder for each. */
struct attachments {
    unsigned n;
    struct frame *const *frames;
};

/* An event of a client. */
struct incoming {
    const char *sid;
    int64_t principal;
    const char *nsp;
    const json_t *event; /* [name, args...] */
    struct attachments with;
    const char *ack; /* digits for hub_ack(), "" = none is wanted */
    size_t bytes;    /* for hub_taken() */
};

struct backend {
    void *ctx;
    /* Its receive() answers acks with hub_ack(). Else the hub answers each at once with []. */
    bool acks;
    /* A client has come, with this request; the bearer returned comes back with each call. */
    void *(*arrive)(void *ctx, struct client *c, const struct request *rq, uint64_t now);
    /* It has gone, its sockets before it. */
    void (*leave)(void *ctx, void *bearer);
    /*
     * The socket asks to connect, with the payload auth of its CONNECT (NULL = none): answered by
     * hub_accept() or hub_refuse(), and after hub_accept() by hub_set_rooms() with its rooms. While
     * the backend is away it may forget the call: hub_renew() makes all of them again, and
     * hub_doubt() one.
     */
    void (*connect)(void *ctx, void *bearer, const struct socket_info *s, const json_t *auth,
                    uint64_t now);
    /* hub_set_rooms() has said who is behind the socket, also of one that resumes an earlier
     * one; 0 = nobody. May be NULL. */
    void (*identified)(void *ctx, void *bearer, const char *sid, int64_t principal, uint64_t now);
    /* The socket is gone: once for each that asked to connect, also if it was refused. by_client if
     * the client itself said so or closed its transport. */
    void (*disconnect)(void *ctx, void *bearer, const char *sid, const char *reason,
                       bool by_client);
    /* The transport of a socket that was admitted is WebSocket now. May be NULL. */
    void (*upgraded)(void *ctx, void *bearer, const char *sid);
    /* An event of a socket that was admitted. Never called for one client in a row beyond
     * config.inbox_bytes that have not been answered by hub_taken(). */
    void (*receive)(void *ctx, void *bearer, const struct incoming *e);
    /* The client has answered an event that hub_emit() sent with this ack id, or says so: the
     * backend knows which ids are open. May be NULL. */
    void (*acked)(void *ctx, void *bearer, const char *sid, int64_t ack, const json_t *args,
                  const struct attachments *with);
    /* An instruction with an id above 0 was sent to the socket, or acknowledged by it, whose
     * principal this is. May be NULL. */
    void (*ack_report)(void *ctx, void *bearer, const char *sid, int64_t principal, int64_t id,
                       bool acked);
};

#endif
