/*
 * sio: packets of the Socket.IO protocol, version 5.
 *
 * A packet is `<type>[<attachments>-][<namespace>,][<ack id>][<JSON>]` inside an Engine.IO message
 * (socket.io-protocol v5). Parsing knows the grammar only; whether a packet is allowed now is the
 * socket's business.
 *
 * An EVENT or ACK may have attachments: binary messages that follow it at once, in order. Where one
 * belongs in the JSON stands a placeholder, `{"_placeholder":true,"num":<which>}`, which is left
 * there. As in the reference server an attachment may be named twice, or not at all. sio_decoder.h
 * puts packets and attachments together.
 */
#ifndef PUSHD_SIO_H
#define PUSHD_SIO_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "engineio/frame.h"

/* SIO_BINARY_* are on the wire only: in struct sio_packet attachments tell. */
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
enum { SIO_NSP_MAX = 128, SIO_ACK_DIGITS = 20 };

struct sio_limits {
    unsigned attachments; /* of one packet; 0 = none are allowed */
    unsigned depth;       /* of nested arrays and objects */
    size_t bytes;         /* of one packet, its attachments included */
};

struct sio_packet {
    enum sio_type type;
    char nsp[SIO_NSP_MAX + 1];    /* "/" if the packet names none */
    char ack[SIO_ACK_DIGITS + 1]; /* digits as they came, "" = none */
    json_t *data;                 /* owned, NULL = none */
    unsigned attachments;         /* how many belong to it */
    struct frame **attached;      /* owned, binary frames; NULL until they have come */
    size_t bytes;                 /* of the message, attachments included */
};

/* What is wrong where a limit is passed, beside json_too_deep; compare the pointer. */
extern const char sio_too_many[], sio_too_large[];

/*
 * Parse the len bytes after the Engine.IO type. Returns NULL, or what is wrong (a static text). On
 * NULL the caller ends with sio_clear(); otherwise there is nothing to clear.
 */
const char *sio_read(const char *text, size_t len, const struct sio_limits *limits,
                     struct sio_packet *p);
void sio_clear(struct sio_packet *p);

/*
 * Frames that go out, each a whole Engine.IO message. An event or ack with attachments is followed
 * in the queue by as many binary frames; its JSON has a placeholder for each.
 * payload is [name, args...], args is [args...], as compact JSON; ack is digits, "" = none.
 */
/* pid may be NULL. */
struct frame *sio_pack_connect(const char *nsp, const char *sid, const char *pid);
/* data is JSON, NULL = none. */
struct frame *sio_pack_connect_error(const char *nsp, const char *message, const char *data);
struct frame *sio_pack_event(const char *nsp, const char *ack, const char *payload, size_t len,
                             unsigned attachments);
/* With an offset as the last argument; payload is an array that is not empty. */
struct frame *sio_pack_event_at(const char *nsp, const char *payload, size_t len,
                                const char *offset);
struct frame *sio_pack_ack(const char *nsp, const char *ack, const char *args, size_t len,
                           unsigned attachments);

#endif
