/* half_full: see half_full.h. */
#include "engineio/half_full.h"

#include <stddef.h>
#include <utlist.h>

void half_full_set(struct half_full **list, struct half_full *h, bool half_full)
{
    if (half_full == h->listed)
        return;
    h->listed = half_full;
    if (half_full) {
        h->took = true;
        DL_APPEND(*list, h);
    } else {
        DL_DELETE(*list, h); // NOLINT: the analyzer does not follow utlist
    }
}

void half_full_took(struct half_full *h)
{
    h->took = true;
}

/* All of them are looked at: what one took before belongs to the page before. */
bool half_full_worth_waiting(struct half_full *list, uint64_t now)
{
    bool worth = false;
    struct half_full *h;
    DL_FOREACH(list, h)
    {
        if (h->took)
            h->since = now;
        h->took = false;
        worth = worth || now - h->since < HALF_FULL_PATIENCE;
    }
    return worth;
}
