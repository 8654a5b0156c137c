/*
 * hub: Socket.IO, version 5: clients, their sockets, rooms, and the way of an event from the
 * backend to the queues of its receivers.
 *
 * A room is a set of sockets of one namespace; a socket is in the rooms that the backend named when
 * it admitted it. What is said of a socket that has ended meanwhile is ignored.
 *
 * An instruction is an event that a socket is told when it has acknowledged the one before:
 * instruction.h.
 */
#ifndef PUSHD_HUB_H
#define PUSHD_HUB_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/metrics.h"
#include "base/wheel.h"
#include "config/config.h"
#include "socketio/backend.h"

struct engine;
struct hub;
struct offset_log;

/* It becomes the user of engine. */
struct hub *hub_new(const struct config *config, struct metrics *metrics, struct wheel *wheel,
                    struct engine *engine);
/* Must be set before the first request; borrowed. */
void hub_set_backend(struct hub *hub, const struct backend *backend);
/* The log has offsets, so clients may recover. Must be set before the first request; borrowed. */
void hub_set_offsets(struct hub *hub, struct offset_log *offsets);
/* All sessions must have ended. */
void hub_free(struct hub *hub);

/* --- answers of the backend about one socket --- */

/* The socket is connected: its CONNECT is answered. */
void hub_accept(struct hub *hub, const char *sid);
/* Or it is to be answered by hub_set_rooms(): the client resumes this earlier socket, after
 * this offset (NULL = none). False if that can be none, and nothing has changed.
 * hub_accept() ends a resume that is not judged. */
bool hub_resume(struct hub *hub, const char *sid, const char *was, const char *offset);
/* It is not, and is gone when this returns; data (NULL = none) says more to the client. */
void hub_refuse(struct hub *hub, const char *sid, const char *message, const json_t *data);
/* Its events have no effect from now on, and what is held of them is dropped; acks are answered.
 * False takes that back. */
void hub_mute(struct hub *hub, const char *sid, bool mute);

struct registration {
    const char *sid;
    int64_t principal; /* 0: there is nobody behind this socket; it is muted */
    const char *rooms; /* separated by commas */
    /* Instructions for this socket alone, or NULL; borrowed: an array of {"payload": text, "ack":
     * id}, without "ack" of those that are not to be acknowledged. */
    json_t *greeting;
    const char *snapshot; /* pg_snapshot that the rooms were read with, or NULL */
    bool recovers;        /* the client may resume this socket later: its events get offsets */
    /* Of a socket that resumes an earlier one: {"prev", "cur", "events": [[id,
     * payload, whether cur does not see it]]}, what it missed; else NULL. Borrowed. */
    const json_t *missed;
};
/*
 * The rooms of an accepted socket. The first admission sends the greeting and makes the socket
 * ignore events visible in the snapshot; a later one only replaces its rooms. A socket that resumes
 * an earlier one is accepted by it, after what it missed.
 */
void hub_set_rooms(struct hub *hub, const struct registration *a, uint64_t now);
/* Would that make a difference for a socket that has been admitted? */
bool hub_differs(struct hub *hub, const struct registration *a);
/* The rooms of this socket may have changed, and could not be read: it is in none until it is
 * admitted again, for which the backend is asked. If there were events meanwhile, which may have
 * been for it, its session ends then. */
void hub_doubt(struct hub *hub, const char *sid, uint64_t now);

/* Send an event, a JSON array [name, args...], to an accepted socket alone. With an ack id (-1 =
 * none) the client is asked to answer: backend.acked(). with may be NULL. Not for sockets that get
 * instructions, which have ack ids of their own. */
void hub_emit(struct hub *hub, const char *sid, const char *payload, size_t len, int64_t ack,
              const struct attachments *with);
/* Answer the ack of an event, once: args is a JSON array. */
void hub_ack(struct hub *hub, const char *sid, const char *ack, const char *args, size_t len,
             const struct attachments *with);
/* The backend has taken (or refused for good) an event of this client, of so many bytes. */
void hub_taken(struct hub *hub, const char *sid, size_t bytes);
/* Is there still this socket? */
bool hub_has(struct hub *hub, const char *sid);

/* --- about one client --- */

/* Close it at the end of the turn: transport only, so that it may come back. */
void hub_dismiss(struct client *c);
const char *hub_address(const struct client *c);
/* Call f for each of its sockets; f may refuse the one it is called for. */
void hub_each_socket(struct client *c, void (*f)(void *ctx, const struct socket_info *s),
                     void *ctx);

/* --- about all --- */

/* What sockets may hear is not known any more: none is in a room until it is admitted again, and
 * the backend is asked again to connect each. */
void hub_renew(struct hub *hub, uint64_t now);
/* Sockets that were joined and wait to be admitted again: what is read before, they miss. */
size_t hub_waiting(const struct hub *hub);

struct event {
    int64_t id;
    uint64_t xid;
    const char *nsp;
    const char *rooms;   /* separated by commas */
    int64_t except;      /* principal that does not hear it, 0 = nobody */
    const char *payload; /* JSON array [name, args...], as it goes out */
    size_t payload_len;
    bool instruction;       /* each receiver is to acknowledge it */
    int64_t instruction_id; /* 0 = backend.instruction() is not called */
};
/* The first page of a new read has arrived: its snapshot includes those of all admissions so far.
 */
void hub_read_begin(struct hub *hub);
/* The snapshots of the read before and of this one; NULL: its events have no offset, and who hears
 * one of them last cannot be recovered. */
void hub_read_marks(struct hub *hub, const char *prev, const char *cur);
/* Put an event into the queue of each receiver, once each. */
void hub_publish(struct hub *hub, const struct event *e, uint64_t now);
/* Some queue is half full: let clients take of it before more is read. */
bool hub_is_full(const struct hub *hub);
/* The last page of the read has been given. */
void hub_read_end(struct hub *hub);

#endif
