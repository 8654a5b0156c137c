/*
 * engine: Engine.IO, version 4: checks requests, begins sessions, and holds all sessions.
 *
 * The checks and their order are those of the reference server (engine.io, verify()). Every request
 * ends in a reply, in a session, or in both. The layer above, struct engine_user, gives messages
 * their meaning. A turn is the work between two waits of the loop. Queues fill during a turn, and
 * engine_flush() sends to each client once at its end.
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

/* The layer above. It keeps its data of a session in session->user. */
struct engine_user {
    void *ctx;
    /* A session has begun, and its open packet is being sent. rq is valid during the call. */
    void (*opened)(void *ctx, struct session *s, const struct request *rq, uint64_t now);
    void (*message)(void *ctx, struct session *s, bool binary, const char *data, size_t len,
                    uint64_t now);
    /* by_client: the client ended it, broke a rule or became silent. Otherwise it did nothing and
     * will reconnect. */
    void (*ended)(void *ctx, struct session *s, const char *reason, bool by_client);
    /* The transport is WebSocket now. May be NULL. */
    void (*upgraded)(void *ctx, struct session *s);
    /* Is it known who the client is? May be NULL: always. */
    bool (*knows)(void *ctx, const struct session *s);
    /* All that was queued has been sent, after session_has_room() was false. NULL if nobody
     * asks. */
    void (*room)(void *ctx, struct session *s);
};

struct engine *engine_new(const struct config *config, struct metrics *metrics,
                          struct wheel *wheel);
/* Set both before the first request. net is borrowed, user is copied. */
void engine_set_net(struct engine *e, const struct net *net);
void engine_set_user(struct engine *e, const struct engine_user *user);
/* All sessions must have ended. */
void engine_free(struct engine *e);

/* --- for the network --- */

/* A polling request, complete with its body. It is answered now or later. */
void engine_request(struct engine *e, const struct request *rq, void *request, uint64_t now);
/*
 * A POST whose body of body_len bytes may arrive slowly: NULL if it is accepted. It is the only
 * POST of its session until engine_request() or engine_gone(); another one ends the session.
 */
const struct refusal *engine_refuses_post(struct engine *e, const struct request *rq, void *request,
                                          uint64_t now);
/* The client of an unanswered request of this session has gone. */
void engine_gone(struct engine *e, void *request, const char *sid);

/* NULL if this request may become a WebSocket. */
const struct refusal *engine_refuses_ws(struct engine *e, const struct request *rq, uint64_t now);
/* The request has become a WebSocket: a new session, or a probe of a polling one. NULL: close it.
 */
struct session *engine_ws(struct engine *e, const struct request *rq, void *ws, uint64_t now);
/* A whole message from a WebSocket. */
void engine_ws_message(struct session *s, void *ws, bool binary, const char *data, size_t len,
                       uint64_t now);
/* The network closes a WebSocket with this code because of what it received. The handle is gone. */
enum { WS_NOT_UTF8 = 1007, WS_TOO_LARGE = 1009, WS_TRY_LATER = 1013 };
void engine_ws_broken(struct session *s, void *ws, unsigned code);
/* The backlog that send() reported has been sent. */
void engine_writable(struct session *s, void *ws);
/* A WebSocket has ended. Not called for those that net.close() ended. */
void engine_ws_gone(struct session *s, void *ws, uint64_t now);

/* The network has refused a request: because of engine_refuses_ws(), or by itself. */
void engine_refused(struct engine *e, enum metric_id metric);

/*
 * What is kept of clients that has arrived in part or must wait grows or shrinks from one size to
 * another. All of it together has the limit receive_bytes, for the network and the layer above
 * alike. False: the limit would be exceeded. A few kB are allowed in any case, so that many clients
 * that fill receive_bytes keep out only large messages.
 */
bool engine_keep(struct engine *e, size_t from, size_t to);
/* May so many bytes of a message wait for the rest of it? Before the client is known,
 * stranger_bytes is the limit. False: the WebSocket is closed, as by engine_ws_broken(). */
bool engine_ws_may_wait(struct session *s, void *ws, size_t bytes);

/* So many connections more (or fewer) are open. */
void engine_connections(struct engine *e, int more);

/* Does a list as in config.cors_allowed_origins allow this origin (NULL = none)? */
bool engine_origin_allowed(const char *list, const char *origin);

/* --- the turn and the end --- */

/* Sends what is queued. Each client gets one send, or more if more than 64 KB waits and the network
 * accepts it. Call it at the end of each turn. */
void engine_flush(struct engine *e);
/* True if a queue is half full whose client takes what is sent: half_full.h. */
bool engine_worth_waiting(struct engine *e, uint64_t now);
/* The number of open sessions. */
size_t engine_sessions(const struct engine *e);
/* Refuses new sessions from now on. */
void engine_drain(struct engine *e);
/* Closes the transports of up to n sessions. Their clients reconnect. */
void engine_close_some(struct engine *e, size_t n);

#endif
