/*
 * cursor: which events of the log have been delivered, and what to ask for next.
 *
 * The cursor is (S, hi): the pg_snapshot of the last complete read and the greatest id delivered. A
 * read is one or more pages that share one upper snapshot, given by the head of the first page. A
 * opening is what the database says of itself when a session opens: system identifier, timeline,
 * epoch. A read that is lost half-way begins anew from (S, hi), and what its pages delivered is
 * left out.
 */
#ifndef PUSHD_CURSOR_H
#define PUSHD_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

struct cursor;

struct opening {
    const char *system_id;
    int tli;
    const char *epoch;
    const char *snapshot; /* where to begin if nothing of this system has been read */
    int64_t hi;           /* the greatest id given out, whatever the log still holds */
};

enum cursor_start {
    CURSOR_FIRST,    /* nothing was read before */
    CURSOR_SAME,     /* goes on, whatever restarted */
    CURSOR_CRASHED,  /* goes on, but xids may be given out again */
    CURSOR_PROMOTED, /* goes on, on a greater timeline */
    CURSOR_SET_BACK, /* the log ends before what was delivered: begins at this opening */
    CURSOR_OTHER,    /* another system, or back on a smaller timeline: begins at this opening */
};

/* The arguments of events_since; valid until the cursor changes. */
struct question {
    const char *since;
    int64_t hi;
    int seen_tli;     /* also all rows of a greater timeline; 0 = not asked */
    const char *upto; /* NULL on the first page */
    int64_t after;
};

struct cursor *cursor_new(void);
void cursor_free(struct cursor *c);

enum cursor_start cursor_open(struct cursor *c, const struct opening *opening);
struct question cursor_ask(const struct cursor *c);

/* The head of a page has arrived; false if its snapshot is none. */
bool cursor_head(struct cursor *c, const char *snapshot, const char *epoch);
/* A row of the page; false if an earlier, lost read delivered it. */
bool cursor_row(struct cursor *c, int64_t id, uint64_t xid);
/* The page has ended, and more rows follow or not; true if the read is complete, false if another
 * page is to be asked for. */
bool cursor_page(struct cursor *c, bool more);
/* The answer to the last question will not come. */
void cursor_lost(struct cursor *c);

/* Whether its question's since, and what of the read under way has come, say all that has been
 * delivered: not if it leaves out rows that a lost one delivered, nor if xids that since speaks of
 * may have been given out again (a crash or a failover since the last read). */
bool cursor_is_whole(const struct cursor *c);
/* The first page of a read, or of none under way. */
bool cursor_fresh(const struct cursor *c);
/* A head has named another epoch than open() did: the unlogged tables are empty, open again. */
bool cursor_epoch_changed(const struct cursor *c);

#endif
