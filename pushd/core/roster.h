/*
 * roster: which sockets the database has still to be told of, in batches.
 *
 * A socket that comes is queued, then in flight (in a batch that has been sent), then forgotten
 * once the batch is answered. Batches are answered in the order in which they were taken. A batch
 * that was refused for now waits and is queued again later. A socket that goes is told only if the
 * database may know it.
 */
#ifndef PUSHD_ROSTER_H
#define PUSHD_ROSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "backend.h"
#include "offset.h"

/* Claims in a batch, at most: reads wait behind what each of them has missed. */
enum { ROSTER_CLAIMS = 20 };

struct roster;

struct roster *roster_new(void);
void roster_free(struct roster *r);
/* The database forgets all it was told (another session begins). */
void roster_clear(struct roster *r);

/* log: of the offset that a claim may have. */
void roster_connect(struct roster *r, const struct socket_info *s, const struct offset_log *log);
void roster_disconnect(struct roster *r, const char *sid, const char *reason, bool by_client);

/* The next batch of up to max, of which ROSTER_CLAIMS may be claims, as a JSON array, malloc'd;
 * NULL if there is none. */
char *roster_take_connects(struct roster *r, size_t max);
char *roster_take_disconnects(struct roster *r, size_t max);

/* The oldest batch of connects in flight was answered, or is to wait for roster_retry(). */
void roster_answered(struct roster *r);
void roster_refused(struct roster *r);
void roster_retry(struct roster *r);
/* Batches of connects in flight. */
size_t roster_in_flight(const struct roster *r);

#endif
