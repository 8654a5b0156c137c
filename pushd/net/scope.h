/*
 * scope: what all connections of the server share.
 */
#ifndef PUSHD_SCOPE_H
#define PUSHD_SCOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>
#include <uv.h>

#include "base/address.h"
#include "base/wheel.h"
#include "config/config.h"
#include "engineio/engine.h"
#include "http/answer_head.h"
#include "http/connection_limit.h"

struct connection;
struct connection_user;
struct lws_vhost;
struct websocket_request;

/* All parts of a request that is being read lie in room for the time of a callback. */
enum { READ_ROOM = 65536 };
/* The least rate at which a body must arrive and an answer be read: each further second needs this
 * many bytes. */
enum { BYTES_PER_SECOND = 10000 };

struct server_scope {
    struct engine *engine;
    const struct config *config;
    uv_loop_t *loop;
    struct wheel *wheel;
    struct address_list proxies;
    struct connection_limit *limit;
    const struct connection_user *user;
    struct connection *connections; /* all */
    struct connection *ready;       /* those whose next request has arrived already */
    uv_idle_t again;                /* runs while there are ready ones */
    struct lws_vhost *vhost;
    const struct websocket_request *upgrading; /* while libwebsockets takes a connection over */
    size_t open, most_open;                    /* connections and WebSockets */
    unsigned leaving;                          /* refused connections that are still open */
    bool draining;
    time_t dated;
    char date[ANSWER_DATE];
    char room[READ_ROOM];
};

/* The answer when no more files may be open. */
extern const struct refusal scope_full;
/* A connection or WebSocket begins (1) or ends (-1). */
void scope_count(struct server_scope *scope, int more);
/* The time for the head of an answer. */
const char *scope_date(struct server_scope *scope);

#endif
