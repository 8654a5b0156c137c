/* snapshot: see snapshot.h. Accepts what PostgreSQL's pg_snapshot_in() accepts, without leading
 * zeros and duplicates, which PostgreSQL never writes. */
#include "base/snapshot.h"
#include "base/alloc.h"
#include "base/decimal.h"

#include <stdlib.h>
#include <string.h>

/* Returns 0 if there is no number: no transaction has the id 0. */
static uint64_t number(const char **p, const char *end)
{
    uint64_t n;
    return **p != '0' && decimal_take(p, end, UINT64_MAX, &n) ? n : 0;
}

static bool parse_xip(struct snapshot *s, const char *p, const char *end)
{
    if (!*p)
        return true;
    for (uint64_t last = 0;; p++) {
        uint64_t xid = number(&p, end);
        if (xid <= last || xid < s->xmin || xid >= s->xmax)
            return false;
        s->xip[s->n++] = last = xid;
        if (*p != ',')
            return !*p;
    }
}

struct snapshot *snapshot_parse(const char *text)
{
    const char *p = text, *end = p + strlen(p);
    uint64_t xmin = number(&p, end);
    if (!xmin || *p++ != ':')
        return NULL;
    uint64_t xmax = number(&p, end);
    if (xmax < xmin || *p++ != ':')
        return NULL;
    size_t commas = 1;
    for (const char *q = p; *q; q++)
        commas += *q == ',';
    struct snapshot *s = alloc(sizeof *s + commas * sizeof s->xip[0]);
    s->xmin = xmin;
    s->xmax = xmax;
    if (parse_xip(s, p, end))
        return s;
    free(s);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

bool snapshot_sees(const struct snapshot *s, uint64_t xid)
{
    if (xid < s->xmin)
        return true;
    if (xid >= s->xmax)
        return false;
    return !s->n || !bsearch(&xid, s->xip, s->n, sizeof s->xip[0], compare);
}
