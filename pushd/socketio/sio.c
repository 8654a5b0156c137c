/* sio: see sio.h. The frames that are sent are in sio_pack.c. */
#include "socketio/sio.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/json_read.h"
#include "base/utf8.h"

const char sio_too_many[] = "too many attachments";
const char sio_too_large[] = "packet too large";

/* Names that Socket.IO reserves. name may contain zero bytes. */
static bool is_reserved(const char *name, size_t len)
{
    static const char *const names[] = {"connect",       "connect_error", "disconnect",
                                        "disconnecting", "newListener",   "removeListener"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == len && memcmp(name, names[i], len) == 0)
            return true;
    return false;
}

static const char *parse_type(const char **p, const char *end, enum sio_type *type)
{
    if (*p == end || **p < '0' || **p > '6')
        return "unknown packet type";
    *type = (enum sio_type)(*(*p)++ - '0');
    return *type == SIO_CONNECT_ERROR ? "CONNECT_ERROR is not accepted from a client" : NULL;
}

/* The count of a binary packet. Its type becomes that of a packet without attachments. */
static const char *parse_attachments(const char **p, const char *end, unsigned most,
                                     struct sio_packet *out)
{
    uint64_t n;
    const char *at = *p;
    if (out->type != SIO_BINARY_EVENT && out->type != SIO_BINARY_ACK)
        return NULL;
    out->type = out->type == SIO_BINARY_EVENT ? SIO_EVENT : SIO_ACK;
    bool fits = decimal_take(&at, end, most, &n);
    if (at == *p)
        return "binary packet without a number of attachments";
    if (at == end || *at != '-')
        return "number of attachments without a '-'";
    if (!fits)
        return sio_too_many;
    if (n == 0)
        return "binary packet with 0 attachments";
    out->attachments = (unsigned)n;
    *p = at + 1;
    return NULL;
}

/* The namespace is sent back within a text, which must be UTF-8. */
static const char *check_nsp(const char *nsp, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)nsp[i] < ' ') /* 0x1e would end the packet */
            return "namespace holds a control character";
    return utf8_valid(nsp, len) ? NULL : "namespace is not UTF-8";
}

/* The namespace ends at the comma, or at the end of the packet if there is none. */
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
    *p = comma ? comma + 1 : end;
    return check_nsp(nsp, len);
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

static const char *check_event(const json_t *d)
{
    /* An event without a payload is legal and has no effect. */
    if (!d)
        return NULL;
    const json_t *name = json_array_get(d, 0); /* NULL if it is not an array, or empty */
    if (!name)
        return "EVENT needs an array with a name";
    if (json_is_string(name))
        return is_reserved(json_string_value(name), json_string_length(name))
                   ? "EVENT has a reserved name"
                   : NULL;
    return json_is_number(name) ? NULL : "EVENT needs a string or a number as its name";
}

static const char *check_data(const struct sio_packet *p)
{
    switch (p->type) {
    case SIO_CONNECT:
        return p->data && !json_is_object(p->data) ? "CONNECT needs an object or nothing" : NULL;
    case SIO_DISCONNECT:
        return p->data ? "DISCONNECT takes no payload" : NULL;
    case SIO_EVENT:
        return check_event(p->data);
    default:
        return json_is_array(p->data) ? NULL : "ACK needs an array";
    }
}

/* Each placeholder names an attachment. Its other keys are ignored. */
static bool placeholders_fit(const json_t *value, unsigned attachments)
{
    size_t i;
    const char *key;
    json_t *part;
    if (json_is_array(value)) {
        json_array_foreach (value, i, part)
            if (!placeholders_fit(part, attachments))
                return false;
        return true;
    }
    if (json_is_true(json_object_get(value, "_placeholder"))) {
        const json_t *num = json_object_get(value, "num");
        double n = json_number_value(num);
        return json_is_number(num) && n >= 0 && n < attachments && n == floor(n);
    }
    json_object_foreach ((json_t *)value, key, part)
        if (!placeholders_fit(part, attachments))
            return false;
    return true;
}

static const char *parse_data(const char *at, const char *end, unsigned depth, struct sio_packet *p)
{
    const char *wrong = NULL;
    if (at < end && !(p->data = json_read(at, (size_t)(end - at), depth, &wrong)))
        return wrong;
    if ((wrong = check_data(p)) != NULL)
        return wrong;
    if (p->attachments && !placeholders_fit(p->data, p->attachments))
        return "placeholder of no attachment";
    return NULL;
}

const char *sio_read(const char *text, size_t len, const struct sio_limits *limits,
                     struct sio_packet *p)
{
    const char *at = text, *end = text + len, *wrong;
    p->data = NULL;
    p->attachments = 0;
    p->attached = NULL;
    p->bytes = len;
    if (len > limits->bytes)
        return sio_too_large;
    if ((wrong = parse_type(&at, end, &p->type)) ||
        (wrong = parse_attachments(&at, end, limits->attachments, p)) ||
        (wrong = parse_nsp(&at, end, p->nsp)) || (wrong = parse_ack(&at, end, p->ack)) ||
        (wrong = parse_data(at, end, limits->depth, p)))
        sio_clear(p);
    return wrong;
}

void sio_clear(struct sio_packet *p)
{
    for (unsigned i = 0; p->attached && i < p->attachments; i++)
        frame_unref(p->attached[i]);
    free(p->attached);
    json_decref(p->data);
    p->attached = NULL;
    p->data = NULL;
}
