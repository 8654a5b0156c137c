/*
 * offset: a client's position in the event log, as a signed text. The client sends it when it
 * reconnects.
 *
 * The log is read in steps. A read returns the events that its own snapshot (cur) sees and that of
 * the last read (prev) does not. Events are ordered by id. A client that has received a read up to
 * an id has received two sets:
 * - all events that prev sees
 * - the events up to that id that cur sees
 *
 * Every daemon with the secret of the log can find what the client missed. The text is signed
 * because it becomes part of a query. It is valid in one epoch of the log.
 */
#ifndef PUSHD_OFFSET_H
#define PUSHD_OFFSET_H

#include <stdbool.h>
#include <stdint.h>

/* The longest text. With many open transactions there is no offset. */
enum { OFFSET_MAX = 1000 };

struct offset_log {
    char *secret, *epoch;
    char text[OFFSET_MAX + 1]; /* the last one made */
};

struct offset {
    char prev[OFFSET_MAX], cur[OFFSET_MAX];
    int64_t id;
};

/* Offsets belong to this log from now on. */
void offset_open(struct offset_log *log, const char *secret, const char *epoch);
void offset_close(struct offset_log *log);

/* Valid until the next call. "-" if there is no offset; nobody accepts that as one. */
const char *offset_make(struct offset_log *log, const char *prev, const char *cur, int64_t id);
/* False if it is not an offset of this log. */
bool offset_read(const struct offset_log *log, const char *text, struct offset *out);

#endif
