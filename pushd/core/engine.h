/*
 * engine: the front door of Engine.IO, version 4: which request means what.
 *
 * The checks and their order are those of the reference server (engine.io, verify()). Every request
 * ends in a reply, in a session, or in both.
 */
#ifndef PUSHD_ENGINE_H
#define PUSHD_ENGINE_H

#include <stdint.h>

#include "hub.h"
#include "net.h"

struct session;

/* An answer that refuses: HTTP status and JSON body. */
struct refusal {
    int status;
    const char *body;
};

/* To any request for a session that there is not. */
extern const struct refusal engine_unknown_sid;

/* A polling request, complete with its body; answered now or later. */
void engine_request(struct hub *hub, const struct request *rq, void *request, uint64_t now);
/* The client of an unanswered request has gone. */
void engine_gone(struct hub *hub, void *request, const char *query, uint64_t now);

/* May this request become a WebSocket? NULL if so. */
const struct refusal *engine_refuses_ws(struct hub *hub, const struct request *rq);
/* It has become one: a new session, or a probe of one that polls. NULL: close it. */
struct session *engine_ws(struct hub *hub, const struct request *rq, void *ws, uint64_t now);
/* A whole message of a WebSocket. */
void engine_ws_message(struct session *s, void *ws, bool binary, const char *data, size_t len,
                       uint64_t now);
/* The backlog that send() reported is gone. */
void engine_writable(struct session *s, void *ws);
/* A WebSocket has ended; not called for those ended by net.close. */
void engine_ws_gone(struct session *s, void *ws, uint64_t now);

/* Is this origin (NULL = none) allowed by a list as in config.cors_allowed_origins? */
bool engine_origin_allowed(const char *list, const char *origin);

#endif
