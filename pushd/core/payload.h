/*
 * payload: the packets in what a client sends over Engine.IO (version 4).
 *
 * The body of a POST is a payload: packets joined by 0x1e. A WebSocket text frame is one packet,
 * whatever it holds. A packet is a digit, its type, and data; or a 'b' and the standard, padded
 * base64 of a binary message. A payload is read packet by packet, and nothing is copied but what
 * was base64.
 */
#ifndef PUSHD_PAYLOAD_H
#define PUSHD_PAYLOAD_H

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

struct payload {
    const char *at, *end; /* at is NULL after the last */
    bool single;
    char *bytes; /* of the binary packets, one after the other; made for the first */
};

enum payload_step { PAYLOAD_PACKET, PAYLOAD_END, PAYLOAD_WRONG };

/* The body of a POST; an empty one holds one packet, the empty one, which is wrong. */
void payload_open(struct payload *p, const char *body, size_t len);
/* A WebSocket text frame. */
void payload_open_frame(struct payload *p, const char *text, size_t len);
/*
 * PAYLOAD_PACKET: *out is the next one. PAYLOAD_WRONG: *wrong says why (a static text); the packets
 * before it were good, and no more will be read.
 */
enum payload_step payload_next(struct payload *p, struct packet *out, const char **wrong);
void payload_close(struct payload *p);

/* The packet of a binary message in a payload: its length, and the bytes, without a 0 at the end.
 */
size_t payload_binary_len(size_t len);
void payload_binary(char *out, const void *data, size_t len);

#endif
