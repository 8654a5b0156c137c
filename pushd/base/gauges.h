/*
 * gauges: numbers of clients that the database reports, for /metrics beside pushd's own.
 *
 * A gauge is a name, labels and a value; name and labels together are its series. A series has one
 * owner, the socket whose gauges named it last, and goes when that socket ends: so none is shown
 * twice, and none outlives the client that it tells of. Families of pushd's own are nobody's.
 */
#ifndef PUSHD_GAUGES_H
#define PUSHD_GAUGES_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

struct gauges;

/* Of gauges that were not kept: those that are none, and those past the most. */
struct gauges_refused {
    size_t malformed, beyond;
};

/* most: series at the same time; 0 = nothing is kept, and nothing refused. */
struct gauges *gauges_new(size_t most);
void gauges_free(struct gauges *g);

/* These are the gauges of the socket from now on, an array of {"name", "labels": {name: text},
 * "value"}; labels may be left out. */
struct gauges_refused gauges_set(struct gauges *g, const char *sid, const json_t *list);
/* The socket has ended. */
void gauges_end(struct gauges *g, const char *sid);

/* Series now kept. */
size_t gauges_count(const struct gauges *g);
/* Their OpenMetrics text, families in the order of their names. */
void gauges_write(struct gauges *g, FILE *out);

#endif
