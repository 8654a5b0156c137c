/*
 * net: what the core asks of the network, and what the network tells the core of a request.
 *
 * A request and a ws (a WebSocket) are handles of the network, opaque here. Each request is
 * answered by exactly one reply() unless its client goes away first (engine_gone()).
 */
#ifndef PUSHD_NET_H
#define PUSHD_NET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/metrics.h"

struct net {
    /* Answer a request. An empty body has the type NULL. CORS headers are the network's to add. */
    void (*reply)(void *request, int status, const char *type, const void *body, size_t len);
    /* Send bytes that are framed already. False: taken, but now there is a backlog; do not send
     * again before engine_writable(). */
    bool (*send)(void *ws, const void *data, size_t len);
    /* Close a WebSocket; the handle is gone for the core from here on. code 0 = none. */
    void (*close)(void *ws, unsigned code);
    /* The reply() that follows sets the cookie config.cookie to this value. */
    void (*cookie)(void *request, const char *value);
    /* Stop or go on reading from a WebSocket. */
    void (*pause)(void *ws, bool paused);
};

enum method { METHOD_GET, METHOD_POST, METHOD_OPTIONS, METHOD_OTHER };

/* Strings are valid during the call; NULL = the header is absent. */
struct request {
    enum method method;
    const char *query; /* without '?' */
    const char *origin;
    const char *authorization;
    const char *user_agent;
    const char *peer;          /* address at the other end of the connection: perhaps a proxy's */
    const char *forwarded_for; /* X-Forwarded-For; several joined by commas */
    bool websocket;            /* asks for an upgrade to WebSocket */
    bool octet_stream;         /* Content-Type: application/octet-stream */
    const char *body;          /* of a POST, complete */
    size_t body_len;
};

/* An answer that refuses: HTTP status and JSON body, and as what it is counted. */
struct refusal {
    int status;
    const char *body;
    enum metric_id metric;
};

#endif
