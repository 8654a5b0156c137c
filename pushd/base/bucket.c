/* bucket: see bucket.h. Integers only: each millisecond returns rate thousandths of a token. */
#include "base/bucket.h"

enum { THOUSANDTHS = 1000 };

/* A larger debt is cut to this, which is far from an overflow. */
static const uint64_t SPENT_MAX = UINT64_MAX / 4;

static uint64_t spent_at(const struct bucket *b, uint64_t rate, uint64_t now)
{
    uint64_t passed = now > b->at ? now - b->at : 0;
    return passed > b->spent / rate ? 0 : b->spent - passed * rate;
}

void bucket_take(struct bucket *b, uint64_t rate, uint64_t n, uint64_t now)
{
    b->spent = spent_at(b, rate, now);
    if (now > b->at)
        b->at = now;
    b->spent += n < SPENT_MAX / THOUSANDTHS ? n * THOUSANDTHS : SPENT_MAX;
    if (b->spent > SPENT_MAX)
        b->spent = SPENT_MAX;
}

bool bucket_has(const struct bucket *b, uint64_t rate, uint64_t n, uint64_t now)
{
    return n <= rate && spent_at(b, rate, now) <= (rate - n) * THOUSANDTHS;
}

uint64_t bucket_wait(const struct bucket *b, uint64_t rate, uint64_t now)
{
    uint64_t spent = spent_at(b, rate, now), full = rate * THOUSANDTHS;
    return spent > full ? (spent - full + rate - 1) / rate : 0;
}
