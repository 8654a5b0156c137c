/*
 * Payloads of Engine.IO, by the first byte of the input:
 *   p, w   the body of a POST, or a WebSocket text frame: the packets are those that another
 *          splitting finds, and joined again they are the same bytes
 *   f      a message as a frame, its size in the next two bytes and one more: both of its forms,
 * for polling and for WebSocket, give the message back
 */
#include <stdlib.h>
#include <string.h>

#include "engineio/polling_payload.h"
#include "frame_data.h"
#include "fuzz.h"

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

struct bytes {
    char *at;
    size_t len;
};

static void append(struct bytes *b, const char *data, size_t len)
{
    b->at = realloc(b->at, b->len + len + 1);
    if (len)
        memcpy(b->at + b->len, data, len);
    b->len += len;
}

/* Standard base64 with its padding, bit by bit; false if it is none. */
static bool decode(const char *text, size_t len, struct bytes *out)
{
    size_t n = len;
    unsigned bits = 0, held = 0;
    while (n > 0 && text[n - 1] == '=')
        n--;
    if (len % 4 != 0 || len - n > 2)
        return false;
    for (size_t i = 0; i < n; i++) {
        const char *digit = text[i] ? strchr(DIGITS, text[i]) : NULL;
        if (!digit)
            return false;
        bits = bits << 6 | (unsigned)(digit - DIGITS);
        held += 6;
        if (held >= 8) {
            char byte = (char)(bits >> (held -= 8));
            append(out, &byte, 1);
        }
    }
    return true;
}

static bool is_utf8(const char *text, size_t len)
{
    const uint8_t *p = (const uint8_t *)text, *end = p + len;
    for (size_t n; p < end; p += n)
        if ((n = utf8_character(p, end)) == 0)
            return false;
    return true;
}

/* One packet by its text; false if it is wrong. A single one is a frame: its UTF-8 is known. */
static bool check_packet(const struct packet *p, const char *text, size_t len, bool single)
{
    struct bytes message = {NULL, 0};
    bool good = len > 0 && text[0] >= '0' && text[0] <= '6' && (single || is_utf8(text, len));
    if (len > 0 && text[0] == 'b') {
        good = decode(text + 1, len - 1, &message);
        expect(!p || !good ||
                   (p->binary && p->type == PACKET_MESSAGE && p->len == message.len &&
                    (!p->len || memcmp(p->data, message.at, p->len) == 0)),
               "expected the binary message of %.*s", (int)len, text);
    } else if (p && good) {
        expect(!p->binary && (int)p->type == text[0] - '0' && p->len == len - 1 &&
                   memcmp(p->data, text + 1, p->len) == 0,
               "expected the packet %.*s", (int)len, text);
    }
    free(message.at);
    return good;
}

static void put_packet(struct bytes *out, const struct packet *p)
{
    char type = (char)('0' + p->type);
    if (!p->binary) {
        append(out, &type, 1);
        append(out, p->data, p->len);
        return;
    }
    size_t len = polling_payload_binary_len(p->len);
    char *text = malloc(len); /* of its own, so that one byte too many is seen */
    polling_payload_binary(text, p->data, p->len);
    append(out, text, len);
    free(text);
}

/* The same packets, whatever the spelling of their base64. */
static void check_joined(const struct bytes *joined, const char *body, size_t len, bool whole)
{
    struct polling_payload a, b;
    struct packet p, q;
    const char *wrong;
    polling_payload_open(&a, body, len);
    polling_payload_open(&b, joined->at, joined->len);
    while (polling_payload_next(&b, &q, &wrong) == POLLING_PACKET) {
        expect(polling_payload_next(&a, &p, &wrong) == POLLING_PACKET, "expected another packet");
        expect(p.type == q.type && p.binary == q.binary && p.len == q.len &&
                   memcmp(p.data, q.data, p.len) == 0,
               "expected the same packet once it is joined");
    }
    expect(polling_payload_next(&b, &q, &wrong) == POLLING_END,
           "expected what was joined to be good");
    expect(!whole || polling_payload_next(&a, &p, &wrong) == POLLING_END,
           "expected no more packets");
    polling_payload_close(&a);
    polling_payload_close(&b);
}

static void check_payload(const char *body, size_t len, bool single)
{
    struct polling_payload payload;
    struct packet p;
    struct bytes joined = {NULL, 0};
    const char *at = body, *end = body + len, *wrong = NULL;
    bool good = true;
    if (single)
        polling_payload_open_frame(&payload, body, len);
    else
        polling_payload_open(&payload, body, len);
    while (at && good) {
        const char *stop = single ? NULL : memchr(at, 0x1e, (size_t)(end - at));
        size_t n = (size_t)((stop ? stop : end) - at);
        enum polling_step step = polling_payload_next(&payload, &p, &wrong);
        good = check_packet(step == POLLING_PACKET ? &p : NULL, at, n, single);
        expect(step == (good ? POLLING_PACKET : POLLING_WRONG) && (good || wrong),
               "%.*s: expected the other answer than %d", (int)n, at, (int)step);
        if (good) {
            append(&joined, "\x1e", joined.at != NULL);
            put_packet(&joined, &p);
        }
        at = stop ? stop + 1 : NULL;
    }
    expect(polling_payload_next(&payload, &p, &wrong) == POLLING_END, "expected the end");
    if (!single && joined.at)
        check_joined(&joined, body, len, good);
    polling_payload_close(&payload);
    free(joined.at);
}

/* RFC 6455, 5.2: an unmasked, final frame. */
static void check_ws(const struct frame *f, bool binary, const struct bytes *message)
{
    size_t len, n, head = 2;
    const unsigned char *at = frame_ws(f, &len);
    expect(len >= 2 && at[0] == (binary ? 0x82 : 0x81) && !(at[1] & 0x80), "expected a header");
    n = at[1];
    if (n >= 126) {
        head = n == 126 ? 4 : 10;
        n = 0;
        for (size_t i = 2; i < head; i++)
            n = n << 8 | at[i];
        expect(head == 4 ? n >= 126 : n > 0xffff, "expected the shortest form of %zu", n);
    }
    expect(n == message->len && len == head + n && memcmp(at + head, message->at, n) == 0,
           "expected the message of %zu bytes, found %zu", message->len, n);
}

static void check_frame(struct input *in)
{
    size_t size = take_number(in) + take_byte(in);
    struct bytes message = {NULL, 0};
    message.at = malloc(size + 1);
    while (in->left && message.len < size) {
        size_t n = message.len ? message.len : in->left; /* what is there once more */
        n = n < size - message.len ? n : size - message.len;
        memcpy(message.at + message.len, message.len ? message.at : (const char *)in->at, n);
        message.len += n;
    }
    for (int binary = 0; binary < 2; binary++) {
        struct frame *f = binary ? frame_new_binary(message.at, message.len)
                                 : frame_new(1, &(struct frame_part){message.at, message.len});
        size_t len, again;
        struct polling_payload payload;
        struct packet p;
        const char *text = frame_text(f, &len), *wrong;
        expect(f->len == len && frame_text(f, &again) == text, "expected one form of it");
        check_ws(f, binary, &message);
        if (binary) {
            polling_payload_open(&payload, text, len);
            expect(polling_payload_next(&payload, &p, &wrong) == POLLING_PACKET && p.binary &&
                       p.len == message.len && memcmp(p.data, message.at, p.len) == 0,
                   "expected the message back");
            polling_payload_close(&payload);
        }
        const char *data = frame_data(frame_ref(f), &again);
        expect(again == message.len && memcmp(data, message.at, again) == 0, "expected its data");
        frame_unref(f);
        frame_unref(f);
    }
    free(message.at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint8_t what = take_byte(&in);
    if (what == 'f')
        check_frame(&in);
    else if (what == 'p' || what == 'w')
        check_payload((const char *)in.at, in.left, what == 'w');
    else
        return -1;
    return 0;
}
