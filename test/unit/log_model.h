/*
 * log_model: the event log and its transactions, as events_since() promises to answer for them.
 *
 * given counts how often the cursor gave a row out.
 */
#ifndef TEST_LOG_MODEL_H
#define TEST_LOG_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/snapshot.h"
#include "feed/cursor.h"

enum { ROWS = 4000, OPEN = 16 };

struct row {
    int64_t id;
    uint64_t xid;
    int tli;
    bool committed, gone;
    int given;
};

struct model {
    struct row rows[ROWS];
    int n;
    uint64_t open[OPEN]; /* ascending */
    int opens;
    uint64_t next_xid;
    int64_t next_id;
    int tli;
    const char *system;
    char epoch[16];
    int epochs;
};
extern struct model model;

void model_begin_anew(void);
void model_new_epoch(void);
uint64_t model_begin(void);
struct row *model_emit(uint64_t xid);
void model_end(uint64_t xid, bool commit);
/* One event in a transaction of its own. */
struct row *model_event(void);
/* What was open is rolled back, and its xids are given out again; ids are not: the sequence jumps.
 */
void model_crash(void);
/* A standby takes over that has only the first rows: ids and xids of the others are given out
 * again, on a greater timeline. */
void model_promote(int rows);
const char *model_snapshot(void);
/* The new row with the smallest id beyond after, or NULL. */
struct row *model_next(const struct question *q, int64_t after, const struct snapshot *since,
                       const struct snapshot *upto);

#endif
