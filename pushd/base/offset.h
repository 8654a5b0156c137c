/*
 * offset: what a client has heard of the log, as a text that it hands back when it reconnects.
 *
 * Reads bring events that the snapshot of the read before does not see (prev), up to their own
 * (cur), by id. A client that has heard of such a read the events up to an id has heard all that
 * prev sees, and of what cur sees those up to the id. Any daemon that knows the secret of this log
 * can tell what it missed. The text is signed, since the database is asked by it, and belongs to an
 * epoch.
 */
#ifndef PUSHD_OFFSET_H
#define PUSHD_OFFSET_H

#include <stdbool.h>
#include <stdint.h>

/* The longest text; with many open transactions there is none. */
enum { OFFSET_MAX = 1000 };

struct offset_log {
    char *secret, *epoch;
    char text[OFFSET_MAX + 1]; /* the last one made */
};

struct offset {
    char prev[OFFSET_MAX], cur[OFFSET_MAX];
    int64_t id;
};

/* Offsets are of this log from now on. */
void offset_open(struct offset_log *log, const char *secret, const char *epoch);
void offset_close(struct offset_log *log);

/* Valid until the next one is made. What cannot be told is "-", which nobody takes for an offset.
 */
const char *offset_make(struct offset_log *log, const char *prev, const char *cur, int64_t id);
/* False if it is none of this log. */
bool offset_read(const struct offset_log *log, const char *text, struct offset *out);

#endif
