/*
 * lease_queue: which sockets the database has still to be told of, in batches.
 *
 * A socket that comes is queued, then in flight (in a batch that has been sent), then forgotten
 * once the batch is answered. Batches are answered in the order in which they were taken. A batch
 * that was refused for now waits and is queued again later. A socket that goes is told only if the
 * database may know it.
 */
#ifndef PUSHD_LEASE_QUEUE_H
#define PUSHD_LEASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/offset.h"
#include "socketio/backend.h"

/* Resumes in a batch, at most: reads wait behind what each of them has missed. */
enum { LEASE_QUEUE_RESUMES = 20 };

struct lease_queue;

struct lease_queue *lease_queue_new(void);
void lease_queue_free(struct lease_queue *r);
/* The database forgets all it was told (another session begins). */
void lease_queue_clear(struct lease_queue *r);

/* log: of the offset that a resume may have. */
void lease_queue_connect(struct lease_queue *r, const struct socket_info *s,
                         const struct offset_log *log);
void lease_queue_disconnect(struct lease_queue *r, const char *sid, const char *reason,
                            bool by_client);

/* The next batch of up to max, of which LEASE_QUEUE_RESUMES may be resumes, as a JSON array,
 * malloc'd; NULL if there is none. */
char *lease_queue_take_connects(struct lease_queue *r, size_t max);
char *lease_queue_take_disconnects(struct lease_queue *r, size_t max);

/* The oldest batch of connects in flight was answered, or is to wait for lease_queue_retry(). */
void lease_queue_answered(struct lease_queue *r);
void lease_queue_refused(struct lease_queue *r);
void lease_queue_retry(struct lease_queue *r);
/* Batches of connects in flight. */
size_t lease_queue_in_flight(const struct lease_queue *r);

#endif
