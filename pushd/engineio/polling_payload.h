/*
 * polling_payload: reads the packets that a client sends over Engine.IO (version 4).
 *
 * The body of a POST is a payload: packets that are joined by 0x1e. A WebSocket text frame is one
 * packet. A packet is a digit, which is its type, and data. A binary message is a 'b' and padded
 * standard base64. A payload is read packet by packet; only base64 is copied.
 */
#ifndef PUSHD_POLLING_PAYLOAD_H
#define PUSHD_POLLING_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>

/* The values are the digits of the protocol. */
enum packet_type {
    PACKET_OPEN,
    PACKET_CLOSE,
    PACKET_PING,
    PACKET_PONG,
    PACKET_MESSAGE,
    PACKET_UPGRADE,
    PACKET_NOOP
};

struct packet {
    enum packet_type type;
    bool binary;      /* only for a message */
    const char *data; /* valid until the next packet is read */
    size_t len;
};

struct polling_payload {
    const char *at, *end; /* at is NULL at the end */
    bool single;
    char *bytes; /* of the last binary packet; allocated for the first */
};

enum polling_step { POLLING_PACKET, POLLING_END, POLLING_WRONG };

/* The body of a POST. An empty body has one packet, the empty one, which is wrong. */
void polling_payload_open(struct polling_payload *p, const char *body, size_t len);
/* A WebSocket text frame. */
void polling_payload_open_frame(struct polling_payload *p, const char *text, size_t len);
/*
 * POLLING_PACKET: *out is the next packet. POLLING_WRONG: *wrong says why (a static text). The
 * packets before it were good, and no more will be read.
 */
enum polling_step polling_payload_next(struct polling_payload *p, struct packet *out,
                                       const char **wrong);
void polling_payload_close(struct polling_payload *p);

/* The packet of a binary message in a payload: its length, and its bytes without a 0 at the end. */
size_t polling_payload_binary_len(size_t len);
void polling_payload_binary(char *out, const void *data, size_t len);

#endif
