/*
 * sio_pack: makes the Socket.IO packets that are sent; see sio.h.
 */
#include "socketio/sio.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "4<type>[<attachments>-][<nsp>,][<ack>]" */
enum { HEAD_MAX = 2 + 11 + SIO_NSP_MAX + 1 + SIO_ACK_DIGITS + 1 };

static struct frame_part head(char *out, enum sio_type type, unsigned attachments, const char *nsp,
                              const char *ack)
{
    char count[12] = "";
    bool root = strcmp(nsp, "/") == 0;
    if (attachments) {
        type = type == SIO_EVENT ? SIO_BINARY_EVENT : SIO_BINARY_ACK;
        snprintf(count, sizeof count, "%u-", attachments);
    }
    int n = snprintf(out, HEAD_MAX, "4%d%s%s%s%s", (int)type, count, root ? "" : nsp,
                     root ? "" : ",", ack);
    if (n < 0 || n >= HEAD_MAX)
        abort(); /* names and ids are checked at their source */
    return (struct frame_part){out, (size_t)n};
}

static struct frame_part text(const char *s)
{
    return (struct frame_part){s, strlen(s)};
}

struct frame *sio_pack_connect(const char *nsp, const char *sid, const char *pid)
{
    char h[HEAD_MAX];
    struct frame_part parts[] = {
        head(h, SIO_CONNECT, 0, nsp, ""), text("{\"sid\":\""),  text(sid),
        text(pid ? "\",\"pid\":\"" : ""), text(pid ? pid : ""), text("\"}")};
    return frame_new(sizeof parts / sizeof *parts, parts);
}

struct frame *sio_pack_connect_error(const char *nsp, const char *message, const char *data)
{
    char h[HEAD_MAX];
    json_t *value = json_string(message);
    char *quoted = json_dumps(value, JSON_ENCODE_ANY);
    struct frame_part parts[] = {
        head(h, SIO_CONNECT_ERROR, 0, nsp, ""),
        text("{\"message\":"),
        text(quoted ? quoted : "\"\""), /* it was not UTF-8, or memory is exhausted */
        text(data ? ",\"data\":" : ""),
        text(data ? data : ""),
        text("}"),
    };
    struct frame *f = frame_new(sizeof parts / sizeof *parts, parts);
    json_decref(value);
    free(quoted);
    return f;
}

static struct frame *pack(enum sio_type type, const char *nsp, const char *ack, const char *json,
                          size_t len, unsigned attachments)
{
    char h[HEAD_MAX];
    struct frame_part parts[] = {head(h, type, attachments, nsp, ack), {json, len}};
    return frame_new(2, parts);
}

struct frame *sio_pack_event(const char *nsp, const char *ack, const char *payload, size_t len,
                             unsigned attachments)
{
    return pack(SIO_EVENT, nsp, ack, payload, len, attachments);
}

struct frame *sio_pack_event_at(const char *nsp, const char *payload, size_t len,
                                const char *offset)
{
    char h[HEAD_MAX];
    struct frame_part parts[] = {
        head(h, SIO_EVENT, 0, nsp, ""), {payload, len - 1}, text(",\""), text(offset), text("\"]")};
    return frame_new(sizeof parts / sizeof *parts, parts);
}

struct frame *sio_pack_ack(const char *nsp, const char *ack, const char *args, size_t len,
                           unsigned attachments)
{
    return pack(SIO_ACK, nsp, ack, args, len, attachments);
}
