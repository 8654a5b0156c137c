/*
 * gauges: gauges that clients report through the database. /metrics shows them beside pushd's own.
 *
 * A gauge is a name, labels and a value. Its name and labels are its series. A series has one
 * owner: the socket that reported it last. It is removed when that socket ends. So no series is
 * shown twice, and none outlives its client. A client cannot use a name of pushd's own metrics.
 */
#ifndef PUSHD_GAUGES_H
#define PUSHD_GAUGES_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

struct gauges;

/* The number of gauges that were not kept: malformed ones, and those above the limit. */
struct gauges_refused {
    size_t malformed, beyond;
};

/* most: the limit of series. 0 = keep nothing, and refuse nothing. */
struct gauges *gauges_new(size_t most);
void gauges_free(struct gauges *g);

/* Replaces the gauges of the socket. list is an array of {"name", "labels": {name: text}, "value"};
 * "labels" is optional. */
struct gauges_refused gauges_set(struct gauges *g, const char *sid, const json_t *list);
/* The socket has ended. */
void gauges_end(struct gauges *g, const char *sid);

/* The number of series. */
size_t gauges_count(const struct gauges *g);
/* Writes them as OpenMetrics text, families in the order of their names. */
void gauges_write(struct gauges *g, FILE *out);

#endif
