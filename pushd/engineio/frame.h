/*
 * frame: one Engine.IO packet in a shared buffer, ready for either transport.
 *
 * The bytes of the packet are preceded by room for a WebSocket header, so the same buffer is sent
 * as a WebSocket frame (frame_ws) or, if it is text, as a part of a polling payload (frame_text).
 * A binary message (frame_new_binary) takes another form in a payload, `b` and base64, which is
 * made when a polling client first needs it and kept with the frame: most binary frames go to
 * WebSockets only, and one that is published to many is encoded once. Otherwise a frame is never
 * written to once made. It is counted by reference: frame_unref() of the last one frees it.
 */
#ifndef PUSHD_FRAME_H
#define PUSHD_FRAME_H

#include <stdbool.h>
#include <stddef.h>

struct frame {
    unsigned refs;
    unsigned char header; /* bytes of WebSocket header, at the end of the room for it */
    bool binary;
    size_t len;  /* in a payload, which is what a queue counts */
    size_t size; /* of the data: the same for text */
    char *text;  /* the form of a binary one in a payload, NULL = not needed yet */
    unsigned char bytes[];
};

struct frame_part {
    const void *data;
    size_t len;
};

/* A text packet of the n parts joined (without 0x1e); the caller holds the one reference. */
struct frame *frame_new(size_t n, const struct frame_part *parts);
/* A binary message. */
struct frame *frame_new_binary(const void *data, size_t len);
struct frame *frame_ref(struct frame *f);
void frame_unref(struct frame *f);

/* As it stands in a payload: len is f->len. */
const void *frame_text(struct frame *f, size_t *len);
/* With the header of an unmasked, final WebSocket frame, text or binary (RFC 6455, 5.2). */
const void *frame_ws(const struct frame *f, size_t *len);

#endif
