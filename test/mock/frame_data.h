/* frame_data: what a frame holds, without its header: the packet, or the bytes of the binary
 * message. */
#ifndef TEST_FRAME_DATA_H
#define TEST_FRAME_DATA_H

#include "engineio/frame.h"

static inline const void *frame_data(const struct frame *f, size_t *len)
{
    const char *ws = frame_ws(f, len);
    *len -= f->header;
    return ws + f->header;
}

#endif
