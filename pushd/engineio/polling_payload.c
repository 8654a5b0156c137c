/* polling_payload: see polling_payload.h. */
#include "engineio/polling_payload.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/utf8.h"

enum { SEPARATOR = 0x1e };

static void open_bytes(struct polling_payload *p, const char *text, size_t len, bool single)
{
    *p = (struct polling_payload){.at = text ? text : "", .single = single};
    p->end = p->at + len;
}

void polling_payload_open(struct polling_payload *p, const char *body, size_t len)
{
    open_bytes(p, body, len, false);
}

void polling_payload_open_frame(struct polling_payload *p, const char *text, size_t len)
{
    open_bytes(p, text, len, true);
}

void polling_payload_close(struct polling_payload *p)
{
    free(p->bytes);
    *p = (struct polling_payload){.at = NULL};
}

static const char *read_binary(struct polling_payload *p, const char *text, size_t len,
                               struct packet *out)
{
    size_t digits = len, n;
    while (digits > 0 && len - digits < 2 && text[digits - 1] == '=')
        digits--;
    /* Large enough for the packets that follow, too. */
    if (!p->bytes)
        p->bytes = must(malloc(BASE64_BYTES((size_t)(p->end - text))));
    if (!base64_decode(BASE64, text, digits, p->bytes, &n))
        return "binary message is not base64";
    if (len % 4)
        return "binary message is not padded as base64";
    *out = (struct packet){PACKET_MESSAGE, true, p->bytes, n};
    return NULL;
}

static const char *read_packet(struct polling_payload *p, const char *text, size_t len,
                               struct packet *out)
{
    if (len == 0)
        return "empty packet";
    if (*text == 'b')
        return read_binary(p, text + 1, len - 1, out);
    if (*text < '0' || *text > '6')
        return "unknown packet type of Engine.IO";
    /* WebSocket frames were checked when they were read. */
    if (!p->single && !utf8_valid(text + 1, len - 1))
        return "text is not UTF-8";
    *out = (struct packet){(enum packet_type)(*text - '0'), false, text + 1, len - 1};
    return NULL;
}

enum polling_step polling_payload_next(struct polling_payload *p, struct packet *out,
                                       const char **wrong)
{
    const char *at = p->at;
    if (!at)
        return POLLING_END;
    size_t left = (size_t)(p->end - at);
    const char *stop = p->single ? NULL : memchr(at, SEPARATOR, left);
    *wrong = read_packet(p, at, stop ? (size_t)(stop - at) : left, out);
    p->at = stop && !*wrong ? stop + 1 : NULL;
    return *wrong ? POLLING_WRONG : POLLING_PACKET;
}

size_t polling_payload_binary_len(size_t len)
{
    return 1 + BASE64_LEN(len);
}

void polling_payload_binary(char *out, const void *data, size_t len)
{
    *out = 'b';
    base64_encode(BASE64, data, len, out + 1);
}
