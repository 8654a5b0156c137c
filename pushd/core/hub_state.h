/*
 * hub_state: the inside of struct hub, for the files that make it up: hub, engine, session,
 * transport, socket, identity.
 */
#ifndef PUSHD_HUB_STATE_H
#define PUSHD_HUB_STATE_H

#include "hub.h"
#include "net.h"
#include "room.h"
#include "session.h"
#include "socket.h"

struct told;

struct hub {
    const struct config *config;
    struct metrics *metrics;
    struct wheel *wheel;
    const struct backend *backend;
    const struct net *net;
    const struct keyset *keys;
    void (*unknown_key)(void *ctx);
    void *unknown_key_ctx;
    int64_t unix_ms; /* wall clock minus the clock of the wheel */
    struct session *sessions;
    struct socket *sockets; /* by sid */
    struct rooms *rooms;
    char *nsp[CONFIG_NAMESPACES_MAX];
    unsigned nsps;
    struct session *dirty, *ended;
    struct socket *fresh;    /* admitted since the read under way began */
    struct socket *settling; /* admitted before it */
    struct told *told;
    bool draining;
    size_t full;    /* sessions whose queue is half full */
    size_t waiting; /* sockets that wait to be admitted again */
};

void hub_count(struct hub *hub, enum metric_id id, double n);
void hub_dirty(struct session *s);
/* The socket does not wait for its rooms any more. */
void hub_ready(struct socket *k);
/* The socket hears all from now on; forgets its snapshot. */
void hub_settle(struct socket *k);
/* 20 random characters of base64url. */
void hub_new_sid(char *sid);
char *hub_strdup(const char *s);

#endif
