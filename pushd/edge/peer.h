/*
 * peer: what the server keeps of one connection (lws' per-session data).
 *
 * For HTTP it lives for one transaction; for a WebSocket as long as the connection. peer_http() and
 * peer_ws() take the callbacks of the one and of the other.
 */
#ifndef PUSHD_PEER_H
#define PUSHD_PEER_H

#include <libwebsockets.h>
#include <stdbool.h>

#include "engine.h"

struct peer {
    /* of the request; malloc'd */
    char *query, *origin, *preflight, *cookie;
    bool preflighted; /* the method is OPTIONS */
    enum method method;
    bool awaits_body;
    /* the body of a POST, or a fragmented message of a WebSocket */
    char *data;
    size_t len, size;
    /* a complete HTTP answer that waits to be written, after LWS_PRE bytes */
    unsigned char *answer;
    size_t answer_len;
    bool close_after; /* the connection cannot be used again */
    bool close_asked; /* by the client: lws closes, the answer says so */
    bool pending;     /* handed to the core and not answered */
    /* of a WebSocket */
    struct session *session;
    bool closing;
    unsigned close_code;
};

struct server_scope {
    struct engine *engine;
    const struct config *config;
    uv_loop_t *loop;
    bool draining; /* new connections are closed as they come */
};

/* Return what the lws callback is to return. */
int peer_http(struct server_scope *scope, struct lws *wsi, enum lws_callback_reasons reason,
              struct peer *peer, void *in, size_t len);
int peer_ws(struct server_scope *scope, struct lws *wsi, enum lws_callback_reasons reason,
            struct peer *peer, void *in, size_t len);
void peer_clear(struct peer *peer);

/* The request's headers as the core wants them; rq points into *h. */
enum { HEADERS_MAX = 16384 }; /* of all of a request: lws takes no more */
struct headers {
    char query[2048], origin[512], authorization[10240], preflight[512], type[128], peer[64];
    char forwarded_for[HEADERS_MAX]; /* its right end counts: it must fit */
};
void peer_request(struct lws *wsi, struct headers *h, struct request *rq);
/* Does the path of this request belong to Socket.IO? Also its method. */
bool peer_path(struct lws *wsi, const char *path, enum method *method);

extern const struct net peer_net;

#endif
