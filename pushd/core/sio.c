/* sio: see sio.h. */
#include "sio.h"

#include <string.h>

bool sio_reserved(const char *event)
{
    static const char *const names[] = {"connect",       "connect_error", "disconnect",
                                        "disconnecting", "newListener",   "removeListener"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(event, names[i]) == 0)
            return true;
    return false;
}

/* The namespace runs to the comma, or to the end of the packet if there is none. */
static const char *parse_nsp(const char **p, const char *end, char *nsp)
{
    if (*p == end || **p != '/') {
        strcpy(nsp, "/");
        return NULL;
    }
    const char *comma = memchr(*p, ',', (size_t)(end - *p));
    const char *stop = comma ? comma : end;
    size_t len = (size_t)(stop - *p);
    if (len > SIO_NSP_MAX)
        return "namespace too long";
    memcpy(nsp, *p, len);
    nsp[len] = '\0';
    if (strlen(nsp) != len)
        return "namespace holds a zero byte";
    *p = comma ? comma + 1 : end;
    return NULL;
}

static const char *parse_ack(const char **p, const char *end, char *ack)
{
    size_t n = 0;
    for (; *p < end && **p >= '0' && **p <= '9'; (*p)++) {
        if (n == SIO_ACK_DIGITS)
            return "ack id too long";
        ack[n++] = **p;
    }
    ack[n] = '\0';
    return NULL;
}

/* jansson recurses on nesting; a shallow look first keeps a hostile packet from using the stack. */
static bool too_deep(const char *p, const char *end)
{
    int depth = 0;
    bool in_string = false;
    for (; p < end; p++) {
        if (in_string && *p == '\\')
            p++;
        else if (*p == '"')
            in_string = !in_string;
        else if (!in_string && (*p == '[' || *p == '{') && ++depth > SIO_JSON_DEPTH)
            return true;
        else if (!in_string && (*p == ']' || *p == '}'))
            depth--;
    }
    return false;
}

static const char *check_data(const struct sio_packet *p)
{
    const json_t *d = p->data;
    switch (p->type) {
    case SIO_CONNECT:
        return d && !json_is_object(d) ? "CONNECT needs an object or nothing" : NULL;
    case SIO_DISCONNECT:
        return d ? "DISCONNECT takes no payload" : NULL;
    case SIO_EVENT:
        if (!d)
            return NULL;
        if (!json_is_array(d) || json_array_size(d) == 0)
            return "EVENT needs an array with a name";
        const json_t *name = json_array_get(d, 0);
        if (json_is_string(name))
            return sio_reserved(json_string_value(name)) ? "EVENT has a reserved name" : NULL;
        return json_is_number(name) ? NULL : "EVENT needs a string or a number as its name";
    case SIO_ACK:
        return json_is_array(d) ? NULL : "ACK needs an array";
    default:
        return "packet type not accepted from a client";
    }
}

const char *sio_parse(const char *text, size_t len, struct sio_packet *p)
{
    const char *at = text, *end = text + len, *wrong;
    p->data = NULL;
    if (len == 0 || *at < '0' || *at > '6')
        return "unknown packet type";
    p->type = (enum sio_type)(*at++ - '0');
    if (p->type == SIO_BINARY_EVENT || p->type == SIO_BINARY_ACK)
        return "binary packets are not supported";
    if ((wrong = parse_nsp(&at, end, p->nsp)) || (wrong = parse_ack(&at, end, p->ack)))
        return wrong;
    if (at < end) {
        if (too_deep(at, end))
            return "JSON nested too deep";
        p->data = json_loadb(at, (size_t)(end - at), JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        if (!p->data)
            return "payload is not JSON";
    }
    if ((wrong = check_data(p)) != NULL) {
        json_decref(p->data);
        p->data = NULL;
    }
    return wrong;
}

/* "4<type>[<nsp>,]" */
static struct frame_part head(char *out, enum sio_type type, const char *nsp)
{
    size_t n = 0;
    out[n++] = '4';
    out[n++] = (char)('0' + type);
    if (strcmp(nsp, "/") != 0) {
        size_t len = strlen(nsp);
        memcpy(out + n, nsp, len);
        n += len;
        out[n++] = ',';
    }
    return (struct frame_part){out, n};
}

static struct frame_part text(const char *s)
{
    return (struct frame_part){s, strlen(s)};
}

struct frame *sio_connect(const char *nsp, const char *sid)
{
    char h[SIO_NSP_MAX + 4];
    struct frame_part parts[] = {head(h, SIO_CONNECT, nsp), text("{\"sid\":\""), text(sid),
                                 text("\"}")};
    return frame_new(4, parts);
}

struct frame *sio_connect_error(const char *nsp, const char *message)
{
    char h[SIO_NSP_MAX + 4];
    struct frame_part parts[] = {head(h, SIO_CONNECT_ERROR, nsp), text("{\"message\":\""),
                                 text(message), text("\"}")};
    return frame_new(4, parts);
}

struct frame *sio_event(const char *nsp, const char *payload, size_t len)
{
    char h[SIO_NSP_MAX + 4];
    struct frame_part parts[] = {head(h, SIO_EVENT, nsp), {payload, len}};
    return frame_new(2, parts);
}

struct frame *sio_ack(const char *nsp, const char *ack)
{
    char h[SIO_NSP_MAX + 4];
    struct frame_part parts[] = {head(h, SIO_ACK, nsp), text(ack), text("[]")};
    return frame_new(3, parts);
}
