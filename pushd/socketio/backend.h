/*
 * backend: the interface between the hub and the owner of clients' rights and events.
 *
 * The hub calls the functions of struct backend. The backend answers now or later, from the same
 * thread, with hub_accept(), hub_set_rooms(), hub_publish() and the others in hub.h. PostgreSQL
 * (pg/db) is one backend. auth is one that is in front of another. All pointers but bearer, and
 * what they point to, are valid only during the call.
 *
 * A client is one session. A socket is its connection to one namespace and has a public name, the
 * sid. A bearer is the backend's data of a client. A principal is the user or node that the backend
 * found for a socket: a number of its own.
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
    const char *subject;   /* by auth: the subject of the token; NULL = unknown */
    const char *transport; /* "polling" or "websocket" */
    const char *address;
    const char *user_agent; /* cut, printable; NULL = none */
    int64_t expires;        /* by auth: expiry of the token, seconds since the epoch; 0 = none */
    const char *pid;        /* the secret that lets the client resume the socket; NULL = none */
    /* The client resumes this earlier socket, after this offset (NULL = none). hub_set_rooms() then
     * answers the CONNECT. */
    const char *was, *offset;
    size_t most_bytes; /* how many bytes of missed events fit into its queue */
    const char
        *token;   /* by auth: the fingerprint of the token; NULL = it does not return with it */
    bool expired; /* by auth: the token has expired; only the backend can prove its bearer */
    bool muted;   /* its events have no effect */
    bool again;   /* hub_renew(), hub_doubt(): the backend was asked before */
    bool known;   /* and has answered */
};

/* The binary messages of a packet. Its JSON has a placeholder for each. */
struct attachments {
    unsigned n;
    struct frame *const *frames;
};

/* An event from a client. */
struct incoming {
    const char *sid;
    int64_t principal;
    const char *nsp;
    const json_t *event; /* [name, args...] */
    struct attachments with;
    const char *ack; /* digits for hub_ack(), "" = no ack is expected */
    size_t bytes;    /* for hub_taken() */
};

struct backend {
    void *ctx;
    /* receive() answers acks with hub_ack(). Otherwise the hub answers each with [] immediately. */
    bool acks;
    /* A client has opened a session with this request. Returns its bearer for the other calls. */
    void *(*arrive)(void *ctx, struct client *c, const struct request *rq, uint64_t now);
    /* Is it known who the client is? Until then little is kept of it. May be NULL: always. */
    bool (*knows)(void *ctx, void *bearer);
    /* The session has ended, after its sockets. */
    void (*leave)(void *ctx, void *bearer);
    /*
     * The socket asks to connect with the payload auth of its CONNECT (NULL = none). hub_accept()
     * or hub_refuse() answers; after hub_accept(), hub_set_rooms() sets its rooms. If the database
     * is away, the backend may forget the call: hub_renew() repeats it for all sockets, hub_doubt()
     * for one.
     */
    void (*connect)(void *ctx, void *bearer, const struct socket_info *s, const json_t *auth,
                    uint64_t now);
    /* hub_set_rooms() has named the principal of the socket, also of one that resumes; 0 = nobody.
     * May be NULL. */
    void (*identified)(void *ctx, void *bearer, const char *sid, int64_t principal, uint64_t now);
    /* The socket has ended: called once for each socket that asked to connect, also if it was
     * refused. by_client: the client said so or closed its transport. */
    void (*disconnect)(void *ctx, void *bearer, const char *sid, const char *reason,
                       bool by_client);
    /* The transport of a joined socket is WebSocket now. May be NULL. */
    void (*upgraded)(void *ctx, void *bearer, const char *sid);
    /* An event from a joined socket. Not called for a client that has more than config.inbox_bytes
     * without hub_taken(). */
    void (*receive)(void *ctx, void *bearer, const struct incoming *e);
    /* The client acknowledges an event that hub_emit() sent with this ack id, or pretends to: the
     * backend knows which ids are open. May be NULL. */
    void (*acked)(void *ctx, void *bearer, const char *sid, int64_t ack, const json_t *args,
                  const struct attachments *with);
    /* An instruction with an id above 0 was sent to the socket, or acknowledged. principal is the
     * socket's. May be NULL. */
    void (*ack_report)(void *ctx, void *bearer, const char *sid, int64_t principal, int64_t id,
                       bool acked);
};

#endif
