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
#include <uv.h>

#include "base/address.h"
#include "engineio/engine.h"

/* Where an HTTP request is. */
enum stage {
    STAGE_NONE,   /* there is none */
    STAGE_BODY,   /* its body comes */
    STAGE_CORE,   /* the core has it, and has not answered */
    STAGE_ANSWER, /* the answer waits to be written */
    STAGE_REST,   /* refused and answered: what still comes is thrown away */
    STAGE_DONE    /* the answer is with lws */
};

struct peer {
    /* of the request; malloc'd */
    char *query, *origin, *preflight, *cookie;
    bool preflighted; /* the method is OPTIONS */
    bool headless;    /* the method is HEAD: the answer has no body */
    enum method method;
    enum stage stage;
    uint64_t since; /* its head was complete */
    uint64_t heard; /* the last of its body came */
    unsigned turn;  /* in which it was answered */
    /* the body of a POST, or a fragmented message of a WebSocket */
    char *data;
    size_t len, size;
    /* a complete HTTP answer that waits to be written, after LWS_PRE bytes */
    unsigned char *answer;
    size_t answer_len;
    bool close_after; /* the connection cannot be used again */
    /* of a WebSocket */
    struct session *session;
    bool closing;
    unsigned close_code;
};

/* A timeout of lws is seen so much earlier, by the clock of the loop. */
enum { TICK_MS = 100 };

struct server_scope {
    struct engine *engine;
    const struct config *config;
    uv_loop_t *loop;
    struct address_list proxies;
    unsigned turn; /* a number of this turn of the loop */
    size_t stored; /* by all peers, in data */
    bool draining; /* new connections are closed as they come */
};

/* Return what the lws callback is to return. */
int peer_http(struct server_scope *scope, struct lws *wsi, enum lws_callback_reasons reason,
              struct peer *peer, void *in, size_t len);
int peer_ws(struct server_scope *scope, struct lws *wsi, enum lws_callback_reasons reason,
            struct peer *peer, void *in, size_t len);
void peer_clear(struct server_scope *scope, struct peer *peer);

/* Add to data, whose length the caller limits; false: receive_bytes would be exceeded. */
bool peer_store(struct server_scope *scope, struct peer *peer, const void *in, size_t len);
/* Free data. */
void peer_drop(struct server_scope *scope, struct peer *peer);

/* --- peer_head.c: the head of a request --- */

/* The request's headers as the core wants them; rq points into *h. */
enum { HEADERS_MAX = 16384 }; /* of all of a request: lws takes no more */
struct headers {
    char query[HEADERS_MAX], origin[512], authorization[10240], user_agent[256], preflight[512],
        type[128], peer[64];
    char forwarded_for[HEADERS_MAX]; /* its right end counts: it must fit */
};
void peer_request(struct lws *wsi, struct headers *h, struct request *rq);
/* One header; NULL if there is none, empty if it does not fit. */
const char *peer_header(struct lws *wsi, enum lws_token_indexes token, char *out, size_t size);
/* Does the path of this request belong to Socket.IO? Also its method. */
bool peer_path(struct lws *wsi, const char *path, enum method *method);
/* Is the head one that we and a proxy before us must read alike? */
bool peer_head_is_plain(struct lws *wsi);
/* May the connection be used again? One that several clients share may not. */
bool peer_keeps(struct lws *wsi, const struct address_list *proxies);
/* Announces a body? Its length; -1: not known, -2: nonsense. */
bool peer_body(struct lws *wsi, long long *length);
/* Is this token in a header that holds a list of them? Without regard to case. */
bool peer_list_has(struct lws *wsi, enum lws_token_indexes header, const char *token);

/* --- peer_ws.c: what struct net asks of a WebSocket --- */

bool peer_ws_send(void *ws, const void *data, size_t len);
void peer_ws_close(void *ws, unsigned code);
void peer_ws_pause(void *ws, bool paused);

extern const struct net peer_net;

#endif
