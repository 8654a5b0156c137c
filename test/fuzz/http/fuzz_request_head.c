/*
 * Heads of requests as a connection sends them, one behind another with their bodies: what we
 * accept, http-parser accepts with the same method, target, headers and length; in whatever pieces
 * it comes, the answer is the same; and what libwebsockets would get of it is good.
 *
 * An input is a number (two bytes) that says how it is split, then the bytes of the connection.
 */
#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fuzz.h"
#include "http/handshake.h"

/* --- reading --- */

struct reading {
    struct request_head head;
    enum head_step step;
    int status;
    const char *why;
    size_t len;
    char *text; /* of exactly len bytes */
};

static void read_from(struct reading *r, const uint8_t *bytes, size_t len, size_t seen)
{
    *r = (struct reading){.text = malloc(len ? len : 1), .len = len};
    if (!r->text)
        abort();
    memcpy(r->text, bytes, len);
    r->step = request_head_read(&r->head, r->text, len, seen, &r->status, &r->why);
    expect(r->step != HEAD_PART || memcmp(r->text, bytes, len) == 0,
           "expected an incomplete head as it came");
    expect(r->step != HEAD_PART || len < REQUEST_HEAD_MAX, "expected an end of %zu bytes", len);
}

static void check_text(const struct reading *r, unsigned at)
{
    expect(at < r->len && memchr(r->text + at, '\0', r->len - at), "text at %u has no end", at);
    for (const char *p = r->text + at; *p; p++)
        expect((unsigned char)*p >= ' ' || *p == '\t', "found the control character %d", *p);
    expect(!strchr(r->text + at, 0x7f), "found DEL");
}

static void check_reading(const struct reading *r)
{
    static const int statuses[] = {400, 411, 414, 431, 501, 505};
    const struct request_head *h = &r->head;
    for (unsigned i = 0; r->step != HEAD_PART && i < h->n; i++) {
        const char *value = r->text + h->value[i].at;
        check_text(r, h->value[i].at);
        expect(!*value || (!strchr(" \t", *value) && !strchr(" \t", value[strlen(value) - 1])),
               "expected no blanks around %s", value);
    }
    if (r->step == HEAD_WHOLE) {
        check_text(r, h->path);
        check_text(r, h->query);
        expect(h->len <= r->len && h->len <= REQUEST_HEAD_MAX, "%zu bytes", h->len);
        expect(h->length <= INT64_MAX && (h->has_length || h->length == 0), "a bad length");
    } else if (r->step == HEAD_WRONG) {
        bool known = false;
        for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
            known |= r->status == statuses[i];
        expect(known && r->why && *r->why, "status %d", r->status);
    }
}

static void check_same(const struct reading *a, const struct reading *b)
{
    const struct request_head *h = &a->head, *i = &b->head;
    expect(a->step == b->step && a->status == b->status && a->why == b->why,
           "expected the same answer, found %d %d and %d %d", a->step, a->status, b->step,
           b->status);
    if (a->step == HEAD_PART)
        return;
    expect(h->n == i->n, "expected %u values, found %u", h->n, i->n);
    for (unsigned n = 0; n < h->n; n++)
        expect(h->value[n].header == i->value[n].header && h->value[n].at == i->value[n].at &&
                   strcmp(a->text + h->value[n].at, b->text + i->value[n].at) == 0,
               "expected the same value");
    if (a->step != HEAD_WHOLE)
        return;
    expect(h->len == i->len && h->method == i->method && h->bodiless == i->bodiless &&
               h->persistent == i->persistent && h->expects_continue == i->expects_continue &&
               h->version_1_0 == i->version_1_0 && h->length == i->length &&
               strcmp(a->text + h->path, b->text + i->path) == 0 &&
               strcmp(a->text + h->query, b->text + i->query) == 0,
           "expected the same head");
}

/* In pieces, up to the first that gets an answer; what comes behind it changes nothing. */
static void check_pieces(const struct reading *whole, const uint8_t *bytes, size_t len, unsigned by)
{
    bool part = true;
    for (size_t n = 0, seen = 0; n < len && part; seen = n) {
        /* Each is a copy: a long head comes in few. */
        size_t piece = n < 512 ? 1 + by * (n + 1) % 61 : 4096;
        struct reading r;
        n = len - n < piece ? len : n + piece;
        read_from(&r, bytes, n, seen);
        part = r.step == HEAD_PART;
        if (!part || n == len)
            check_same(whole, &r);
        free(r.text);
    }
}

/* --- the oracle --- */

enum { FIELDS = REQUEST_LINES_MAX, TEXT = REQUEST_HEAD_MAX + 1 };

struct text {
    size_t len;
    char at[TEXT];
};

struct oracle {
    unsigned fields, known; /* how many were told, and how many of those are kept */
    bool naming, complete, done, proxy_connection;
    uint64_t length, body;
    const struct request_head *head;
    struct text target, name, value; /* the last: too large to be zeroed each time */
};

static const char *const NAMES[HEADERS] = {
    [HEADER_HOST] = "host",
    [HEADER_CONNECTION] = "connection",
    [HEADER_CONTENT_LENGTH] = "content-length",
    [HEADER_TRANSFER_ENCODING] = "transfer-encoding",
    [HEADER_EXPECT] = "expect",
    [HEADER_CONTENT_TYPE] = "content-type",
    [HEADER_ORIGIN] = "origin",
    [HEADER_AUTHORIZATION] = "authorization",
    [HEADER_USER_AGENT] = "user-agent",
    [HEADER_FORWARDED_FOR] = "x-forwarded-for",
    [HEADER_REQUEST_HEADERS] = "access-control-request-headers",
    [HEADER_UPGRADE] = "upgrade",
    [HEADER_WS_KEY] = "sec-websocket-key",
    [HEADER_WS_VERSION] = "sec-websocket-version",
    [HEADER_WS_PROTOCOL] = "sec-websocket-protocol",
};

static int add(struct text *t, const char *at, size_t len)
{
    expect(t->len + len < TEXT, "expected less text");
    memcpy(t->at + t->len, at, len);
    t->len += len;
    t->at[t->len] = '\0';
    return 0;
}

/* A field is complete: ours of this place is the same. */
static void compare_field(struct oracle *o)
{
    const struct request_head *h = o->head;
    if (o->naming || o->name.len == 0)
        return;
    while (o->value.len > 0 && strchr(" \t", o->value.at[o->value.len - 1]))
        o->value.at[--o->value.len] = '\0';
    for (unsigned i = 0; i < HEADERS; i++) {
        if (strcasecmp(NAMES[i], o->name.at) != 0)
            continue;
        expect(o->known < h->n && h->value[o->known].header == i,
               "expected %s in the place %u, found another or none", NAMES[i], o->known);
        const char *found = h->text + h->value[o->known++].at;
        expect(strcmp(found, o->value.at) == 0, "%s: expected %s, found %s", NAMES[i], o->value.at,
               found);
    }
    o->proxy_connection |= strcasecmp(o->name.at, "proxy-connection") == 0;
    o->name.len = o->value.len = 0;
    o->value.at[0] = '\0';
    o->fields++;
}

static int on_url(http_parser *p, const char *at, size_t len)
{
    return add(&((struct oracle *)p->data)->target, at, len);
}

static int on_name(http_parser *p, const char *at, size_t len)
{
    struct oracle *o = p->data;
    compare_field(o);
    o->naming = true;
    return add(&o->name, at, len);
}

static int on_value(http_parser *p, const char *at, size_t len)
{
    struct oracle *o = p->data;
    o->naming = false;
    return add(&o->value, at, len);
}

static int on_headers(http_parser *p)
{
    struct oracle *o = p->data;
    o->naming = false;
    compare_field(o);
    o->complete = true;
    o->length = p->flags & F_CONTENTLENGTH ? p->content_length : 0;
    return 0;
}

static int on_body(http_parser *p, const char *at, size_t len)
{
    (void)at;
    ((struct oracle *)p->data)->body += len;
    return 0;
}

static int on_done(http_parser *p)
{
    ((struct oracle *)p->data)->done = true;
    return 0;
}

/* The path and query of a target, found another way. */
static void check_target(const struct oracle *o)
{
    const struct request_head *h = o->head;
    const char *target = o->target.at, *host = *target == '/' ? NULL : strstr(target, "://");
    const char *path = host ? host + 3 + strcspn(host + 3, "/?") : target;
    size_t len = strcspn(path, "?");
    expect(o->target.len == strlen(target) && o->target.len <= REQUEST_TARGET_MAX, "%zu bytes",
           o->target.len);
    expect(strlen(h->text + h->path) == len && memcmp(h->text + h->path, path, len) == 0,
           "expected the path of %s, found %s", target, h->text + h->path);
    expect(strcmp(h->text + h->query, path + len + (path[len] == '?')) == 0,
           "expected the query of %s, found %s", target, h->text + h->query);
    expect(host || *target == '/' || strcmp(target, "*") == 0, "accepted %s", target);
}

static enum method method_of(const char *name)
{
    return strcmp(name, "GET") == 0       ? METHOD_GET
           : strcmp(name, "POST") == 0    ? METHOD_POST
           : strcmp(name, "OPTIONS") == 0 ? METHOD_OPTIONS
                                          : METHOD_OTHER;
}

/*
 * Writes the head as http-parser can read it. It knows only methods that are registered: another
 * one comes in the place of others. Behind a Content-Length it takes blanks, but no tabs.
 */
static size_t for_oracle(char *out, const uint8_t *head, size_t len)
{
    const uint8_t *method = head;
    while (*method == '\r' || *method == '\n')
        method++;
    const uint8_t *blank = memchr(method, ' ', len - (size_t)(method - head));
    size_t n = (size_t)(blank - method), rest = len - (size_t)(blank - head);
    bool known = false;
    for (unsigned i = 0; i <= HTTP_SOURCE && !known; i++)
        known = strlen(http_method_str(i)) == n && memcmp(http_method_str(i), method, n) == 0;
    n = known ? n : 3;
    memcpy(out, known ? (const char *)method : "PUT", n);
    memcpy(out + n, blank, rest);
    for (size_t i = n; i < n + rest; i++) {
        if (out[i] == '\n' && n + rest - i > 17 &&
            !strncasecmp(out + i + 1, "transfer-encoding", 17))
            out[i + 1] = 'X';
        for (size_t k = i; out[i] == '\r' && k > 0 && strchr(" \t", out[k - 1]); k--)
            out[k - 1] = ' ';
    }
    return n + rest;
}

/* The bytes of the head that we accepted, and its body so far. */
static void compare(const struct request_head *h, const uint8_t *bytes, size_t len)
{
    static const http_parser_settings settings = {.on_url = on_url,
                                                  .on_header_field = on_name,
                                                  .on_header_value = on_value,
                                                  .on_headers_complete = on_headers,
                                                  .on_body = on_body,
                                                  .on_message_complete = on_done};
    static struct oracle o;
    size_t body = len - h->len < h->length ? len - h->len : (size_t)h->length;
    char *text = malloc(len + 3);
    http_parser p;
    if (!text)
        abort();
    size_t n = for_oracle(text, bytes, h->len);
    memcpy(text + n, bytes + h->len, body);
    memset(&o, 0, offsetof(struct oracle, target));
    o.target.len = o.name.len = o.value.len = 0;
    o.target.at[0] = o.name.at[0] = o.value.at[0] = '\0';
    o.head = h;
    http_parser_init(&p, HTTP_REQUEST);
    p.data = &o;
    size_t taken = http_parser_execute(&p, &settings, text, n + body);
    expect(HTTP_PARSER_ERRNO(&p) == HPE_OK && taken == n + body,
           "expected %zu bytes to be read, found %zu and %s", n + body, taken,
           http_errno_name(HTTP_PARSER_ERRNO(&p)));
    expect(o.complete && o.known == h->n && o.fields <= REQUEST_LINES_MAX, "%u of %u values",
           o.known, h->n);
    expect(o.length == h->length && o.body == body && o.done == (body == h->length),
           "expected %llu bytes, found %llu", (unsigned long long)o.length,
           (unsigned long long)h->length);
    expect(method_of(http_method_str(p.method)) == h->method &&
               (p.method == HTTP_HEAD) == h->bodiless,
           "expected %s", http_method_str(p.method));
    expect(p.http_major == 1 && p.http_minor == !h->version_1_0, "another version");
    expect(!h->persistent || o.proxy_connection || http_should_keep_alive(&p),
           "expected the connection to be closed");
    check_target(&o);
    free(text);
}

/* --- upgrades --- */

static void check_upgrade(const struct request_head *h)
{
    char out[HANDSHAKE_MAX], protocol[PROTOCOL_MAX], *values = malloc(64);
    struct request_head again;
    const char *why;
    int status;
    for (int i = 0; i < HEADERS; i++) {
        const char *joined = request_values(h, (enum header)i, values, 64);
        expect((joined != NULL) == (request_header(h, (enum header)i) != NULL), "other values");
    }
    free(values);
    bool offered = handshake_protocol(h, protocol);
    if (!handshake_is_good(h))
        return;
    expect(handshake_asked(h) && offered == (request_header(h, HEADER_WS_PROTOCOL) != NULL),
           "expected the protocol that was offered");
    if (offered)
        expect(*protocol && is_one_line(protocol) && !strpbrk(protocol, " ,;\""), "protocol %s",
               protocol);
    size_t len = handshake_write(h, out);
    expect(len < sizeof out && request_head_read(&again, out, len, 0, &status, &why) == HEAD_WHOLE,
           "expected a whole head");
    expect(again.len == len && again.n == 5 && handshake_is_good(&again), "expected a good one");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    unsigned by = take_number(&in);
    for (bool more = in.left > 0; more;) {
        struct reading r;
        read_from(&r, in.at, in.left, 0);
        check_reading(&r);
        check_pieces(&r, in.at, in.left, by);
        more = r.step == HEAD_WHOLE && r.head.length < in.left - r.head.len;
        if (r.step == HEAD_WHOLE) {
            compare(&r.head, in.at, in.left);
            check_upgrade(&r.head);
        }
        if (more) {
            in.at += r.head.len + r.head.length;
            in.left -= r.head.len + r.head.length;
        }
        free(r.text);
    }
    return 0;
}
