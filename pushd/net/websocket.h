/*
 * websocket: messages of WebSockets, by libwebsockets; see upgrade.h for how they begin.
 */
#ifndef PUSHD_WEBSOCKET_H
#define PUSHD_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>

#include "engineio/net.h"
#include "net/scope.h"

struct lws_context;

/* The request of a WebSocket that is being made. protocol: its subprotocol, or NULL. */
struct websocket_request {
    const struct request *rq;
    const char *protocol;
};

/* Prepares libwebsockets. False if it cannot be used. *context becomes NULL when everything has
 * been freed; destroy it by websocket_close(). */
bool websocket_open(struct server_scope *scope, struct lws_context **context);
/* Closes all. Call it again after the loop has ended: libwebsockets frees in stages. */
void websocket_close(struct lws_context *context);
/* Makes a WebSocket of the socket fd, which belongs to libwebsockets from here on. text: the head
 * of its request, and what came with it. */
void websocket_adopt(struct server_scope *scope, int fd, const struct websocket_request *request,
                     const char *text, size_t len);

/* Functions of struct net. */
bool websocket_send(void *ws, const void *data, size_t len);
void websocket_shut(void *ws, unsigned code);
void websocket_pause(void *ws, bool paused);

#endif
