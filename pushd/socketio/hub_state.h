/*
 * hub_state: the fields of struct hub, shared by hub, publish, client and socket.
 */
#ifndef PUSHD_HUB_STATE_H
#define PUSHD_HUB_STATE_H

#include "base/log_limit.h"
#include "base/offset.h"
#include "engineio/engine.h"
#include "engineio/session.h"
#include "socketio/client.h"
#include "socketio/hub.h"
#include "socketio/room.h"
#include "socketio/socket.h"

struct hub {
    const struct config *config;
    struct metrics *metrics;
    struct wheel *wheel;
    struct engine *engine;
    const struct backend *backend;
    struct socket *sockets; /* by sid */
    struct rooms *rooms;
    struct shared_texts *texts;   /* payloads of instructions */
    struct principal *principals; /* by id */
    char *nsp[CONFIG_NAMESPACES_MAX];
    unsigned nsps;
    struct socket *fresh;       /* joined since the read under way began */
    struct socket *settling;    /* joined before it */
    uint64_t events;            /* the number of events that were read */
    size_t waiting;             /* the number of sockets that wait for their rooms again */
    struct offset_log *offsets; /* NULL = there are none */
    struct log_limit lines;     /* about clients that connect */
    char *prev, *cur; /* snapshots of the read under way, for its offsets; NULL = without offsets */
};

static inline void hub_count(struct hub *hub, enum metric_id id, double n)
{
    metrics_add(hub->metrics, id, n);
}

#endif
