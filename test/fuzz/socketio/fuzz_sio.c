/*
 * Socket.IO packets and their attachments, as a session gets them. The first byte sets the limits,
 * then each line is a message: "t..." text, "b..." binary. A decoder must say what a count of the
 * attachments says; whole packets keep the limits; and sent again, over a payload, they arrive as
 * the same.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "engineio/polling_payload.h"
#include "frame_data.h"
#include "fuzz.h"
#include "socketio/sio_decoder.h"

enum { BYTES_MAX = 300, ATTACHMENTS_MAX = 11 };

/* What is being put together, by counting. */
struct expected {
    struct sio_packet head; /* read by itself */
    struct {
        const uint8_t *data;
        size_t len;
    } attached[ATTACHMENTS_MAX];
    unsigned come;
    size_t bytes;
    bool awaiting;
};

static unsigned depth_of(const json_t *v)
{
    unsigned deepest = 0, d;
    size_t i;
    const char *key;
    json_t *part;
    json_array_foreach (v, i, part)
        deepest = (d = depth_of(part)) > deepest ? d : deepest;
    json_object_foreach ((json_t *)v, key, part)
        deepest = (d = depth_of(part)) > deepest ? d : deepest;
    return deepest + (json_is_array(v) || json_is_object(v));
}

/* Names that Socket.IO keeps for itself. */
static bool is_reserved(const json_t *name)
{
    static const char *const names[] = {"connect",       "connect_error", "disconnect",
                                        "disconnecting", "newListener",   "removeListener"};
    bool found = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        found |= json_string_length(name) == strlen(names[i]) &&
                 strcmp(json_string_value(name), names[i]) == 0;
    return found;
}

/* Every placeholder is of an attachment that there is. */
static bool placed(const json_t *v, unsigned attachments)
{
    const json_t *num = json_object_get(v, "num");
    bool good = true;
    size_t i;
    const char *key;
    json_t *part;
    if (json_is_true(json_object_get(v, "_placeholder"))) {
        for (i = 0; i < attachments; i++)
            if (json_number_value(num) == (double)i)
                return json_is_number(num);
        return false;
    }
    json_array_foreach (v, i, part)
        good &= placed(part, attachments);
    json_object_foreach ((json_t *)v, key, part)
        good &= placed(part, attachments);
    return good;
}

static void check_limits(const struct sio_packet *p, const struct sio_limits *l)
{
    expect(p->type == SIO_CONNECT || p->type == SIO_DISCONNECT || p->type == SIO_EVENT ||
               p->type == SIO_ACK,
           "type %d is none of a client", (int)p->type);
    expect(p->attachments <= l->attachments && p->bytes <= l->bytes &&
               depth_of(p->data) <= l->depth,
           "expected the limits kept: %u attachments, %zu bytes, depth %u", p->attachments,
           p->bytes, depth_of(p->data));
    expect(p->nsp[0] == '/' && strlen(p->nsp) <= SIO_NSP_MAX && !strchr(p->nsp, ','),
           "expected a namespace, found %s", p->nsp);
    expect(strspn(p->ack, "0123456789") == strlen(p->ack) && strlen(p->ack) <= SIO_ACK_DIGITS,
           "expected digits, found %s", p->ack);
    const json_t *name = json_array_get(p->data, 0);
    expect(p->type != SIO_EVENT || !p->data || json_is_number(name) ||
               (json_is_string(name) && !is_reserved(name)),
           "expected the name of an event");
    expect(!p->attachments || placed(p->data, p->attachments), "expected %u attachments at most",
           p->attachments);
    expect(p->type != SIO_ACK || json_is_array(p->data), "expected an array in an ACK");
}

static bool same(const struct sio_packet *a, const struct sio_packet *b)
{
    return a->type == b->type && strcmp(a->nsp, b->nsp) == 0 && strcmp(a->ack, b->ack) == 0 &&
           a->attachments == b->attachments && (a->data == NULL) == (b->data == NULL) &&
           (!a->data || json_equal(a->data, b->data));
}

static void check_attached(const struct sio_packet *p, const struct expected *e)
{
    expect((p->attached != NULL) == (p->attachments > 0) && p->attachments == e->come,
           "expected %u attachments, found %u", e->come, p->attachments);
    for (unsigned i = 0; i < e->come; i++) {
        size_t len;
        const void *data = frame_data(p->attached[i], &len);
        expect(len == e->attached[i].len && (!len || memcmp(data, e->attached[i].data, len) == 0),
               "expected attachment %u as it came", i);
    }
}

static void put(char **out, size_t *len, struct frame *f)
{
    size_t n;
    const void *text = frame_text(f, &n);
    *out = realloc(*out, *len + n + 1);
    if (*len)
        (*out)[(*len)++] = 0x1e;
    memcpy(*out + *len, text, n);
    *len += n;
}

/* All of the packet as one payload. */
static char *sent(const struct sio_packet *p, size_t *len)
{
    char *out = NULL, *json = p->data ? json_dumps(p->data, JSON_COMPACT) : strdup("");
    struct frame *f = p->type == SIO_EVENT
                          ? sio_pack_event(p->nsp, p->ack, json, strlen(json), p->attachments)
                          : sio_pack_ack(p->nsp, p->ack, json, strlen(json), p->attachments);
    *len = 0;
    put(&out, len, f);
    for (unsigned i = 0; i < p->attachments; i++)
        put(&out, len, p->attached[i]);
    frame_unref(f);
    free(json);
    return out;
}

static void check_way_back(const struct sio_packet *p, const struct expected *e)
{
    static const struct sio_limits wide = {ATTACHMENTS_MAX, 256, 1 << 20};
    struct sio_decoder d = {NULL};
    struct sio_packet again;
    struct polling_payload payload;
    struct packet packet;
    size_t len;
    const char *wrong = NULL;
    char *text = sent(p, &len);
    enum sio_step step = SIO_NEED_MORE;
    polling_payload_open(&payload, text, len);
    while (polling_payload_next(&payload, &packet, &wrong) == POLLING_PACKET) {
        expect(step == SIO_NEED_MORE && packet.type == PACKET_MESSAGE, "expected a message");
        step = packet.binary ? sio_decode_binary(&d, &wide, packet.data, packet.len, &again, &wrong)
                             : sio_decode_text(&d, &wide, packet.data, packet.len, &again, &wrong);
    }
    expect(step == SIO_PACKET && same(p, &again), "%.*s: expected the same packet, found %s",
           (int)len, text, wrong ? wrong : "another");
    check_attached(&again, e);
    sio_clear(&again);
    polling_payload_close(&payload);
    free(text);
}

static void check_whole(struct sio_packet *p, struct expected *e, const struct sio_limits *l)
{
    check_limits(p, l);
    expect(same(p, &e->head) && p->bytes == e->bytes, "expected the packet that was read alone");
    check_attached(p, e);
    if (p->type == SIO_EVENT || p->type == SIO_ACK)
        check_way_back(p, e);
    sio_clear(p);
    sio_clear(&e->head);
    e->awaiting = false;
}

static enum sio_step expect_text(struct expected *e, const struct sio_limits *l, const char *text,
                                 size_t len)
{
    if (e->awaiting) {
        sio_clear(&e->head);
        e->awaiting = false;
        return SIO_WRONG;
    }
    if (sio_read(text, len, l, &e->head))
        return SIO_WRONG;
    e->come = 0;
    e->bytes = len;
    e->awaiting = e->head.attachments > 0;
    expect(!e->head.attached, "expected no attachments yet");
    return e->awaiting ? SIO_NEED_MORE : SIO_PACKET;
}

static enum sio_step expect_binary(struct expected *e, const struct sio_limits *l,
                                   const uint8_t *data, size_t len)
{
    if (!e->awaiting)
        return SIO_WRONG;
    if (e->bytes + len > l->bytes) {
        sio_clear(&e->head);
        e->awaiting = false;
        return SIO_WRONG;
    }
    e->attached[e->come].data = data;
    e->attached[e->come++].len = len;
    e->bytes += len;
    return e->come < e->head.attachments ? SIO_NEED_MORE : SIO_PACKET;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint8_t limits = take_byte(&in);
    const struct sio_limits l = {limits % (ATTACHMENTS_MAX + 1), 2 + limits / 16, BYTES_MAX};
    struct sio_decoder d = {NULL};
    struct expected e = {.awaiting = false};
    struct sio_packet p;
    const uint8_t *line;
    size_t len;
    while (take_line(&in, &line, &len)) {
        const char *wrong = NULL;
        bool binary = len && *line == 'b';
        line += len > 0;
        len -= len > 0;
        enum sio_step expected = binary ? expect_binary(&e, &l, line, len)
                                        : expect_text(&e, &l, (const char *)line, len);
        enum sio_step step = binary ? sio_decode_binary(&d, &l, line, len, &p, &wrong)
                                    : sio_decode_text(&d, &l, (const char *)line, len, &p, &wrong);
        expect(step == expected, "expected step %d, found %d: %s", (int)expected, (int)step,
               wrong ? wrong : "-");
        expect((d.awaiting != NULL) == (step == SIO_NEED_MORE) &&
                   (step == SIO_WRONG) == (wrong != NULL),
               "expected the decoder to wait only if more is needed, and a reason");
        if (step == SIO_PACKET)
            check_whole(&p, &e, &l);
    }
    if (e.awaiting)
        sio_clear(&e.head);
    sio_decoder_clear(&d);
    return 0;
}
