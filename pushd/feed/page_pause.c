/* page_pause: see page_pause.h. */
#include "feed/page_pause.h"

enum { MICROSECONDS = 1000, BYTES_PER_MICROSECOND = PAGE_PAUSE_RATE / 1000000, RETURN_PART = 50 };

static const uint64_t MOST = (uint64_t)PAGE_PAUSE_MOST * MICROSECONDS;

static void give_back(struct page_pause *p, uint64_t microseconds)
{
    p->spent = microseconds < p->spent ? p->spent - microseconds : 0;
}

/* What has passed was a pause, or it gives something back. */
static void pass(struct page_pause *p, uint64_t now)
{
    uint64_t passed = now > p->at ? now - p->at : 0;
    if (!p->pausing)
        give_back(p, passed * MICROSECONDS / RETURN_PART);
    else if (passed < PAGE_PAUSE_MOST - p->spent / MICROSECONDS)
        p->spent += passed * MICROSECONDS;
    else
        p->spent = MOST;
    p->pausing = false;
    p->at = now;
}

void page_pause_page(struct page_pause *p, size_t events, size_t bytes, uint64_t now)
{
    p->pausing = false; /* a pause whose end was not asked for: the read was lost */
    pass(p, now);
    give_back(p, (bytes + events * PAGE_PAUSE_EVENT) / BYTES_PER_MICROSECOND);
    p->waited = false;
}

bool page_pause_more(struct page_pause *p, bool worth, struct metrics *metrics, uint64_t now)
{
    pass(p, now);
    if (!worth || p->spent + (uint64_t)PAGE_PAUSE_MS * MICROSECONDS > MOST)
        return false;
    if (!p->waited)
        metrics_add(metrics, METRIC_PAGES_WAITED, 1);
    p->waited = p->pausing = true;
    return true;
}
