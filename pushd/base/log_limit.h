/*
 * log_limit: limits the log lines that clients cause, and counts those that are left out.
 *
 * A rate of 0 allows no line at all. Time is an argument, in milliseconds.
 */
#ifndef PUSHD_LOG_LIMIT_H
#define PUSHD_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bucket.h"
#include "base/metrics.h"

struct log_limit {
    struct metrics *metrics;
    uint64_t rate; /* lines a second */
    struct bucket bucket;
    uint64_t left_out, told; /* told: when the number was last taken */
};

void log_limit_init(struct log_limit *l, int rate, struct metrics *metrics);
/* May a line be written now? That counts as a line. If not, it counts as left out. */
bool log_limit_allows(struct log_limit *l, uint64_t now);
/* How many lines were left out, to be written as one line now; at most once a second. 0 = none, or
 * there is no room for that line yet. */
uint64_t log_limit_take(struct log_limit *l, uint64_t now);

#endif
