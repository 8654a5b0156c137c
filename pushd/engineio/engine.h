/*
 * engine: Engine.IO, version 4: the front door (which request means what), and all sessions.
 *
 * The checks and their order are those of the reference server (engine.io, verify()). Every request
 * ends in a reply, in a session, or in both. What messages mean is the business of the layer above,
 * struct engine_user. A turn is what happens between two waits of the loop: queues fill during it
 * and each client is sent to once, in engine_flush(), at its end.
 */
#ifndef PUSHD_ENGINE_H
#define PUSHD_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/metrics.h"
#include "base/wheel.h"
#include "config/config.h"
#include "engineio/net.h"

struct engine;
struct session;

/* The layer above; what it keeps of a session is its session->user. */
struct engine_user {
    void *ctx;
    /* A session has begun; its open packet is on its way. rq is valid during the call. */
    void (*opened)(void *ctx, struct session *s, const struct request *rq, uint64_t now);
    void (*message)(void *ctx, struct session *s, bool binary, const char *data, size_t len,
                    uint64_t now);
    /* by_client: it said so, broke a rule or fell silent; else it did nothing and will be back. */
    void (*ended)(void *ctx, struct session *s, const char *reason, bool by_client);
    /* Its transport is WebSocket now. May be NULL. */
    void (*upgraded)(void *ctx, struct session *s);
};

struct engine *engine_new(const struct config *config, struct metrics *metrics,
                          struct wheel *wheel);
/* Both must be set before the first request. net is borrowed, user is copied. */
void engine_set_net(struct engine *e, const struct net *net);
void engine_set_user(struct engine *e, const struct engine_user *user);
/* All sessions must have ended. */
void engine_free(struct engine *e);

/* --- for the network --- */

/* A polling request, complete with its body; answered now or later. */
void engine_request(struct engine *e, const struct request *rq, void *request, uint64_t now);
/*
 * A POST whose body may take a while to come: NULL if it may. It is the one POST of its session
 * until engine_request() or engine_gone(); another meanwhile ends the session.
 */
const struct refusal *engine_refuses_post(struct engine *e, const struct request *rq, void *request,
                                          uint64_t now);
/* The client of an unanswered request has gone. */
void engine_gone(struct engine *e, void *request, const char *query, uint64_t now);

/* May this request become a WebSocket? NULL if so. */
const struct refusal *engine_refuses_ws(struct engine *e, const struct request *rq, uint64_t now);
/* It has become one: a new session, or a probe of one that polls. NULL: close it. */
struct session *engine_ws(struct engine *e, const struct request *rq, void *ws, uint64_t now);
/* A whole message of a WebSocket. */
void engine_ws_message(struct session *s, void *ws, bool binary, const char *data, size_t len,
                       uint64_t now);
/* The network closes a WebSocket with this code, for what came over it; the handle is gone. */
enum { WS_NOT_UTF8 = 1007, WS_TOO_LARGE = 1009, WS_TRY_LATER = 1013 };
void engine_ws_broken(struct session *s, void *ws, unsigned code);
/* The backlog that send() reported is gone. */
void engine_writable(struct session *s, void *ws);
/* A WebSocket has ended; not called for those ended by net.close. */
void engine_ws_gone(struct session *s, void *ws, uint64_t now);

/* The network has refused a request: by engine_refuses_ws(), or by itself. */
void engine_refused(struct engine *e, enum metric_id metric);

/* The network keeps so many bytes more, or fewer, of requests and messages that came in part. */
void engine_receiving(struct engine *e, double bytes);

/* Is this origin (NULL = none) allowed by a list as in config.cors_allowed_origins? */
bool engine_origin_allowed(const char *list, const char *origin);

/* --- the turn, and the end --- */

/* Send what is queued: one send per client, more only if more than 64 KB waits and the network
 * takes it. Call at the end of each turn. */
void engine_flush(struct engine *e);
/* Some queue is half full. */
bool engine_is_full(const struct engine *e);
/* Sessions now open; for the drain. */
size_t engine_sessions(const struct engine *e);
/* Refuse new sessions from now on. */
void engine_drain(struct engine *e);
/* Close up to n sessions, transport only: their clients reconnect. */
void engine_close_some(struct engine *e, size_t n);

#endif
