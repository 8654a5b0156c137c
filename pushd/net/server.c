/* server: see server.h. */
#include "net/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "net/connection.h"
#include "net/exchange.h"
#include "net/listener.h"
#include "net/reply.h"
#include "net/scope.h"
#include "net/websocket.h"

struct server {
    struct server_scope scope;
    struct listener *listener;
    struct lws_context *context;
};

static const struct net NET = {.reply = reply_send,
                               .cookie = reply_cookie,
                               .send = websocket_send,
                               .close = websocket_shut,
                               .pause = websocket_pause};

/* The rest is for files of our own, and for connections that are refused. */
static size_t most_open(void)
{
    enum { OURS = 96, LEAST = 32 };
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur < OURS + LEAST)
        return LEAST;
    return files.rlim_cur - OURS;
}

static void free_scope(struct server_scope *scope)
{
    connection_limit_free(scope->limit);
    address_list_free(&scope->proxies);
}

struct server *server_open(const struct config *config, uv_loop_t *loop, struct wheel *wheel,
                           struct engine *engine, char *err, size_t errlen)
{
    struct server *server = alloc(sizeof *server);
    struct server_scope *scope = &server->scope;
    scope->engine = engine;
    scope->config = config;
    scope->loop = loop;
    scope->user = &exchange_user;
    scope->wheel = wheel;
    scope->most_open = most_open();
    scope->limit = connection_limit_new((unsigned)config->max_connections_per_address);
    address_list_parse(config->trusted_proxies, &scope->proxies);
    connection_start(scope);
    if (websocket_open(scope, &server->context)) {
        server->listener = listener_open(scope, err, errlen);
    } else {
        snprintf(err, errlen,
                 "libwebsockets: expected it to start on libuv, found that it "
                 "cannot: is the package libwebsockets-evlib-uv installed?");
    }
    if (!server->listener) {
        websocket_close(server->context);
        free_scope(scope);
        free(server);
        return NULL;
    }
    engine_set_net(engine, &NET);
    return server;
}

const char *server_reason(const struct server *server)
{
    return listener_reason(server->listener);
}

void server_stop_listening(struct server *server)
{
    server->scope.draining = true;
    listener_close(server->listener);
    server->listener = NULL;
}

void server_close(struct server *server)
{
    while (server->scope.connections)
        connection_end(server->scope.connections);
    listener_close(server->listener);
    uv_close((uv_handle_t *)&server->scope.again, NULL);
    websocket_close(server->context);
}

void server_free(struct server *server)
{
    websocket_close(server->context);
    free_scope(&server->scope);
    free(server);
}
