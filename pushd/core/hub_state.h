/*
 * hub_state: the inside of struct hub, for the files that make it up: hub, hub_event, hub_errand,
 * client, socket.
 */
#ifndef PUSHD_HUB_STATE_H
#define PUSHD_HUB_STATE_H

#include "client.h"
#include "engine.h"
#include "hub.h"
#include "offset.h"
#include "room.h"
#include "session.h"
#include "socket.h"

struct hub {
    const struct config *config;
    struct metrics *metrics;
    struct wheel *wheel;
    struct engine *engine;
    const struct backend *backend;
    struct socket *sockets; /* by sid */
    struct rooms *rooms;
    char *nsp[CONFIG_NAMESPACES_MAX];
    unsigned nsps;
    struct socket *fresh;       /* admitted since the read under way began */
    struct socket *settling;    /* admitted before it */
    uint64_t events;            /* read so far */
    size_t waiting;             /* sockets that wait to be admitted again */
    struct offset_log *offsets; /* NULL = there are none */
    char *prev,
        *cur; /* snapshots of the read under way, for its offsets; NULL = they tell nothing */
};

static inline void hub_count(struct hub *hub, enum metric_id id, double n)
{
    metrics_add(hub->metrics, id, n);
}

/* The socket has been admitted with this snapshot: until a read includes it, events visible in it
 * are not for the socket. */
void hub_fresh(struct socket *k, const char *snapshot);
/* The socket hears all from now on; forgets its snapshot. */
void hub_settle(struct socket *k);

/* The socket is to be told this after its other errands. */
void hub_errand(struct socket *k, int64_t id, const char *payload, size_t len, uint64_t now);
/* False if no errand of the socket was told with this number. */
bool hub_errand_acked(struct socket *k, int64_t number, uint64_t now);

#endif
