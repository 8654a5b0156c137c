/*
 * sio: parses packets of the Socket.IO protocol, version 5, and makes frames of them.
 *
 * A packet is `<type>[<attachments>-][<namespace>,][<ack id>][<JSON>]` inside an Engine.IO message
 * (socket.io-protocol v5). Parsing checks the grammar only. The socket decides whether it is
 * allowed now.
 *
 * An EVENT or ACK may have attachments: the binary messages that follow it, in order. The JSON has
 * a placeholder for each, `{"_placeholder":true,"num":<which>}`, which is kept. As in the reference
 * server, an attachment may be named twice or not at all. sio_decoder.h joins packets and
 * attachments.
 */
#ifndef PUSHD_SIO_H
#define PUSHD_SIO_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "engineio/frame.h"

/* SIO_BINARY_* exist only in the protocol. struct sio_packet has attachments instead. */
enum sio_type {
    SIO_CONNECT,
    SIO_DISCONNECT,
    SIO_EVENT,
    SIO_ACK,
    SIO_CONNECT_ERROR,
    SIO_BINARY_EVENT,
    SIO_BINARY_ACK
};

/* The limits of what a client may send. */
enum { SIO_NSP_MAX = 128, SIO_ACK_DIGITS = 20 };

struct sio_limits {
    unsigned attachments; /* of one packet; 0 = none are allowed */
    unsigned depth;       /* of nested arrays and objects */
    size_t bytes;         /* of one packet, its attachments included */
};

struct sio_packet {
    enum sio_type type;
    char nsp[SIO_NSP_MAX + 1];    /* "/" if the packet names none */
    char ack[SIO_ACK_DIGITS + 1]; /* the digits that were sent, "" = none */
    json_t *data;                 /* owned, NULL = none */
    unsigned attachments;         /* how many follow */
    struct frame **attached;      /* owned, binary frames; NULL until they have arrived */
    size_t bytes;                 /* of the message, attachments included */
};

/* The errors for a limit, as is json_too_deep: compare the pointer. */
extern const char sio_too_many[], sio_too_large[];

/*
 * Parses the len bytes after the Engine.IO type. Returns NULL, or what is wrong (a static text).
 * After NULL the caller must call sio_clear(); otherwise there is nothing to clear.
 */
const char *sio_read(const char *text, size_t len, const struct sio_limits *limits,
                     struct sio_packet *p);
void sio_clear(struct sio_packet *p);

/*
 * Frames to be sent, each a whole Engine.IO message. After an event or ack with attachments, the
 * same number of binary frames must follow in the queue; its JSON has a placeholder for each.
 * payload is [name, args...], args is [args...], as compact JSON. ack is digits, "" = none.
 */
/* pid may be NULL. */
struct frame *sio_pack_connect(const char *nsp, const char *sid, const char *pid);
/* data is JSON, NULL = none. */
struct frame *sio_pack_connect_error(const char *nsp, const char *message, const char *data);
struct frame *sio_pack_event(const char *nsp, const char *ack, const char *payload, size_t len,
                             unsigned attachments);
/* With an offset as the last argument. payload is an array that is not empty. */
struct frame *sio_pack_event_at(const char *nsp, const char *payload, size_t len,
                                const char *offset);
struct frame *sio_pack_ack(const char *nsp, const char *ack, const char *args, size_t len,
                           unsigned attachments);

#endif
