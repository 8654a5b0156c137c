/*
 * frame: one Engine.IO packet in a shared buffer, ready for either transport.
 *
 * The bytes of the packet (text, without 0x1e) are preceded by room for a WebSocket header, so the
 * same buffer is sent as a WebSocket text frame (frame_ws) or as a part of a polling payload
 * (frame_text). It is never written to once made, and counted by reference: frame_unref() of the
 * last one frees it.
 */
#ifndef PUSHD_FRAME_H
#define PUSHD_FRAME_H

#include <stddef.h>

struct frame {
    unsigned refs;
    unsigned char header; /* bytes of WebSocket header, at the end of the room for it */
    size_t len;           /* of the packet */
    unsigned char bytes[];
};

struct frame_part {
    const void *data;
    size_t len;
};

/* A packet of the n parts joined; the caller holds the one reference. */
struct frame *frame_new(size_t n, const struct frame_part *parts);
struct frame *frame_ref(struct frame *f);
void frame_unref(struct frame *f);

const void *frame_text(const struct frame *f, size_t *len);
/* With the header of an unmasked, final WebSocket text frame (RFC 6455, 5.2). */
const void *frame_ws(const struct frame *f, size_t *len);

#endif
