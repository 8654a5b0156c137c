/*
 * errand: messages to one receiver that are told one after the other.
 *
 * An errand is told when the one before it has been acknowledged, or was not in time. A receiver
 * that has let one pass in silence is not waited for any more until it acknowledges one: silence
 * costs one time limit, however many errands there are. An acknowledgement that comes late counts.
 *
 * id      of an errand, for whoever gave it: one that waits or is outstanding is not taken twice.
 *         0 = it has none; ERRAND_QUIET = it is not to be acknowledged
 * number  of a telling, which its acknowledgement carries: from 0 on for each receiver
 */
#ifndef PUSHD_ERRAND_H
#define PUSHD_ERRAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wheel.h"

enum { ERRAND_QUIET = -1 };

struct errands;

struct errand_setup {
    struct wheel *wheel;
    uint64_t patience; /* ms that an acknowledgement may take */
    /* Tell it; number is -1 if it is not to be acknowledged. Must not call back. */
    void (*tell)(void *ctx, int64_t id, int64_t number, const char *payload, size_t len);
    /* The receiver has not acknowledged one in time. */
    void (*silent)(void *ctx);
    void *ctx;
};

struct errands *errands_new(const struct errand_setup *setup);
void errands_free(struct errands *q);
/* Those that wait are not told, and acknowledgements of those told count no more. */
void errands_clear(struct errands *q);

void errands_add(struct errands *q, int64_t id, const char *payload, size_t len, uint64_t now);
/* Bytes of those that wait. */
size_t errands_bytes(const struct errands *q);
/* False if none with this number was told; *id is 0 if it has none, or that is known already. */
bool errands_acked(struct errands *q, int64_t number, uint64_t now, int64_t *id);

#endif
