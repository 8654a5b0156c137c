/* server: see server.h. The settings of lws below were measured; the reasons are next to them. */
#include "net/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/decimal.h"
#include "base/log.h"
#include "net/peer.h"

struct server {
    struct server_scope scope;
    uv_prepare_t turn;
    struct lws_context *context;
    struct lws_vhost *vhost;
};

/* The time in ms, as the user data of a connection until its first head is complete; never NULL. */
static void *begun(const struct server_scope *scope)
{
    return (void *)(uintptr_t)(uv_now(scope->loop) | 1); // NOLINT(performance-no-int-to-ptr)
}

/* If a head is late, lws closes the connection without a reason. */
static void count_timeout(struct server_scope *scope, struct lws *wsi)
{
    uintptr_t since = (uintptr_t)lws_get_opaque_user_data(wsi);
    if (since && (uintptr_t)begun(scope) - since + TICK_MS >= scope->config->request_timeout)
        engine_refused(scope->engine, METRIC_REFUSED_TIMEOUT);
}

/* A client that is not read from still gets pings. It has gone if they cannot be delivered for as
 * long as we wait for any client. The system alone would try for a quarter of an hour. */
static void limit_silence(int fd, const struct config *c)
{
    unsigned ms = (unsigned)(c->ping_interval + c->ping_timeout);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    struct lws_context *context = lws_get_context(wsi);
    struct server_scope *scope = context ? lws_context_user(context) : NULL;
    if (!scope) /* the context is being created */
        return 0;
    switch (reason) {
    case LWS_CALLBACK_FILTER_NETWORK_CONNECTION:
        limit_silence((int)(intptr_t)in, scope->config);
        return scope->draining;
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
        lws_set_opaque_user_data(wsi, begun(scope));
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        count_timeout(scope, wsi);
        return 0;
    case LWS_CALLBACK_RAW_ADOPT: /* a request CONNECT, which lws would keep open for ever */
        return -1;
    case LWS_CALLBACK_HTTP:
        lws_set_opaque_user_data(wsi, NULL); /* a head is complete: from here the peer is used */
        return peer_http(scope, wsi, reason, user, in, len);
    case LWS_CALLBACK_HTTP_BODY:
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
    case LWS_CALLBACK_HTTP_WRITEABLE:
    case LWS_CALLBACK_CLOSED_HTTP:
    case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
        return peer_http(scope, wsi, reason, user, in, len);
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        lws_set_opaque_user_data(wsi, NULL);
        return peer_ws(scope, wsi, reason, user, in, len);
    case LWS_CALLBACK_ESTABLISHED:
    case LWS_CALLBACK_RECEIVE:
    case LWS_CALLBACK_SERVER_WRITEABLE:
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
    case LWS_CALLBACK_WS_SERVER_DROP_PROTOCOL:
    case LWS_CALLBACK_CLOSED:
        return peer_ws(scope, wsi, reason, user, in, len);
    default:
        return 0;
    }
}

/* One warning a minute: strangers cause most of them. */
static void lws_line(int level, const char *line)
{
    enum { QUIET_SECONDS = 60 };
    static time_t last;
    int len = (int)strcspn(line, "\n");
    bool loud = level & LLL_ERR && (last == 0 || time(NULL) - last >= QUIET_SECONDS);
    if (loud)
        last = time(NULL);
    log_write(loud ? LOG_WARNING : LOG_DEBUG, "libwebsockets: %.*s", len, line);
}

/* At the start: we report a failure ourselves, once. */
static void lws_line_opening(int level, const char *line)
{
    lws_line(level & ~LLL_ERR, line);
}

/* "host:port", "[v6]:port" or ":port"; an empty host or "*" means all addresses. */
static bool split(const char *listen, char *host, size_t size, int *port)
{
    const char *colon = strrchr(listen, ':');
    size_t len = colon ? (size_t)(colon - listen) : 0;
    uint64_t n;
    if (!colon || !decimal(colon + 1, strlen(colon + 1), 65535, &n) || n == 0)
        return false;
    if (len >= 2 && listen[0] == '[' && listen[len - 1] == ']') {
        listen++;
        len -= 2;
    }
    if (len >= size)
        return false;
    memcpy(host, listen, len);
    host[len] = '\0';
    *port = (int)n;
    return true;
}

/* lws must stop accepting before the system refuses, because it spins on EMFILE. */
static unsigned file_limit(const struct config *c)
{
    enum { BESIDE = 128, OURS = 64, LEAST = 32 };
    struct rlimit files;
    unsigned want = (unsigned)c->max_connections + BESIDE;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= want + OURS)
        return want;
    return files.rlim_cur > OURS + LEAST ? (unsigned)files.rlim_cur - OURS : LEAST;
}

static void fill(struct lws_context_creation_info *info, const struct config *c, const char *host,
                 int port)
{
    enum {
        /* The receive buffer of each WebSocket. lws reads no more in one turn. A larger one would
         * make long messages cheaper, but clients send little. */
        RECEIVE_ROOM = 256,
        SEND_MAX = 65536 /* bytes of one write */
    };
    static const struct lws_protocols protocols[] = {
        {"socket.io", callback, sizeof(struct peer), RECEIVE_ROOM, 0, NULL, SEND_MAX},
        {NULL, NULL, 0, 0, 0, NULL, 0}};
    /* Without a mount, a waiting GET whose client has gone is never freed, and spins. */
    static const struct lws_http_mount mount = {.mountpoint = "/",
                                                .mountpoint_len = 1,
                                                .origin = "socket.io",
                                                .origin_protocol = LWSMPRO_CALLBACK};
    static const lws_retry_bo_t no_pings; /* the session sends heartbeats */
    info->port = port;
    info->iface = host[0] && strcmp(host, "*") != 0 ? host : NULL;
    info->protocols = protocols;
    info->mounts = &mount;
    info->retry_and_idle_policy = &no_pings;
    info->alpn = "http/1.1";
    info->max_http_header_data2 = HEADERS_MAX; /* with 4 KB, a large token would get no answer */
    info->timeout_secs = (unsigned)((c->request_timeout + 999) / 1000);
    info->timeout_secs_ah_idle = info->timeout_secs;
    info->keepalive_timeout = (int)info->timeout_secs;
    info->fd_limit_per_thread = file_limit(c);
    info->options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
    if (!strchr(host, ':') && host[0] && strcmp(host, "*") != 0)
        info->options |= LWS_SERVER_OPTION_DISABLE_IPV6;
}

/* Binds and closes; 0 or errno. lws does not report the reason. For an address of another machine
 * it waits silently. */
static int try_address(const char *host, int port)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    bool is_v6 = inet_pton(AF_INET6, host, &v6.sin6_addr) == 1;
    if (!is_v6 && inet_pton(AF_INET, host, &v4.sin_addr) != 1)
        return 0;
    int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1,
        problem = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || (is_v6 ? bind(fd, (struct sockaddr *)&v6, sizeof v6)
                         : bind(fd, (struct sockaddr *)&v4, sizeof v4)) != 0)
        problem = errno;
    if (fd >= 0)
        close(fd);
    return problem;
}

static void next_turn(uv_prepare_t *turn)
{
    ((struct server *)turn->data)->scope.turn++;
}

struct server *server_open(const struct config *config, uv_loop_t *loop, struct engine *engine,
                           char *err, size_t errlen)
{
    struct lws_context_creation_info info = {0};
    struct server *server = alloc(sizeof *server);
    char host[256] = "";
    int port = 0;
    void *loops[] = {loop};
    server->scope = (struct server_scope){.engine = engine, .config = config, .loop = loop};
    address_list_parse(config->trusted_proxies, &server->scope.proxies);
    lws_set_log_level(LLL_ERR | LLL_WARN, lws_line_opening);
    bool understood = split(config->listen, host, sizeof host, &port);
    int problem = understood ? try_address(host, port) : EINVAL;
    fill(&info, config, host, port);
    info.foreign_loops = loops;
    info.user = &server->scope;
    info.pcontext = &server->context; /* becomes NULL when everything has been freed */
    if (problem == 0)
        server->context = lws_create_context(&info);
    if (server->context)
        server->vhost = lws_create_vhost(server->context, &info);
    if (!server->vhost) {
        snprintf(err, errlen,
                 "listen: expected an address that is free here, found %s: %s: choose another with "
                 "--listen",
                 config->listen, problem ? strerror(problem) : "libwebsockets cannot use it");
        if (server->context)
            lws_context_destroy(server->context);
        address_list_free(&server->scope.proxies);
        free(server);
        return NULL;
    }
    lws_set_log_level(LLL_ERR | LLL_WARN, lws_line);
    uv_prepare_init(loop, &server->turn);
    server->turn.data = server;
    uv_prepare_start(&server->turn, next_turn);
    engine_set_net(engine, &peer_net);
    return server;
}

void server_stop_listening(struct server *server)
{
    server->scope.draining = true;
}

void server_close(struct server *server)
{
    uv_close((uv_handle_t *)&server->turn, NULL);
    lws_context_destroy(server->context);
}

void server_free(struct server *server)
{
    /* lws frees in stages; this is the rest, after the loop has ended. */
    if (server->context)
        lws_context_destroy(server->context);
    address_list_free(&server->scope.proxies);
    free(server);
}
