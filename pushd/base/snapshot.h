/*
 * snapshot: parses PostgreSQL's pg_snapshot ("xmin:xmax:xip,xip") and says whether it sees a
 * transaction.
 */
#ifndef PUSHD_SNAPSHOT_H
#define PUSHD_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct snapshot {
    uint64_t xmin, xmax;
    size_t n;
    uint64_t xip[]; /* ascending */
};

/* malloc'd; NULL if text is not a pg_snapshot. */
struct snapshot *snapshot_parse(const char *text);
/* The same as pg_visible_in_snapshot(xid, s). */
bool snapshot_sees(const struct snapshot *s, uint64_t xid);

#endif
