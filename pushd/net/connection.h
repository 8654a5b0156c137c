/*
 * connection: a client's connection while it speaks HTTP: accepted, read, written, closed.
 *
 * It has one request at a time. Bytes that arrive behind a request are kept until that is answered,
 * up to the length of a head; then nothing more is read.
 *
 * stage  how far its request is
 * held   in STAGE_CORE: its request belongs to a session, which answers it later
 * ready  its next request has arrived, and is read in the next turn
 * leave  it has its last answer, and only reads what the client still sends, for a while: if it
 *        were closed at once, the system would reset it, and the client might lose the answer
 */
#ifndef PUSHD_CONNECTION_H
#define PUSHD_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/address.h"
#include "base/sid.h"
#include "base/wheel.h"
#include "engineio/net.h"
#include "http/connection_limit.h"
#include "http/request_head.h"
#include "net/scope.h"

struct post;

enum stage {
    STAGE_HEAD,    /* it waits for a head */
    STAGE_BODY,    /* the body is arriving */
    STAGE_CORE,    /* the core has the request and has not answered */
    STAGE_ANSWER,  /* the answer is being written */
    STAGE_LEAVING, /* it leaves */
    STAGE_CLOSED   /* libuv has still to let go of it */
};

struct connection {
    uv_tcp_t tcp;
    struct server_scope *scope;
    struct connection *prev, *next, *prev_ready, *next_ready;
    struct timer timer; /* the time that the stage may take */
    struct counted counted;
    struct address peer; /* perhaps a proxy */
    enum stage stage;
    bool trusted; /* peer is one of trusted_proxies */
    bool idle;    /* nothing of its next request has arrived */
    bool working; /* its bytes are being read */
    bool ready;   /* it is one of the scope's ready ones */
    bool full;    /* nothing is read, since too much is kept */
    bool ended;   /* the client sends no more */
    bool refused; /* it was refused when it was accepted */
    /* of the request */
    bool bodiless, preflight;
    bool last;                       /* the connection ends with its answer */
    bool served;                     /* its last answer had the status 200 */
    const struct request_head *head; /* while it is being looked at */
    struct post *post;               /* while the body is arriving */
    char *origin, *cookie;           /* malloc'd */
    char sid[SID_LEN + 1];           /* of the session that holds it */
    uint64_t since;                  /* when it began to leave */
    char *kept;
    size_t kept_len, seen; /* seen: bytes of the head that were looked at */
    size_t body_left;      /* in STAGE_BODY */
};

/* The layer above, which reads requests and answers them. */
struct connection_user {
    /*
     * Takes a head or a part of a body from the beginning of data, which the connection has read.
     * Returns how many bytes were used; 0: a head has not arrived completely.
     */
    size_t (*take)(struct connection *c, char *data, size_t len);
    /* The connection is refused when it is accepted. */
    void (*refuse)(struct connection *c, const struct refusal *no);
    /* The client sends no more. True if its request is still to be answered. */
    bool (*ended)(struct connection *c);
    /* The stage has taken too long; the connection is about to be closed. */
    void (*late)(struct connection *c);
    /* The connection is being closed. */
    void (*gone)(struct connection *c);
};

/* Takes the next connection of a listener. */
void connection_accept(struct server_scope *scope, uv_stream_t *listener);
/* Writes head and body, which are copied if need be. Then it reads on, or leaves if it is the last
 * request. */
void connection_write(struct connection *c, const char *head, size_t head_len, const void *body,
                      size_t len);
/* Ends the connection if the stage takes longer than this. */
void connection_wait(struct connection *c, enum stage stage, uint64_t ms);
/* The only way to close it. The memory is freed in the next turn. */
void connection_end(struct connection *c);
/* Reads on with those that are ready. */
void connection_start(struct server_scope *scope);

#endif
