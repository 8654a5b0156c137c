/* polling_payload: see polling_payload.h. */
#include "engineio/polling_payload.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"

enum { SEPARATOR = 0x1e };

/* EVP's blocks are counted in int: long data goes in runs of whole groups. */
enum { RUN_GROUPS = 1 << 20 };

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

static bool in_alphabet(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

/* EVP_DecodeBlock() trims blanks and takes '=' anywhere, so the form is checked before. */
static const char *check_base64(const char *text, size_t len, size_t *padding)
{
    size_t digits = len;
    while (digits > 0 && len - digits < 2 && text[digits - 1] == '=')
        digits--;
    *padding = len - digits;
    for (size_t i = 0; i < digits; i++)
        if (!in_alphabet((unsigned char)text[i]))
            return "binary message is not base64";
    return len % 4 ? "binary message is not padded as base64" : NULL;
}

static void decode_base64(char *out, const char *text, size_t len)
{
    for (size_t at = 0; at < len; at += (size_t)4 * RUN_GROUPS) {
        size_t run = len - at < (size_t)4 * RUN_GROUPS ? len - at : (size_t)4 * RUN_GROUPS;
        EVP_DecodeBlock((unsigned char *)out + at / 4 * 3, (const unsigned char *)text + at,
                        (int)run);
    }
}

static const char *read_binary(struct polling_payload *p, const char *text, size_t len,
                               struct packet *out)
{
    size_t padding;
    const char *wrong = check_base64(text, len, &padding);
    if (wrong)
        return wrong;
    /* Enough for every packet that may follow, too. */
    if (!p->bytes)
        p->bytes = must(malloc((size_t)(p->end - text) / 4 * 3 + 1));
    decode_base64(p->bytes, text, len);
    *out = (struct packet){PACKET_MESSAGE, true, p->bytes, len / 4 * 3 - padding};
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
    /* That a frame is UTF-8 was seen to where frames are read. */
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
    return 1 + (len + 2) / 3 * 4;
}

void polling_payload_binary(char *out, const void *data, size_t len)
{
    /* EVP_EncodeBlock() ends with a 0, for which out has no room. */
    unsigned char last[5];
    const unsigned char *in = data;
    size_t whole = len ? (len - 1) / 3 * 3 : 0;
    *out++ = 'b';
    for (size_t at = 0; at < whole; at += (size_t)3 * RUN_GROUPS) {
        size_t run = whole - at < (size_t)3 * RUN_GROUPS ? whole - at : (size_t)3 * RUN_GROUPS;
        EVP_EncodeBlock((unsigned char *)out + at / 3 * 4, in + at, (int)run);
    }
    if (len) {
        EVP_EncodeBlock(last, in + whole, (int)(len - whole));
        memcpy(out + whole / 3 * 4, last, 4);
    }
}
