/* fetch: see fetch.h. One place ends it (end()), one frees it (free_when_done()). */
#include "daemon/fetch.h"

#include <netdb.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/http_read.h"
#include "base/url.h"
#include "daemon/tls.h"

enum { PROBLEM_MAX = 1536, READ_MAX = 16384, ADDRESSES_MAX = 4 };

struct fetch {
    uv_loop_t *loop;
    struct fetch_request request;
    struct url url;
    void (*done)(void *ctx, const struct fetched *f); /* NULL: it has ended */
    void *ctx;
    uv_getaddrinfo_t lookup;
    uv_timer_t timer;
    uv_tcp_t *tcp; /* of the address that is tried */
    struct addrinfo *addresses, *next;
    int left; /* addresses to try */
    uint64_t deadline;
    struct tls *tls; /* NULL: http */
    bool looking_up, established;
    struct http_reader reader;
    unsigned open; /* what the loop still holds of it */
    char problem[PROBLEM_MAX];
    char input[READ_MAX];
};

/* --- ends --- */

static void free_when_done(struct fetch *f)
{
    if (--f->open > 0)
        return;
    uv_freeaddrinfo(f->addresses);
    tls_free(f->tls);
    http_read_clear(&f->reader);
    free(f);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free_when_done(handle->data);
}

static void drop_connection(struct fetch *f)
{
    if (f->tcp)
        uv_close((uv_handle_t *)f->tcp, (uv_close_cb)free);
    f->tcp = NULL;
}

void fetch_cancel(struct fetch *f)
{
    f->done = NULL;
    drop_connection(f);
    if (f->looking_up)
        uv_cancel((uv_req_t *)&f->lookup);
    uv_close((uv_handle_t *)&f->timer, on_timer_closed);
}

static void end(struct fetch *f)
{
    struct fetched result = {*f->problem ? f->problem : NULL, f->reader.body, f->reader.len};
    f->done(f->ctx, &result);
    fetch_cancel(f);
}

static void fail(struct fetch *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fail(struct fetch *f, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(f->problem, sizeof f->problem, format, args);
    va_end(args);
    end(f);
}

/* --- the answer --- */

static void judge_answer(struct fetch *f)
{
    const struct http_reader *r = &f->reader;
    if (r->state == HTTP_BAD)
        fail(f, "the answer cannot be used: %s", r->problem);
    else if (r->status == 200)
        end(f);
    else if (r->status / 100 == 3 && *r->location)
        fail(f,
             "expected status 200, found %d, a redirect to %.*s: redirects are not followed, give "
             "the address that has the keys",
             r->status, (int)url_length_to_tell(r->location), r->location);
    else
        fail(f, "expected status 200, found %d", r->status);
}

static bool take(struct fetch *f, const char *data, size_t len)
{
    if (http_read_feed(&f->reader, data, len) == HTTP_MORE)
        return true;
    judge_answer(f);
    return false;
}

static void take_end(struct fetch *f)
{
    http_read_end(&f->reader);
    judge_answer(f);
}

/* --- sending --- */

struct output {
    uv_write_t write; /* first: it is the allocation */
    char data[READ_MAX];
};

static void on_written(uv_write_t *write, int status)
{
    (void)status; /* the reading side notices */
    free(write);
}

static void send_bytes(struct fetch *f, const char *data, size_t len)
{
    struct output *o = malloc(sizeof *o);
    if (!o || len > sizeof o->data)
        abort();
    memcpy(o->data, data, len);
    uv_buf_t buf = uv_buf_init(o->data, (unsigned)len);
    if (uv_write(&o->write, (uv_stream_t *)f->tcp, &buf, 1, on_written) != 0)
        free(o);
}

static void send_tls(struct fetch *f)
{
    char data[READ_MAX];
    size_t n;
    while ((n = tls_send(f->tls, data, sizeof data)) > 0)
        send_bytes(f, data, n);
}

static void send_request(struct fetch *f)
{
    char authority[URL_AUTHORITY], head[READ_MAX];
    url_authority(&f->url, authority);
    int n = snprintf(head, sizeof head,
                     "GET %s%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: vantage6-pushd/" PUSHD_VERSION
                     "\r\nAccept: application/json\r\nConnection: close\r\n\r\n",
                     *f->url.target == '/' ? "" : "/", f->url.target, authority);
    f->established = true;
    if (!f->tls) {
        send_bytes(f, head, (size_t)n);
        return;
    }
    if (tls_write(f->tls, head, (size_t)n))
        send_tls(f);
}

/* --- receiving --- */

static void read_tls(struct fetch *f)
{
    char data[READ_MAX];
    ssize_t n;
    if (!f->established) {
        int status = tls_handshake(f->tls);
        send_tls(f); /* an alert too */
        if (status < 0)
            fail(f, "%s", tls_problem(f->tls));
        if (status <= 0)
            return;
        send_request(f);
    }
    while ((n = tls_read(f->tls, data, sizeof data)) > 0)
        if (!take(f, data, (size_t)n))
            return;
    if (n < 0 && tls_problem(f->tls))
        fail(f, "%s", tls_problem(f->tls));
    else if (n < 0)
        take_end(f);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct fetch *f = handle->data;
    (void)suggested;
    *buf = uv_buf_init(f->input, sizeof f->input);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct fetch *f = stream->data;
    if (n == UV_EOF && f->tls && !f->established)
        fail(f, "TLS: the server ended the connection in the handshake");
    else if (n == UV_EOF)
        take_end(f);
    else if (n < 0)
        fail(f, "the connection was lost: %s", uv_strerror((int)n));
    else if (n > 0 && f->tls) {
        tls_receive(f->tls, buf->base, (size_t)n);
        read_tls(f);
    } else if (n > 0) {
        take(f, buf->base, (size_t)n);
    }
}

/* --- connecting --- */

static void try_next(struct fetch *f);

static void on_deadline(uv_timer_t *timer)
{
    struct fetch *f = timer->data;
    fail(f, "no complete answer within keys_timeout (%llu ms)",
         (unsigned long long)f->request.timeout);
}

/* This address does not answer: there may be another. */
static void on_slow(uv_timer_t *timer)
{
    struct fetch *f = timer->data;
    drop_connection(f);
    try_next(f);
}

static void begin_talk(struct fetch *f)
{
    char err[512];
    uint64_t now = uv_now(f->loop);
    *f->problem = '\0'; /* of the addresses before */
    uv_timer_start(&f->timer, on_deadline, f->deadline > now ? f->deadline - now : 0, 0);
    if (uv_read_start((uv_stream_t *)f->tcp, on_alloc, on_read) != 0) {
        fail(f, "the connection cannot be read");
        return;
    }
    if (!f->url.https) {
        send_request(f);
        return;
    }
    f->tls = tls_new(f->url.host, f->url.numeric, f->request.ca_file, err, sizeof err);
    if (f->tls)
        read_tls(f);
    else
        fail(f, "%s", err);
}

static void on_connected(uv_connect_t *connect, int status)
{
    uv_tcp_t *tcp = (uv_tcp_t *)connect->handle;
    struct fetch *f = tcp->data;
    free(connect);
    if (status == UV_ECANCELED) /* f may be gone */
        return;
    if (status == 0) {
        begin_talk(f);
        return;
    }
    snprintf(f->problem, sizeof f->problem, "cannot connect to port %s: %s", f->url.port,
             uv_strerror(status));
    drop_connection(f);
    try_next(f);
}

static void try_next(struct fetch *f)
{
    struct addrinfo *at = f->next;
    uint64_t now = uv_now(f->loop), rest = f->deadline > now ? f->deadline - now : 0;
    uv_connect_t *connect;
    if (!at || f->left == 0) {
        if (!*f->problem)
            fail(f, "cannot connect: no address answers");
        else
            end(f);
        return;
    }
    f->next = at->ai_next;
    uv_timer_start(&f->timer, f->left > 1 ? on_slow : on_deadline, rest / (unsigned)f->left, 0);
    f->left--;
    f->tcp = malloc(sizeof *f->tcp);
    connect = malloc(sizeof *connect);
    if (!f->tcp || !connect)
        abort();
    uv_tcp_init(f->loop, f->tcp);
    f->tcp->data = f;
    int status = uv_tcp_connect(connect, f->tcp, at->ai_addr, on_connected);
    if (status == 0)
        return;
    free(connect);
    snprintf(f->problem, sizeof f->problem, "cannot connect: %s", uv_strerror(status));
    drop_connection(f);
    try_next(f);
}

/* done() is called from the loop only. */
static void on_hopeless(uv_timer_t *timer)
{
    end(timer->data);
}

static void on_looked_up(uv_getaddrinfo_t *lookup, int status, struct addrinfo *addresses)
{
    struct fetch *f = lookup->data;
    f->addresses = addresses;
    f->looking_up = false;
    if (f->done && status != 0) {
        fail(f, "cannot look up the name %s: %s", f->url.host, uv_strerror(status));
    } else if (f->done) {
        f->next = addresses;
        for (const struct addrinfo *a = addresses; a && f->left < ADDRESSES_MAX; a = a->ai_next)
            f->left++;
        try_next(f);
    }
    free_when_done(f);
}

struct fetch *fetch_start(uv_loop_t *loop, const struct fetch_request *request,
                          void (*done)(void *ctx, const struct fetched *f), void *ctx)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct fetch *f = calloc(1, sizeof *f);
    if (!f || !url_parse(request->url, &f->url))
        abort();
    f->loop = loop;
    f->request = *request;
    f->done = done;
    f->ctx = ctx;
    f->deadline = uv_now(loop) + request->timeout;
    http_read_init(&f->reader, request->max);
    uv_timer_init(loop, &f->timer);
    f->timer.data = f->lookup.data = f;
    uv_timer_start(&f->timer, on_deadline, request->timeout, 0);
    int status = uv_getaddrinfo(loop, &f->lookup, on_looked_up, f->url.host, f->url.port, &hints);
    f->looking_up = status == 0;
    f->open = f->looking_up ? 2 : 1;
    if (f->looking_up)
        return f;
    snprintf(f->problem, sizeof f->problem, "cannot look up the name %s: %s", f->url.host,
             uv_strerror(status));
    uv_timer_start(&f->timer, on_hopeless, 0, 0);
    return f;
}
