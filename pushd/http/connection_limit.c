/* connection_limit: see connection_limit.h. */
#include "http/connection_limit.h"

#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

#include "base/alloc.h"

struct counted_address {
    UT_hash_handle hh;
    struct address key;
    unsigned n;
    struct counted *idle; /* those that are idle, the longest so first */
};

struct connection_limit {
    unsigned most;
    struct counted_address *addresses;
};

struct connection_limit *connection_limit_new(unsigned most)
{
    struct connection_limit *l = alloc(sizeof *l);
    l->most = most;
    return l;
}

void connection_limit_free(struct connection_limit *l)
{
    free(l);
}

static struct counted_address *address_of(struct connection_limit *l, const struct address *a)
{
    struct address key = address_to_count(a);
    struct counted_address *of;
    HASH_FIND(hh, l->addresses, &key, sizeof key, of);
    if (of)
        return of;
    of = alloc(sizeof *of);
    of->key = key;
    HASH_ADD(hh, l->addresses, key, sizeof of->key, of);
    return of;
}

bool connection_limit_enter(struct connection_limit *l, struct counted *c, const struct address *a,
                            struct counted **over)
{
    struct counted_address *of = address_of(l, a);
    *over = NULL;
    if (of->n >= l->most && !of->idle)
        return false;
    of->n++;
    *c = (struct counted){.of = of};
    if (of->n > l->most) {
        *over = of->idle;
        connection_limit_leave(l, *over);
    }
    return true;
}

void connection_limit_idle(struct counted *c, bool served)
{
    if (!c->of || c->idle)
        return;
    c->idle = true;
    if (served)
        DL_APPEND(c->of->idle, c);
    else
        DL_PREPEND(c->of->idle, c);
}

void connection_limit_busy(struct counted *c)
{
    if (!c->idle)
        return;
    c->idle = false;
    DL_DELETE(c->of->idle, c);
}

void connection_limit_leave(struct connection_limit *l, struct counted *c)
{
    struct counted_address *of = c->of;
    if (!of)
        return;
    connection_limit_busy(c);
    c->of = NULL;
    if (--of->n > 0)
        return;
    HASH_DEL(l->addresses, of); // NOLINT: the analyzer does not follow uthash
    free(of);
}
