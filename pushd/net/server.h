/*
 * server: the network of Socket.IO clients: libwebsockets on the loop of the process.
 *
 * It turns what lws calls back into requests and messages of the core (engine.h) and is the struct
 * net that the core answers through. It knows HTTP and WebSocket and nothing of Engine.IO.
 */
#ifndef PUSHD_SERVER_H
#define PUSHD_SERVER_H

#include <stddef.h>
#include <uv.h>

#include "config/config.h"

struct engine;
struct server;

/* Listen on config->listen and serve engine; sets its net. NULL with one line in err. */
struct server *server_open(const struct config *config, uv_loop_t *loop, struct engine *engine,
                           char *err, size_t errlen);
/* New connections are closed as they come; those that are open go on. */
void server_stop_listening(struct server *server);
/* Close all connections. Run the loop until it ends, then call server_free(). */
void server_close(struct server *server);
void server_free(struct server *server);

#endif
