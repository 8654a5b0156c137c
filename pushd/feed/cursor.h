/*
 * cursor: which events of the log were delivered, and which to read next.
 *
 * The cursor is (S, hi): the pg_snapshot of the last complete read and the greatest delivered id. A
 * read is one or more pages with one upper snapshot, which the head of the first page names. An
 * opening is what the database says about itself at the beginning of a session: system identifier,
 * timeline, epoch. A read that is lost half-way begins again from (S, hi), without the rows that
 * its pages delivered.
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
    const char *snapshot; /* where to begin if nothing of this system was read */
    int64_t hi;           /* the greatest id that was assigned, even if the log no longer has it */
};

enum cursor_start {
    CURSOR_FIRST,    /* nothing was read before */
    CURSOR_SAME,     /* continues, even after a restart */
    CURSOR_CRASHED,  /* continues, but xids may be used again */
    CURSOR_PROMOTED, /* continues on a greater timeline */
    CURSOR_SET_BACK, /* the log ends before the delivered events: begins at this opening */
    CURSOR_OTHER,    /* another system, or a smaller timeline: begins at this opening */
};

/* The arguments of events_since; valid until the cursor changes. */
struct question {
    const char *since;
    int64_t hi;
    int seen_tli;     /* also all rows of a greater timeline; 0 = no */
    const char *upto; /* NULL on the first page */
    int64_t after;
};

struct cursor *cursor_new(void);
void cursor_free(struct cursor *c);

enum cursor_start cursor_open(struct cursor *c, const struct opening *opening);
struct question cursor_ask(const struct cursor *c);

/* The head of a page has arrived. False if its snapshot is invalid. */
bool cursor_head(struct cursor *c, const char *snapshot, const char *epoch);
/* A row of the page. False if an earlier, lost read delivered it. */
bool cursor_row(struct cursor *c, int64_t id, uint64_t xid);
/* The page has ended; more: other pages follow. True if the read is complete, false if the next
 * page must be read. */
bool cursor_page(struct cursor *c, bool more);
/* The answer to the last question will not come. */
void cursor_lost(struct cursor *c);

/*
 * True if the question's since, and the part of the read that has arrived, describe all delivered
 * rows. It is false in two cases:
 * - the read leaves out rows that a lost read delivered
 * - there was a crash or a failover since the last read, so that xids in since may be used again
 */
bool cursor_is_whole(const struct cursor *c);
/* True at the first page of a read, and between reads. */
bool cursor_fresh(const struct cursor *c);
/* A head has named another epoch than the opening: the unlogged tables are empty. Open again. */
bool cursor_epoch_changed(const struct cursor *c);

#endif
