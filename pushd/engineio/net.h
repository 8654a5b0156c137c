/*
 * net: the interface between the core and the network: struct net and struct request.
 *
 * A request and a ws (a WebSocket) are handles of the network; the core does not look inside. The
 * core answers each request by exactly one reply(), unless its client goes away first
 * (engine_gone()).
 */
#ifndef PUSHD_NET_H
#define PUSHD_NET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"
#include "base/metrics.h"
#include "http/request_head.h"

struct net {
    /* Answers a request. An empty body has the type NULL. The network adds the CORS headers. */
    void (*reply)(void *request, int status, const char *type, const void *body, size_t len);
    /* Sends framed bytes. False: they were accepted, but now there is a backlog; do not send again
     * before engine_writable(). */
    bool (*send)(void *ws, const void *data, size_t len);
    /* Closes a WebSocket. The core does not use the handle afterwards. code 0 = none. */
    void (*close)(void *ws, unsigned code);
    /* The next reply() sets the cookie config.cookie to this value. */
    void (*cookie)(void *request, const char *value);
    /* Stops reading from a WebSocket, or continues. */
    void (*pause)(void *ws, bool paused);
};

/* Strings are valid during the call. NULL = the header is absent. */
struct request {
    enum method method;
    const char *query; /* without '?' */
    const char *origin;
    const char *authorization;
    const char *user_agent;
    struct address from; /* the client's, also behind proxies that are trusted */
    bool websocket;      /* asks for an upgrade to WebSocket */
    bool octet_stream;   /* Content-Type: application/octet-stream */
    const char *body;    /* of a POST, complete */
    size_t body_len;
};

/* A refusal: HTTP status, JSON body and the metric that counts it. */
struct refusal {
    int status;
    const char *body;
    enum metric_id metric;
};

#endif
