/* frame: see frame.h. */
#include "frame.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER_ROOM = 10 };

static unsigned char write_header(unsigned char *end, size_t len)
{
    if (len < 126) {
        end[-2] = 0x81;
        end[-1] = (unsigned char)len;
        return 2;
    }
    unsigned extended = len < 65536 ? 2 : 8;
    for (unsigned i = 0; i < extended; i++)
        end[-1 - (int)i] = (unsigned char)(len >> (8 * i));
    end[-1 - (int)extended] = extended == 2 ? 126 : 127;
    end[-2 - (int)extended] = 0x81;
    return (unsigned char)(2 + extended);
}

struct frame *frame_new(size_t n, const struct frame_part *parts)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        len += parts[i].len;
    struct frame *f = malloc(sizeof *f + HEADER_ROOM + len);
    if (!f)
        abort();
    f->refs = 1;
    f->len = len;
    unsigned char *p = f->bytes + HEADER_ROOM;
    f->header = write_header(p, len);
    for (size_t i = 0; i < n; i++) {
        if (parts[i].len)
            memcpy(p, parts[i].data, parts[i].len);
        p += parts[i].len;
    }
    return f;
}

struct frame *frame_ref(struct frame *f)
{
    f->refs++;
    return f;
}

void frame_unref(struct frame *f)
{
    if (f && --f->refs == 0)
        free(f);
}

const void *frame_text(const struct frame *f, size_t *len)
{
    *len = f->len;
    return f->bytes + HEADER_ROOM;
}

const void *frame_ws(const struct frame *f, size_t *len)
{
    *len = f->len + f->header;
    return f->bytes + HEADER_ROOM - f->header;
}
