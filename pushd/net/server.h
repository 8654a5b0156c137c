/*
 * server: the network of Socket.IO clients, on the loop of the process.
 *
 * It accepts connections (listener.h), reads and answers HTTP (connection.h, exchange.h), and hands
 * WebSockets over to libwebsockets (upgrade.h, websocket.h). It implements struct net for the core.
 * It knows HTTP and WebSocket, but not Engine.IO.
 */
#ifndef PUSHD_SERVER_H
#define PUSHD_SERVER_H

#include <stddef.h>
#include <uv.h>

#include "base/wheel.h"
#include "config/config.h"

struct engine;
struct server;

/* Listens on config->listen and serves engine; sets its net. wheel is that of the loop. The limit
 * of open files is final. NULL with one line in err. */
struct server *server_open(const struct config *config, uv_loop_t *loop, struct wheel *wheel,
                           struct engine *engine, char *err, size_t errlen);
/* Why nobody can connect at the moment, NULL if they can. */
const char *server_reason(const struct server *server);
/* Accepts nobody from now on, and ends each connection that it answers; WebSockets go on. */
void server_stop_listening(struct server *server);
/* Closes all connections. Run the loop until it ends, then call server_free(). */
void server_close(struct server *server);
void server_free(struct server *server);

#endif
