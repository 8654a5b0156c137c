/*
 * frame: one Engine.IO packet in a shared buffer, for WebSocket and polling.
 *
 * The packet has room for a WebSocket header before it. So the same buffer is sent as a WebSocket
 * frame (frame_ws) or, for text, within a polling payload (frame_text).
 *
 * A binary message (frame_new_binary) has another form in a payload: `b` and base64. That form is
 * made when a polling client first needs it, and kept. Most binary frames need only WebSocket, and
 * one that many clients receive is encoded once. Otherwise a frame never changes.
 *
 * Frames are counted by reference: the last frame_unref() frees the frame.
 */
#ifndef PUSHD_FRAME_H
#define PUSHD_FRAME_H

#include <stdbool.h>
#include <stddef.h>

struct frame {
    unsigned refs;
    unsigned char header; /* bytes of the WebSocket header, at the end of its room */
    bool binary;
    size_t len;  /* in a payload, and so in a queue's bytes */
    size_t size; /* of the data; for text the same as len */
    char *text;  /* the payload form of a binary frame; NULL = not needed yet */
    unsigned char bytes[];
};

struct frame_part {
    const void *data;
    size_t len;
};

/* A text packet of n joined parts (without 0x1e). The caller holds its one reference. */
struct frame *frame_new(size_t n, const struct frame_part *parts);
/* A binary message. */
struct frame *frame_new_binary(const void *data, size_t len);
struct frame *frame_ref(struct frame *f);
void frame_unref(struct frame *f);

/* The form in a payload. len is f->len. */
const void *frame_text(struct frame *f, size_t *len);
/* The form of an unmasked, final WebSocket frame, text or binary (RFC 6455, 5.2). */
const void *frame_ws(const struct frame *f, size_t *len);

#endif
