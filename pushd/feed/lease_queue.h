/*
 * lease_queue: which sockets are still to be registered in the database or removed, in batches.
 *
 * A new socket is queued, then in flight (its batch was sent), and forgotten when the batch is
 * answered. Batches are answered in the order in which they were taken. A batch that was refused
 * for now waits, and is queued again later. The end of a socket is reported only if the database
 * may know it.
 */
#ifndef PUSHD_LEASE_QUEUE_H
#define PUSHD_LEASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/offset.h"
#include "socketio/backend.h"

/* The most resumes in a batch: reads wait while the missed events of each are sent. */
enum { LEASE_QUEUE_RESUMES = 20 };

struct lease_queue;

struct lease_queue *lease_queue_new(void);
void lease_queue_free(struct lease_queue *r);
/* The database forgets all sockets (another session begins). */
void lease_queue_clear(struct lease_queue *r);

/* log checks the offset of a resume. */
void lease_queue_connect(struct lease_queue *r, const struct socket_info *s,
                         const struct offset_log *log);
void lease_queue_disconnect(struct lease_queue *r, const char *sid, const char *reason,
                            bool by_client);

/* The next batch of up to max as a JSON array, malloc'd. At most LEASE_QUEUE_RESUMES of them
 * resume. NULL if there is none. */
char *lease_queue_take_connects(struct lease_queue *r, size_t max);
char *lease_queue_take_disconnects(struct lease_queue *r, size_t max);

/* The oldest batch of connects was answered, or waits for lease_queue_retry(). */
void lease_queue_answered(struct lease_queue *r);
void lease_queue_refused(struct lease_queue *r);
void lease_queue_retry(struct lease_queue *r);
/* The number of batches of connects in flight. */
size_t lease_queue_in_flight(const struct lease_queue *r);

#endif
