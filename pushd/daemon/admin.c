/*
 * admin: see admin.h.
 *
 * A connection has one request: read its head, answer, close. The rest of what the client sends is
 * read and dropped until it closes: closing first could cut off the answer.
 */
#include "daemon/admin.h"
#include "base/alloc.h"
#include "base/listen.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_MAX = 8192, VISITS_MAX = 32, VISIT_MS = 5000, BACKLOG = 16 };

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
    size_t len;
    char head[HEAD_MAX + 1];
};

struct answer {
    const char *status, *type;
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

/* --- answers --- */

static struct answer text_answer(const char *status, const char *text)
{
    char *body = alloc_text(text);
    return (struct answer){status, PLAIN, body, body == NULL ? 0 : strlen(body)};
}

static struct answer answer_livez(const struct admin *a)
{
    (void)a;
    return text_answer("200 OK", "ok\n");
}

static void write_reason(void *to, const char *reason)
{
    fprintf(to, "%s\n", reason);
}

static struct answer answer_readyz(const struct admin *a)
{
    struct answer answer = {"503 Service Unavailable", PLAIN, NULL, 0};
    FILE *out = open_memstream(&answer.body, &answer.len);
    if (out == NULL)
        return text_answer("500 Internal Server Error", "no memory\n");
    a->source.reasons(a->source.ctx, write_reason, out);
    fclose(out);
    if (answer.len > 0)
        return answer;
    free(answer.body);
    return text_answer("200 OK", "ready\n");
}

static struct answer answer_metrics(const struct admin *a)
{
    struct answer answer = {"200 OK", OPENMETRICS, NULL, 0};
    answer.body = a->source.metrics(a->source.ctx, &answer.len);
    return answer.body != NULL ? answer : text_answer("500 Internal Server Error", "no memory\n");
}

static const struct {
    const char *path;
    struct answer (*answer)(const struct admin *a);
} ROUTES[] = {
    {"/livez", answer_livez},
    {"/readyz", answer_readyz},
    {"/metrics", answer_metrics},
};

static struct answer answer_to(const struct admin *a, const char *method, const char *path)
{
    for (size_t i = 0; i < sizeof ROUTES / sizeof *ROUTES; i++) {
        if (strcmp(path, ROUTES[i].path) != 0)
            continue;
        if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
            return text_answer("405 Method Not Allowed", "use GET or HEAD\n");
        return ROUTES[i].answer(a);
    }
    return text_answer("404 Not Found", "there are /livez, /readyz and /metrics\n");
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

static void send_answer(struct connection *v, struct answer answer, bool head_only)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    v->answered = true;
    if (out != NULL) {
        fprintf(out,
                "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s"
                "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
                answer.status, answer.type, answer.len,
                strncmp(answer.status, "405", 3) == 0 ? "Allow: GET, HEAD\r\n" : "");
        if (!head_only && answer.body != NULL)
            fwrite(answer.body, 1, answer.len, out);
        fclose(out);
    }
    free(answer.body);
    v->answer = text;
    uv_buf_t buf = uv_buf_init(text, (unsigned)len);
    if (text == NULL || uv_write(&v->write, (uv_stream_t *)&v->tcp, &buf, 1, on_written) != 0)
        end_connection(v);
}

/* --- requests --- */

/* Answers the head that was read: "METHOD /path?query HTTP/1.x". */
static void take_request(struct connection *v)
{
    char method[16], path[64], version[16];
    char *line_end = v->head + strcspn(v->head, "\r\n");
    *line_end = '\0';
    /* A method or a path that is cut off here is not one of ours. */
    int n = sscanf(v->head, "%15[A-Z] %63[^ ?]%*[^ ] %15s", method, path, version);
    if (n < 3)
        n = sscanf(v->head, "%15[A-Z] %63[^ ?] %15s", method, path, version);
    if (n != 3 || strncmp(version, "HTTP/1.", 7) != 0) {
        send_answer(v, text_answer("400 Bad Request", "expected GET /readyz HTTP/1.1\n"), false);
        return;
    }
    send_answer(v, answer_to(v->admin, method, path), strcmp(method, "HEAD") == 0);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct connection *v = handle->data;
    (void)suggested;
    if (v->answered)
        v->len = 0; /* what arrives from now on is dropped */
    *buf = uv_buf_init(v->head + v->len, (unsigned)(HEAD_MAX - v->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct connection *v = stream->data;
    (void)buf;
    if (n < 0)
        end_connection(v);
    if (n <= 0 || v->answered)
        return;
    v->len += (size_t)n;
    v->head[v->len] = '\0';
    if (strstr(v->head, "\r\n\r\n") != NULL)
        take_request(v);
    else if (v->len == HEAD_MAX)
        send_answer(v, text_answer("431 Request Header Fields Too Large", "too large\n"), false);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct admin *a = listener->data;
    struct connection *v = status < 0 ? NULL : alloc(sizeof *v);
    if (v == NULL)
        return;
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
    if (a == NULL) {
        snprintf(err, errlen, "out of memory");
        return NULL;
    }
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
