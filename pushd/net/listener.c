/* listener: see listener.h. */
#include "net/listener.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/listen.h"
#include "base/log.h"
#include "net/connection.h"

enum { RETRY_MS = 1000, BACKLOG = 4096 };

struct listener {
    uv_tcp_t tcp;
    struct server_scope *scope;
    struct timer retry;
    int status; /* of the last try */
    bool closing;
};

static void on_connection(uv_stream_t *stream, int status)
{
    struct listener *l = stream->data;
    if (status == 0)
        connection_accept(l->scope, stream);
    else
        log_debug("a connection was not accepted: %s", uv_strerror(status));
}

static int try_to_listen(struct listener *l)
{
    struct sockaddr_storage where;
    int status = listen_parse(l->scope->config->listen, &where) ? 0 : UV_EINVAL;
    uv_tcp_init(l->scope->loop, &l->tcp);
    l->tcp.data = l;
    if (status == 0)
        status = uv_tcp_bind(&l->tcp, (struct sockaddr *)&where, 0);
    if (status == 0)
        status = uv_tcp_nodelay(&l->tcp, 1); /* connections inherit it */
    if (status == 0)
        status = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection);
    return status;
}

static void on_retry(struct timer *timer, uint64_t now);

/* libuv has let go of an address that could not be used. */
static void on_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;
    if (l->closing)
        free(l);
    else
        timer_start(l->scope->wheel, &l->retry, uv_now(l->scope->loop) + RETRY_MS, on_retry);
}

static void say(const struct listener *l)
{
    const char *listen = l->scope->config->listen;
    if (l->status == 0)
        log_info("listening at last listen=%s", listen);
    else
        log_warning("listen: %s: %s: tried again every second", listen, uv_strerror(l->status));
}

static void on_retry(struct timer *timer, uint64_t now)
{
    struct listener *l = container_of(timer, struct listener, retry);
    int before = l->status;
    (void)now;
    l->status = try_to_listen(l);
    if (l->status != before)
        say(l);
    if (l->status != 0)
        uv_close((uv_handle_t *)&l->tcp, on_closed);
}

struct listener *listener_open(struct server_scope *scope, char *err, size_t errlen)
{
    struct listener *l = alloc(sizeof *l);
    l->scope = scope;
    l->status = try_to_listen(l);
    if (l->status == 0)
        return l;
    l->closing = l->status != UV_EADDRNOTAVAIL;
    uv_close((uv_handle_t *)&l->tcp, on_closed);
    if (!l->closing) {
        say(l);
        return l;
    }
    snprintf(err, errlen,
             "listen: expected an address that is free here, found %s: %s: choose another with "
             "--listen",
             scope->config->listen, uv_strerror(l->status));
    return NULL;
}

const char *listener_reason(const struct listener *l)
{
    if (!l || l->status == 0)
        return NULL;
    return l->status == UV_EADDRNOTAVAIL ? "listen: this machine does not have the address yet"
                                         : "listen: the address cannot be used: see the log";
}

void listener_close(struct listener *l)
{
    if (!l)
        return;
    l->closing = true;
    if (timer_running(&l->retry)) {
        timer_stop(&l->retry);
        free(l);
    } else if (!uv_is_closing((uv_handle_t *)&l->tcp)) {
        uv_close((uv_handle_t *)&l->tcp, on_closed);
    }
}
