/* cursor: see cursor.h. */
#include "feed/cursor.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/snapshot.h"

/* What a lost read had delivered: the rows that upto sees, up to this id. */
struct part {
    struct part *next;
    struct snapshot *upto;
    int64_t after;
};

struct cursor {
    char *system_id, *epoch, *since;
    int tli, seen_tli;
    int64_t hi;
    int64_t floor; /* after a promotion hi may fall to this, because ids are used again */
    bool epoch_changed;
    bool stale; /* since is older than a crash or a failover */
    /* the read under way */
    char *upto;
    int64_t after;
    struct part *parts;
};

struct cursor *cursor_new(void)
{
    struct cursor *c = alloc(sizeof *c);
    return c;
}

static void set(char **to, const char *text)
{
    char *copy = alloc_text(text);
    free(*to);
    *to = copy;
}

static void forget_parts(struct cursor *c)
{
    for (struct part *p; (p = c->parts);) {
        c->parts = p->next;
        free(p->upto);
        free(p);
    }
}

static void forget_read(struct cursor *c)
{
    free(c->upto);
    c->upto = NULL;
    c->after = 0;
}

void cursor_free(struct cursor *c)
{
    if (!c)
        return;
    forget_parts(c);
    forget_read(c);
    free(c->system_id);
    free(c->epoch);
    free(c->since);
    free(c);
}

enum cursor_start cursor_open(struct cursor *c, const struct opening *opening)
{
    enum cursor_start start = CURSOR_SAME;
    cursor_lost(c);
    if (!c->system_id)
        start = CURSOR_FIRST;
    else if (strcmp(c->system_id, opening->system_id) != 0 || opening->tli < c->tli)
        start = CURSOR_OTHER;
    else if (opening->tli > c->tli)
        start = CURSOR_PROMOTED;
    /* Ids below hi may be used again, by transactions that the old snapshot seems to see. Until a
     * greater timeline is read, hi belongs to the old one. */
    else if (strcmp(c->epoch, opening->epoch) != 0)
        start = opening->hi < c->hi && !c->seen_tli ? CURSOR_SET_BACK : CURSOR_CRASHED;

    c->stale |= start == CURSOR_CRASHED || start == CURSOR_PROMOTED;
    if (start == CURSOR_FIRST || start == CURSOR_SET_BACK || start == CURSOR_OTHER) {
        c->stale = false;
        set(&c->since, opening->snapshot);
        c->hi = opening->hi;
        c->seen_tli = 0;
    }
    /* xids and ids of the old timeline are used again. Rows that look delivered may be new.
     * Delivering one twice is better than never. */
    if (start != CURSOR_SAME && start != CURSOR_CRASHED)
        forget_parts(c);
    if (start == CURSOR_PROMOTED && !c->seen_tli)
        c->seen_tli = c->tli;
    c->tli = opening->tli;
    c->floor = opening->hi;
    set(&c->system_id, opening->system_id);
    set(&c->epoch, opening->epoch);
    c->epoch_changed = false;
    return start;
}

struct question cursor_ask(const struct cursor *c)
{
    return (struct question){c->since, c->hi, c->seen_tli, c->upto, c->after};
}

bool cursor_head(struct cursor *c, const char *snapshot, const char *epoch)
{
    if (strcmp(epoch, c->epoch) != 0)
        c->epoch_changed = true;
    if (c->upto)
        return true;
    struct snapshot *s = snapshot_parse(snapshot);
    if (!s)
        return false;
    free(s);
    set(&c->upto, snapshot);
    return true;
}

bool cursor_row(struct cursor *c, int64_t id, uint64_t xid)
{
    c->after = id;
    for (const struct part *p = c->parts; p; p = p->next)
        if (id <= p->after && snapshot_sees(p->upto, xid))
            return false;
    return true;
}

bool cursor_page(struct cursor *c, bool more)
{
    if (more)
        return false;
    if (c->seen_tli)
        c->hi = c->floor;
    if (c->after > c->hi)
        c->hi = c->after;
    c->seen_tli = 0;
    c->stale = false;
    free(c->since);
    c->since = c->upto;
    c->upto = NULL;
    forget_read(c);
    forget_parts(c);
    return true;
}

void cursor_lost(struct cursor *c)
{
    if (c->upto && c->after) {
        struct part *p = alloc(sizeof *p);
        *p = (struct part){c->parts, snapshot_parse(c->upto), c->after};
        c->parts = p;
    }
    forget_read(c);
}

bool cursor_is_whole(const struct cursor *c)
{
    return !c->parts && !c->stale;
}

bool cursor_fresh(const struct cursor *c)
{
    return !c->upto;
}

bool cursor_epoch_changed(const struct cursor *c)
{
    return c->epoch_changed;
}
