/* upgrade: see upgrade.h. */
#include "net/upgrade.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "http/handshake.h"
#include "net/reply.h"
#include "net/websocket.h"

static const struct refusal NOT_FOUND = {404, "{\"code\":3,\"message\":\"Not found\"}",
                                         METRIC_REFUSED_PATH};
static const struct refusal NOT_WEBSOCKET = {400, "{\"code\":3,\"message\":\"Bad request\"}",
                                             METRIC_REFUSED_MALFORMED};

/* A client that is not read from still gets pings. It has gone if they cannot be delivered for as
 * long as we wait for any client. The system alone would try for a quarter of an hour. */
static void limit_silence(int fd, const struct config *c)
{
    unsigned ms = (unsigned)(c->ping_interval + c->ping_timeout);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
}

/* The socket as a descriptor of its own: libuv must not watch what libwebsockets watches. */
static int take_socket(struct connection *c)
{
    uv_os_fd_t fd;
    int own = uv_fileno((uv_handle_t *)&c->tcp, &fd) == 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (own >= 0)
        connection_end(c);
    return own;
}

static void hand_over(struct connection *c, const struct request *rq, const char *data, size_t len)
{
    struct websocket_request upgrading = {.rq = rq};
    struct server_scope *scope = c->scope;
    char protocol[PROTOCOL_MAX];
    char *text = must(malloc(HANDSHAKE_MAX + len));
    size_t n = handshake_write(c->head, text);
    memcpy(text + n, data, len);
    if (handshake_protocol(c->head, protocol))
        upgrading.protocol = protocol;
    int fd = take_socket(c);
    if (fd >= 0) {
        limit_silence(fd, scope->config);
        websocket_adopt(scope, fd, &upgrading, text, n + len);
    } else {
        reply_refuse(c, &scope_full);
    }
    free(text);
}

void upgrade_begin(struct connection *c, const struct request *rq, bool ours, const char *data,
                   size_t len)
{
    const struct refusal *no;
    if (!handshake_is_good(c->head))
        no = &NOT_WEBSOCKET;
    else if (!ours)
        no = &NOT_FOUND;
    else
        no = engine_refuses_ws(c->scope->engine, rq, uv_now(c->scope->loop));
    if (no)
        reply_refuse(c, no);
    else
        hand_over(c, rq, data, len);
}
