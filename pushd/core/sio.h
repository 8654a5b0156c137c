/*
 * sio: packets of the Socket.IO protocol, version 5.
 *
 * A packet is `<type>[<attachments>-][<namespace>,][<ack id>][<JSON>]` inside an Engine.IO message
 * (socket.io-protocol v5). Parsing knows the grammar only; whether a packet is allowed now is the
 * socket's business.
 */
#ifndef PUSHD_SIO_H
#define PUSHD_SIO_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "frame.h"

enum sio_type {
    SIO_CONNECT,
    SIO_DISCONNECT,
    SIO_EVENT,
    SIO_ACK,
    SIO_CONNECT_ERROR,
    SIO_BINARY_EVENT,
    SIO_BINARY_ACK
};

/* Limits of what a client may send. */
enum { SIO_NSP_MAX = 128, SIO_ACK_DIGITS = 20, SIO_JSON_DEPTH = 64 };

struct sio_packet {
    enum sio_type type;
    char nsp[SIO_NSP_MAX + 1];    /* "/" if the packet names none */
    char ack[SIO_ACK_DIGITS + 1]; /* digits as they came, "" = none */
    json_t *data;                 /* owned, NULL = none */
};

/*
 * Parse the len bytes after the Engine.IO type. Returns NULL, or what is wrong (a static text). On
 * NULL the caller releases p->data with json_decref().
 */
const char *sio_parse(const char *text, size_t len, struct sio_packet *p);

/* Frames that go out, each a whole Engine.IO message. */
struct frame *sio_connect(const char *nsp, const char *sid);
struct frame *sio_connect_error(const char *nsp, const char *message);
/* payload is [name, args...] as compact JSON. */
struct frame *sio_event(const char *nsp, const char *payload, size_t len);
struct frame *sio_ack(const char *nsp, const char *ack);

/* Names that Socket.IO keeps for itself. */
bool sio_reserved(const char *event);

#endif
