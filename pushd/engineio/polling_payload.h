/*
 * polling_payload: the packets in what a client sends over Engine.IO (version 4).
 *
 * The body of a POST is a payload: packets joined by 0x1e. A WebSocket text frame is one packet,
 * whatever it holds. A packet is a digit, its type, and data; or a 'b' and the standard, padded
 * base64 of a binary message. A payload is read packet by packet, and nothing is copied but what
 * was base64.
 */
#ifndef PUSHD_POLLING_PAYLOAD_H
#define PUSHD_POLLING_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>

/* As the digits have it. */
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
    bool binary;      /* a message only */
    const char *data; /* valid until the next packet is read */
    size_t len;
};

struct polling_payload {
    const char *at, *end; /* at is NULL after the last */
    bool single;
    char *bytes; /* of the binary packets, one after the other; made for the first */
};

enum polling_step { POLLING_PACKET, POLLING_END, POLLING_WRONG };

/* The body of a POST; an empty one holds one packet, the empty one, which is wrong. */
void polling_payload_open(struct polling_payload *p, const char *body, size_t len);
/* A WebSocket text frame. */
void polling_payload_open_frame(struct polling_payload *p, const char *text, size_t len);
/*
 * POLLING_PACKET: *out is the next one. POLLING_WRONG: *wrong says why (a static text); the packets
 * before it were good, and no more will be read.
 */
enum polling_step polling_payload_next(struct polling_payload *p, struct packet *out,
                                       const char **wrong);
void polling_payload_close(struct polling_payload *p);

/* The packet of a binary message in a payload: its length, and the bytes, without a 0 at the end.
 */
size_t polling_payload_binary_len(size_t len);
void polling_payload_binary(char *out, const void *data, size_t len);

#endif
