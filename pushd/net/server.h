/*
 * server: the network of Socket.IO clients: libwebsockets on the loop of the process.
 *
 * It turns the callbacks of lws into requests and messages for the core (engine.h), and implements
 * struct net for the answers. It knows HTTP and WebSocket, but not Engine.IO.
 */
#ifndef PUSHD_SERVER_H
#define PUSHD_SERVER_H

#include <stddef.h>
#include <uv.h>

#include "config/config.h"

struct engine;
struct server;

/* Listens on config->listen and serves engine; sets its net. NULL with one line in err. */
struct server *server_open(const struct config *config, uv_loop_t *loop, struct engine *engine,
                           char *err, size_t errlen);
/* Closes new connections from now on; existing ones continue. */
void server_stop_listening(struct server *server);
/* Closes all connections. Run the loop until it ends, then call server_free(). */
void server_close(struct server *server);
void server_free(struct server *server);

#endif
