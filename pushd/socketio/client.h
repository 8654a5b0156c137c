/*
 * client: one session as Socket.IO sees it: its packets, its sockets, and what it has sent that
 * nobody has taken yet.
 *
 * It is made when the session opens and freed when it ends; session->user points to it.
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
    void *bearer; /* the backend's */
    struct socket *sockets;
    struct sio_decoder decoder;
    struct timer timeout; /* until the first namespace is connected */
    size_t inbox;         /* bytes of events that the backend has not taken */
    bool recovers;        /* it can do with offsets behind the arguments of an event */
    uint32_t left;        /* bit per namespace that was connected once and is no more */
};

/* The calls of struct engine_user; ctx is the hub. */
void client_opened(void *ctx, struct session *s, const struct request *rq, uint64_t now);
void client_message(void *ctx, struct session *s, bool binary, const char *data, size_t len,
                    uint64_t now);
void client_ended(void *ctx, struct session *s, const char *reason, bool by_client);
void client_upgraded(void *ctx, struct session *s);

#endif
