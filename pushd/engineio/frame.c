/* frame: see frame.h. */
#include "engineio/frame.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engineio/polling_payload.h"

enum { HEADER_ROOM = 10, FINAL_TEXT = 0x81, FINAL_BINARY = 0x82 };

static unsigned char write_header(unsigned char *end, unsigned char opcode, size_t len)
{
    if (len < 126) {
        end[-2] = opcode;
        end[-1] = (unsigned char)len;
        return 2;
    }
    unsigned extended = len < 65536 ? 2 : 8;
    for (unsigned i = 0; i < extended; i++)
        end[-1 - (int)i] = (unsigned char)(len >> (8 * i));
    end[-1 - (int)extended] = extended == 2 ? 126 : 127;
    end[-2 - (int)extended] = opcode;
    return (unsigned char)(2 + extended);
}

static struct frame *join(size_t n, const struct frame_part *parts, bool binary)
{
    size_t size = 0;
    for (size_t i = 0; i < n; i++)
        size += parts[i].len;
    struct frame *f = must(malloc(sizeof *f + HEADER_ROOM + size));
    unsigned char *p = f->bytes + HEADER_ROOM;
    *f = (struct frame){.refs = 1,
                        .header = write_header(p, binary ? FINAL_BINARY : FINAL_TEXT, size),
                        .binary = binary,
                        .len = binary ? polling_payload_binary_len(size) : size,
                        .size = size};
    for (size_t i = 0; i < n; i++) {
        if (parts[i].len)
            memcpy(p, parts[i].data, parts[i].len);
        p += parts[i].len;
    }
    return f;
}

struct frame *frame_new(size_t n, const struct frame_part *parts)
{
    return join(n, parts, false);
}

struct frame *frame_new_binary(const void *data, size_t len)
{
    return join(1, &(struct frame_part){data, len}, true);
}

struct frame *frame_ref(struct frame *f)
{
    f->refs++;
    return f;
}

void frame_unref(struct frame *f)
{
    if (f && --f->refs == 0) {
        free(f->text);
        free(f);
    }
}

const void *frame_text(struct frame *f, size_t *len)
{
    *len = f->len;
    if (!f->binary)
        return f->bytes + HEADER_ROOM;
    if (!f->text) {
        f->text = must(malloc(f->len));
        polling_payload_binary(f->text, f->bytes + HEADER_ROOM, f->size);
    }
    return f->text;
}

const void *frame_ws(const struct frame *f, size_t *len)
{
    *len = f->size + f->header;
    return f->bytes + HEADER_ROOM - f->header;
}
