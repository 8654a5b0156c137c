/*
 * peer: the server's data of one connection (lws' per-session data).
 *
 * For HTTP it exists for one request; for a WebSocket, as long as the connection. peer_http() and
 * peer_ws() handle the callbacks.
 */
#ifndef PUSHD_PEER_H
#define PUSHD_PEER_H

#include <libwebsockets.h>
#include <stdbool.h>
#include <uv.h>

#include "base/address.h"
#include "engineio/engine.h"

/* The progress of an HTTP request. */
enum stage {
    STAGE_NONE,   /* there is no request */
    STAGE_BODY,   /* the body is arriving */
    STAGE_CORE,   /* the core has the request and has not answered */
    STAGE_ANSWER, /* the answer is to be written */
    STAGE_REST,   /* refused and answered; the rest of the request is dropped */
    STAGE_DONE    /* lws has the answer */
};

struct peer {
    /* of the request; malloc'd */
    char *query, *origin, *preflight, *cookie;
    bool preflighted; /* the method is OPTIONS */
    bool headless;    /* the method is HEAD: the answer has no body */
    enum method method;
    enum stage stage;
    uint64_t since;   /* when its head was complete */
    uint64_t arrived; /* when the last part of its body arrived */
    unsigned turn;    /* the turn in which it was answered */
    /* the body of a POST, or a fragmented message of a WebSocket */
    char *data;
    size_t len, size;
    /* a complete HTTP answer to be written, after LWS_PRE bytes */
    unsigned char *answer;
    size_t answer_len;
    bool close_after; /* the connection cannot be used for another request */
    /* of a WebSocket */
    struct session *session;
    bool closing;
    unsigned close_code;
};

/* lws timeouts are handled this much earlier, by the clock of the loop. */
enum { TICK_MS = 100 };

struct server_scope {
    struct engine *engine;
    const struct config *config;
    uv_loop_t *loop;
    struct address_list proxies;
    unsigned turn; /* the number of this turn of the loop */
    size_t stored; /* bytes in data, of all peers */
    bool draining; /* new connections are closed immediately */
};

/* They return the value for the lws callback. */
int peer_http(struct server_scope *scope, struct lws *wsi, enum lws_callback_reasons reason,
              struct peer *peer, void *in, size_t len);
int peer_ws(struct server_scope *scope, struct lws *wsi, enum lws_callback_reasons reason,
            struct peer *peer, void *in, size_t len);
void peer_clear(struct server_scope *scope, struct peer *peer);

/* Appends to data; the caller limits its length. False: receive_bytes would be exceeded. */
bool peer_store(struct server_scope *scope, struct peer *peer, const void *in, size_t len);
/* Frees data. */
void peer_drop(struct server_scope *scope, struct peer *peer);

/* --- peer_head.c: the head of a request --- */

/* The headers of the request for the core. rq points into *h. */
enum { HEADERS_MAX = 16384 }; /* of one request; lws accepts no more */
struct headers {
    char query[HEADERS_MAX], origin[512], authorization[10240], user_agent[256], preflight[512],
        type[128], peer[64];
    char forwarded_for[HEADERS_MAX]; /* must fit, because its right end counts */
};
void peer_request(struct lws *wsi, struct headers *h, struct request *rq);
/* One header. NULL if there is none, empty if it does not fit. */
const char *peer_header(struct lws *wsi, enum lws_token_indexes token, char *out, size_t size);
/* Does the path of this request belong to Socket.IO? Also sets its method. */
bool peer_path(struct lws *wsi, const char *path, enum method *method);
/* Do we and a proxy before us read this head in the same way? */
bool peer_head_is_plain(struct lws *wsi);
/* May the connection serve another request? Not if several clients share it. */
bool peer_keeps(struct lws *wsi, const struct address_list *proxies);
/* Does it announce a body? Sets its length; -1: unknown, -2: invalid. */
bool peer_body(struct lws *wsi, long long *length);
/* Does this header, which is a list of tokens, have this one? Ignores case. */
bool peer_list_has(struct lws *wsi, enum lws_token_indexes header, const char *token);

/* --- peer_ws.c: functions of struct net --- */

bool peer_ws_send(void *ws, const void *data, size_t len);
void peer_ws_close(void *ws, unsigned code);
void peer_ws_pause(void *ws, bool paused);

extern const struct net peer_net;

#endif
