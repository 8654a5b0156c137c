/*
 * handshake: the request that turns an HTTP connection into a WebSocket (RFC 6455, 4.2.1).
 */
#ifndef PUSHD_HANDSHAKE_H
#define PUSHD_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "http/request_head.h"

enum {
    HANDSHAKE_MAX = 256, /* bytes of a head by handshake_write() */
    PROTOCOL_MAX = 128   /* of a subprotocol, with the zero byte */
};

/* Does it ask for an upgrade, to whatever? */
bool handshake_asked(const struct request_head *h);
/* May it become a WebSocket? A GET of HTTP/1.1 with Host, Upgrade: websocket, Connection: upgrade,
 * version 13, one key of 16 bytes, no body, and only subprotocols that are tokens. */
bool handshake_is_good(const struct request_head *h);
/* The first subprotocol that the client offers, which is what ws of Node answers with. False if it
 * offers none. */
bool handshake_protocol(const struct request_head *h, char out[PROTOCOL_MAX]);
/* Writes a head that asks for the same WebSocket, and has nothing else of the client: at "/", with
 * its key. Returns its length. */
size_t handshake_write(const struct request_head *h, char out[HANDSHAKE_MAX]);

#endif
