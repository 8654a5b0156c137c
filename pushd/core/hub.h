/*
 * hub: sockets, rooms, and the way of an event from the backend to the queues of its receivers.
 *
 * A room is a set of sockets of one namespace; a socket is in the rooms that the backend named when
 * it was admitted. A turn is what happens between two waits of the loop: queues fill during it and
 * each client is sent to once, in hub_flush(), at its end.
 */
#ifndef PUSHD_HUB_H
#define PUSHD_HUB_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "backend.h"
#include "config.h"
#include "metrics.h"
#include "token.h"
#include "wheel.h"

struct hub;
struct net;

struct hub *hub_new(const struct config *config, struct metrics *metrics, struct wheel *wheel);
/* Both must be set before the first request; they are borrowed. */
void hub_set_backend(struct hub *hub, const struct backend *backend);
void hub_set_net(struct hub *hub, const struct net *net);
/* Called when a token names a key that is not in the set: fetch them again. */
void hub_on_unknown_key(struct hub *hub, void (*f)(void *ctx), void *ctx);
/* The wall clock: unix_ms since the epoch at the monotonic time now. Call now and then. */
void hub_set_clock(struct hub *hub, int64_t unix_ms, uint64_t now);
/* Judge tokens by these keys from now on; those that waited for a key set are judged now. The hub
 * only borrows keys: the caller frees the old set after this call. */
void hub_set_keys(struct hub *hub, const struct keyset *keys, uint64_t now);
/* All sessions must have ended. */
void hub_free(struct hub *hub);

/* --- answers of the backend --- */

struct admission {
    const char *sid;
    int64_t principal;    /* 0: no principal has this subject */
    const char *rooms;    /* separated by commas */
    json_t *greeting;     /* array of [name, args...] for this socket alone, or NULL; borrowed */
    const char *snapshot; /* pg_snapshot that the rooms were read with */
};
/*
 * The rooms of a socket; one that has ended meanwhile is ignored. The first admission sends the
 * greeting and makes the socket ignore events visible in the snapshot; a later one only replaces
 * its rooms.
 */
void hub_admit(struct hub *hub, const struct admission *a, uint64_t now);

/* What sockets may hear is not known any more: none is in a room until it is admitted again. */
void hub_forget_rooms(struct hub *hub);
/* Sockets that were joined and wait to be admitted again: what is read before, they miss. */
size_t hub_waiting(const struct hub *hub);

/* Call f for each live socket with a good token: to register them again. */
void hub_each_socket(struct hub *hub, void (*f)(void *ctx, const struct socket_info *s), void *ctx);

struct event {
    int64_t id;
    uint64_t xid;
    const char *nsp;
    const char *rooms;   /* separated by commas */
    int64_t except;      /* principal that does not hear it, 0 = nobody */
    const char *payload; /* JSON array [name, args...], as it goes out */
    size_t payload_len;
};
/* The first page of a new read has arrived: its snapshot includes those of all admissions so far.
 */
void hub_read_begin(struct hub *hub);
/* Put an event into the queue of each receiver, once each. */
void hub_event(struct hub *hub, const struct event *e);
/* Some queue is half full: let clients take of it before more is read. */
bool hub_is_full(const struct hub *hub);
/* The last page of the read has been given. */
void hub_read_end(struct hub *hub);

/* The backend has taken (or refused for good) an event of this client, of so many bytes. */
void hub_taken(struct hub *hub, const char *sid, size_t bytes);

/* --- the turn --- */

/* Send what is queued: one send per client, more only if more than 64 KB waits and the network
 * takes it. Call at the end of each turn. */
void hub_flush(struct hub *hub);

/* Sessions now open; for the drain. */
size_t hub_sessions(const struct hub *hub);
/* Refuse new sessions from now on. */
void hub_drain(struct hub *hub);
/* Close up to n sessions, transport only, never a packet "41": their clients reconnect. */
void hub_close_some(struct hub *hub, size_t n);

#endif
