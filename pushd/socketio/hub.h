/*
 * hub: Socket.IO, version 5: clients, sockets, rooms, and the way of an event from the backend to
 * the queues of its receivers.
 *
 * A room is a set of sockets of one namespace. The backend names the rooms of a socket in
 * hub_set_rooms(). Calls for a socket that has ended are ignored.
 *
 * An instruction is an event that must be acknowledged. A socket receives the next one after that:
 * ack_queue.h.
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
#include "socketio/greeting.h"

struct engine;
struct hub;
struct offset_log;

/* It becomes the user of the engine. */
struct hub *hub_new(const struct config *config, struct metrics *metrics, struct wheel *wheel,
                    struct engine *engine);
/* Set it before the first request; borrowed. */
void hub_set_backend(struct hub *hub, const struct backend *backend);
/* The log has offsets, so clients may recover. Set it before the first request; borrowed. */
void hub_set_offsets(struct hub *hub, struct offset_log *offsets);
/* All sessions must have ended. */
void hub_free(struct hub *hub);

/* Call it regularly: says how many lines about clients were left out. */
void hub_tick(struct hub *hub, uint64_t now);

/* --- answers of the backend for one socket --- */

/* Connects the socket: answers its CONNECT. */
void hub_accept(struct hub *hub, const char *sid);
/* Leaves the answer to hub_set_rooms(): the client resumes this earlier socket, after this offset
 * (NULL = none). False, without any change, if that is impossible. hub_accept() ends a resume
 * without a result. */
bool hub_resume(struct hub *hub, const char *sid, const char *was, const char *offset);
/* Refuses the socket, which no longer exists afterwards. data (NULL = none) tells the client more.
 */
void hub_refuse(struct hub *hub, const char *sid, const char *message, const json_t *data);
/* Ignores the socket's events from now on and drops those that are held. Acks are still answered.
 * False undoes it. */
void hub_mute(struct hub *hub, const char *sid, bool mute);

struct registration {
    const char *sid;
    int64_t principal; /* 0: nobody; the socket is muted */
    const char *rooms; /* separated by commas */
    /* Instructions for this socket, or NULL. Borrowed: several sockets may have the same. */
    const struct greeting *greeting;
    const char *snapshot; /* the pg_snapshot of the rooms, or NULL */
    bool recovers;        /* the client may resume this socket: its events get offsets */
    /* For a socket that resumes: what it missed, {"prev", "cur", "events": [[id, payload, whether
     * cur does not see it]]}; otherwise NULL. Borrowed. */
    const json_t *missed;
};
/* Makes a greeting of what greeting_new() takes. Free it with greeting_free(). */
struct greeting *hub_greeting(struct hub *hub, const json_t *events);
/*
 * Sets the rooms of an accepted socket. The first call joins it: it sends the greeting, and the
 * socket does not receive events that the snapshot sees. Later calls only replace the rooms. For a
 * socket that resumes, the call also accepts it, after the events that it missed.
 */
void hub_set_rooms(struct hub *hub, const struct registration *a, uint64_t now);
/* Would hub_set_rooms() change anything for a joined socket? */
bool hub_differs(struct hub *hub, const struct registration *a);
/* The rooms of this socket may have changed but could not be read. It leaves all rooms and the
 * backend is asked again. If events are read before the answer, one may be for it: then its session
 * ends. */
void hub_doubt(struct hub *hub, const char *sid, uint64_t now);

/* The session of this socket ends at the end of the turn. Nothing reaches the socket before, and
 * nothing that it sends has an effect. */
void hub_kick(struct hub *hub, const char *sid);

/* Sends an event, a JSON array [name, args...], to this accepted socket only. With an ack id (-1 =
 * none) the client's acknowledgement goes to backend.acked(). with may be NULL. Not for sockets
 * with instructions, which have their own ack ids. */
void hub_emit(struct hub *hub, const char *sid, const char *payload, size_t len, int64_t ack,
              const struct attachments *with);
/* Answers the ack of an event, once. args is a JSON array. */
void hub_ack(struct hub *hub, const char *sid, const char *ack, const char *args, size_t len,
             const struct attachments *with);
/* The backend has processed (or refused) an event of this client; bytes is its size. */
void hub_taken(struct hub *hub, const char *sid, size_t bytes);
/* This principal has sent too much: pushd reads from none of its sockets for so long. */
void hub_pause(struct hub *hub, int64_t principal, uint64_t ms, uint64_t now);
/* Does this socket still exist? */
bool hub_has(struct hub *hub, const char *sid);

/* --- one client --- */

/* Closes the transport at the end of the turn; the client may reconnect. */
void hub_dismiss(struct client *c);
const char *hub_address(const struct client *c);
/* Calls f for each of its sockets. f may refuse that socket. */
void hub_each_socket(struct client *c, void (*f)(void *ctx, const struct socket_info *s),
                     void *ctx);

/* --- all clients --- */

/* The rights of all sockets are unknown now. Each leaves its rooms, and the backend is asked again
 * to connect it. */
void hub_renew(struct hub *hub, uint64_t now);
/* The number of joined sockets that wait for their rooms again. They miss the events that are read
 * before. */
size_t hub_waiting(const struct hub *hub);

struct event {
    int64_t id;
    uint64_t xid;
    const char *nsp;
    const char *rooms;   /* separated by commas */
    int64_t except;      /* a principal that does not receive it; 0 = none */
    const char *payload; /* the JSON array [name, args...] as it is sent */
    size_t payload_len;
    bool instruction;       /* each receiver must acknowledge it */
    int64_t instruction_id; /* 0 = without backend.ack_report() */
};
/* A new read has its first page. Its snapshot includes those of all admissions so far. */
void hub_read_begin(struct hub *hub);
/* The snapshots of the read before and of this one. NULL: events have no offset, and a client that
 * receives one of them last cannot recover. */
void hub_read_marks(struct hub *hub, const char *prev, const char *cur);
/* Adds an event to the queue of each receiver, once. */
void hub_publish(struct hub *hub, const struct event *e, uint64_t now);
/* True if a queue is half full whose client takes what is sent: it should receive more before more
 * is read. */
bool hub_worth_waiting(struct hub *hub, uint64_t now);
/* The read has had its last page. */
void hub_read_end(struct hub *hub);

#endif
