/*
 * client: the Socket.IO state of one session: its packets, its sockets, and its events that the
 * backend has still to process.
 *
 * It exists as long as its session. session->user points to it.
 */
#ifndef PUSHD_CLIENT_H
#define PUSHD_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/wheel.h"
#include "engineio/engine.h"
#include "socketio/sio_decoder.h"

struct hub;
struct socket;

struct client {
    struct hub *hub;
    struct session *session;
    void *bearer;     /* the backend's */
    char *user_agent; /* cut, printable; NULL = none */
    struct socket *sockets;
    struct sio_decoder decoder;
    struct timer timeout; /* until the first namespace is connected */
    size_t inbox;         /* bytes of events that the backend has not processed */
    size_t kept;          /* bytes of events that cannot go to the backend yet */
    size_t awaiting;      /* of those, the one whose attachments have not all arrived */
    bool recovers;        /* its handlers ignore an offset after the arguments of an event */
    uint32_t left;        /* a bit for each namespace that was connected and is not now */
};

/* The calls of struct engine_user; ctx is the hub. */
void client_opened(void *ctx, struct session *s, const struct request *rq, uint64_t now);
void client_message(void *ctx, struct session *s, bool binary, const char *data, size_t len,
                    uint64_t now);
void client_ended(void *ctx, struct session *s, const char *reason, bool by_client);
void client_upgraded(void *ctx, struct session *s);
void client_room(void *ctx, struct session *s);

#endif
