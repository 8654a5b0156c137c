/*
 * admin: see admin.h.
 *
 * A connection has one request: read its head, answer, close. The rest of what the client sends is
 * read and dropped until it closes: closing first could cut off the answer.
 */
#include "daemon/admin.h"
#include "base/alloc.h"
#include "base/listen.h"
#include "http/answer_head.h"
#include "http/request_head.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { VISITS_MAX = 32, VISIT_MS = 5000, BACKLOG = 16 };

static const char PLAIN[] = "text/plain; charset=utf-8";
static const char OPENMETRICS[] = "application/openmetrics-text; version=1.0.0; charset=utf-8";

struct admin {
    uv_tcp_t listener;
    struct admin_source source;
    struct connection *connections;
    unsigned count;
    bool closing, listener_closed;
};

struct connection {
    struct admin *admin;
    struct connection *next, **link;
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_write_t write;
    uv_shutdown_t shutdown;
    unsigned open_handles;
    bool answered;
    char *answer;
    size_t len; /* of the head, as far as it was read */
    char head[REQUEST_HEAD_MAX];
};

struct page {
    int status;
    const char *type;
    char *body; /* malloc'd */
    size_t len;
};

/* --- closing --- */

static void free_when_done(struct admin *a)
{
    if (a->closing && a->listener_closed && a->connections == NULL)
        free(a);
}

static void on_connection_closed(uv_handle_t *handle)
{
    struct connection *v = handle->data;
    struct admin *a = v->admin;
    if (--v->open_handles > 0)
        return;
    *v->link = v->next;
    if (v->next != NULL)
        v->next->link = v->link;
    a->count--;
    free(v->answer);
    free(v);
    free_when_done(a);
}

static void end_connection(struct connection *v)
{
    if (uv_is_closing((uv_handle_t *)&v->tcp))
        return;
    uv_close((uv_handle_t *)&v->tcp, on_connection_closed);
    uv_close((uv_handle_t *)&v->timer, on_connection_closed);
}

static void on_timeout(uv_timer_t *timer)
{
    end_connection(timer->data);
}

/* --- pages --- */

static struct page text_page(int status, const char *text)
{
    char *body = alloc_format("%s\n", text);
    return (struct page){status, PLAIN, body, strlen(body)};
}

static struct page livez(const struct admin *a)
{
    (void)a;
    return text_page(200, "ok");
}

static void write_reason(void *to, const char *reason)
{
    fprintf(to, "%s\n", reason);
}

static struct page readyz(const struct admin *a)
{
    struct page page = {503, PLAIN, NULL, 0};
    FILE *out = open_memstream(&page.body, &page.len);
    if (out == NULL)
        return text_page(500, "no memory");
    a->source.reasons(a->source.ctx, write_reason, out);
    fclose(out);
    if (page.len > 0)
        return page;
    free(page.body);
    const char *note = a->source.note ? a->source.note(a->source.ctx) : NULL;
    if (!note)
        return text_page(200, "ready");
    page.body = alloc_format("ready\n%s\n", note);
    return (struct page){200, PLAIN, page.body, strlen(page.body)};
}

static struct page metrics(const struct admin *a)
{
    struct page page = {200, OPENMETRICS, NULL, 0};
    page.body = a->source.metrics(a->source.ctx, &page.len);
    return page.body != NULL ? page : text_page(500, "no memory");
}

static const struct {
    const char *path;
    struct page (*page)(const struct admin *a);
} ROUTES[] = {
    {"/livez", livez},
    {"/readyz", readyz},
    {"/metrics", metrics},
};

static struct page page_of(const struct admin *a, const struct request_head *h)
{
    for (size_t i = 0; i < sizeof ROUTES / sizeof *ROUTES; i++) {
        if (strcmp(h->text + h->path, ROUTES[i].path) != 0)
            continue;
        return h->method == METHOD_GET || h->bodiless ? ROUTES[i].page(a)
                                                      : text_page(405, "use GET or HEAD");
    }
    return text_page(404, "there are /livez, /readyz and /metrics");
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    if (status < 0)
        end_connection(request->handle->data);
}

static void on_written(uv_write_t *request, int status)
{
    struct connection *v = request->handle->data;
    if (status < 0 || uv_shutdown(&v->shutdown, (uv_stream_t *)&v->tcp, on_shutdown) != 0)
        end_connection(v);
}

static void send_page(struct connection *v, struct page page, bool head_only)
{
    char date[ANSWER_DATE];
    answer_date(date, time(NULL));
    struct answer a = {.status = page.status,
                       .type = page.type,
                       .len = page.len,
                       .allow = page.status == 405 ? "GET, HEAD" : NULL,
                       .close = true,
                       .date = date};
    v->answered = true;
    v->answer = alloc(ANSWER_HEAD_MAX + page.len);
    size_t n = answer_head(v->answer, &a);
    if (!head_only) {
        memcpy(v->answer + n, page.body, page.len);
        n += page.len;
    }
    free(page.body);
    uv_buf_t buf = uv_buf_init(v->answer, (unsigned)n);
    if (uv_write(&v->write, (uv_stream_t *)&v->tcp, &buf, 1, on_written) != 0)
        end_connection(v);
}

/* --- requests --- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct connection *v = handle->data;
    (void)suggested;
    if (v->answered)
        v->len = 0; /* what arrives from now on is dropped */
    *buf = uv_buf_init(v->head + v->len, (unsigned)(sizeof v->head - v->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct connection *v = stream->data;
    struct request_head h = {0};
    const char *why;
    int wrong;
    (void)buf;
    if (n < 0)
        end_connection(v);
    if (n <= 0 || v->answered)
        return;
    size_t seen = v->len;
    v->len += (size_t)n;
    switch (request_head_read(&h, v->head, v->len, seen, &wrong, &why)) {
    case HEAD_PART:
        return;
    case HEAD_WHOLE:
        send_page(v, page_of(v->admin, &h), h.bodiless);
        return;
    case HEAD_WRONG:
        send_page(v, text_page(wrong, why), h.bodiless);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct admin *a = listener->data;
    struct connection *v;
    if (status < 0)
        return;
    v = alloc(sizeof *v);
    v->admin = a;
    v->next = a->connections;
    v->link = &a->connections;
    if (v->next != NULL)
        v->next->link = &v->next;
    a->connections = v;
    a->count++;
    v->open_handles = 2;
    uv_tcp_init(listener->loop, &v->tcp);
    uv_timer_init(listener->loop, &v->timer);
    v->tcp.data = v->timer.data = v;
    if (uv_accept(listener, (uv_stream_t *)&v->tcp) != 0 || a->count > VISITS_MAX ||
        uv_read_start((uv_stream_t *)&v->tcp, on_alloc, on_read) != 0)
        end_connection(v);
    else
        uv_timer_start(&v->timer, on_timeout, VISIT_MS, 0);
}

/* --- the port --- */

static void on_listener_closed(uv_handle_t *handle)
{
    struct admin *a = handle->data;
    a->listener_closed = true;
    free_when_done(a);
}

struct admin *admin_open(uv_loop_t *loop, const char *address, const struct admin_source *source,
                         char *err, size_t errlen)
{
    struct sockaddr_storage where = {0};
    struct admin *a = alloc(sizeof *a);
    a->source = *source;
    uv_tcp_init(loop, &a->listener);
    a->listener.data = a;
    int status = listen_parse(address, &where) ? 0 : UV_EINVAL;
    if (status == 0)
        status = uv_tcp_bind(&a->listener, (struct sockaddr *)&where, 0);
    if (status == 0)
        status = uv_listen((uv_stream_t *)&a->listener, BACKLOG, on_connection);
    if (status != 0) {
        snprintf(
            err, errlen,
            "admin_listen: expected an address that is free here, found %s: %s: choose another",
            address, uv_strerror(status));
        admin_close(a);
        return NULL;
    }
    return a;
}

void admin_close(struct admin *a)
{
    if (a == NULL || a->closing)
        return;
    a->closing = true;
    uv_close((uv_handle_t *)&a->listener, on_listener_closed);
    for (struct connection *v = a->connections; v != NULL; v = v->next)
        end_connection(v);
}
