/* log_limit: see log_limit.h. */
#include "base/log_limit.h"

/* The number of lines that were left out is a line itself, which a flood must not repeat. */
enum { TELL_MS = 1000 };

void log_limit_init(struct log_limit *l, int rate, struct metrics *metrics)
{
    *l = (struct log_limit){.metrics = metrics, .rate = (uint64_t)rate};
}

/* At a rate of 0 there is never a line. */
static bool take_line(struct log_limit *l, uint64_t now)
{
    if (!bucket_has(&l->bucket, l->rate, 1, now))
        return false;
    bucket_take(&l->bucket, l->rate, 1, now);
    return true;
}

bool log_limit_allows(struct log_limit *l, uint64_t now)
{
    if (take_line(l, now))
        return true;
    l->left_out++;
    metrics_add(l->metrics, METRIC_LOG_LIMITED, 1);
    return false;
}

uint64_t log_limit_take(struct log_limit *l, uint64_t now)
{
    uint64_t n = l->left_out;
    if (n == 0 || (l->told && now - l->told < TELL_MS) || !take_line(l, now))
        return 0;
    l->left_out = 0;
    l->told = now;
    return n;
}
