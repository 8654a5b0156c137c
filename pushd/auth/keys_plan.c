/* keys_plan: see keys_plan.h. */
#include "auth/keys_plan.h"

#include <stdio.h>
#include <string.h>

/* 1 s << 20 is more than any gap. */
enum { DOUBLINGS_MAX = 20 };

void keys_plan_init(struct keys_plan *p, uint64_t max_age, uint64_t gap, uint64_t now)
{
    memset(p, 0, sizeof *p);
    p->max_age = max_age;
    p->gap = gap;
    p->good = now;
}

void keys_plan_want(struct keys_plan *p)
{
    p->wanted = true;
}

void keys_plan_force(struct keys_plan *p)
{
    p->forced = true;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t retry_after(const struct keys_plan *p)
{
    unsigned doublings = p->failures - 1 < DOUBLINGS_MAX ? p->failures - 1 : DOUBLINGS_MAX;
    return least((uint64_t)KEYS_RETRY_MS << doublings, p->gap);
}

int64_t keys_plan_due(const struct keys_plan *p, uint64_t now)
{
    uint64_t due = p->begun + p->max_age;
    if (p->looking)
        return -1;
    if (!p->looked || p->forced)
        return 0;
    if (p->failures > 0)
        due = least(due, p->ended + retry_after(p));
    if (p->wanted)
        due = p->was_wanted ? least(due, p->asked + p->gap) : now;
    return due > now ? (int64_t)(due - now) : 0;
}

void keys_plan_begin(struct keys_plan *p, uint64_t now)
{
    if (p->wanted) {
        p->was_wanted = true;
        p->asked = now;
    }
    p->begun = now;
    p->looking = true;
    p->wanted = p->forced = false;
}

static void end(struct keys_plan *p, uint64_t now)
{
    p->looking = false;
    p->looked = true;
    p->ended = now;
}

bool keys_plan_good(struct keys_plan *p, size_t usable, bool changed, uint64_t now)
{
    bool news = changed || p->failures > 0;
    end(p, now);
    p->usable = usable;
    p->failures = 0;
    p->good = p->begun;
    *p->problem = '\0';
    return news;
}

bool keys_plan_failed(struct keys_plan *p, const char *problem, uint64_t now)
{
    bool news = p->failures == 0 || strcmp(p->problem, problem) != 0;
    end(p, now);
    p->failures++;
    snprintf(p->problem, sizeof p->problem, "%s", problem);
    return news;
}

double keys_plan_age(const struct keys_plan *p, uint64_t now)
{
    return (double)(now - p->good) / 1000;
}
