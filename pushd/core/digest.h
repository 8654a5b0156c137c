/*
 * digest: what becomes of a report: gauges are kept, refusals counted, and the log told.
 *
 * What clients cause is logged at most client_log_rate times a second, and how many lines were left
 * out is said later; nothing of an event but its name is ever in it, and of what clients say to
 * the operators the first 200 characters.
 */
#ifndef PUSHD_DIGEST_H
#define PUSHD_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "gauges.h"
#include "metrics.h"

struct digest;

struct digest_setup {
    const struct config *config;
    struct metrics *metrics;
    struct gauges *gauges;
    /* Is there still this socket? A report may come after its end. */
    bool (*here)(void *ctx, const char *sid);
    void *ctx;
};

struct digest *digest_new(const struct digest_setup *setup);
void digest_free(struct digest *d);

void digest_report(struct digest *d, const char *report, uint64_t now);
/* From time to time: say how many lines were left out. */
void digest_sum_up(struct digest *d, uint64_t now);

#endif
