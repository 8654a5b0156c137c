/*
 * ack_queue: messages to one receiver that are told one after the other.
 *
 * An instruction is told when the one before it has been acknowledged, or was not in time. A
 * receiver that has let one pass in silence is not waited for any more until it acknowledges one:
 * silence costs one time limit, however many instructions there are. An acknowledgement that comes
 * late counts.
 *
 * id      of an instruction, for whoever gave it: one that waits or is outstanding is not taken
 * twice. 0 = it has none; ACK_NONE = it is not to be acknowledged number  of a telling, which its
 * acknowledgement carries: from 0 on for each receiver
 */
#ifndef PUSHD_ACK_QUEUE_H
#define PUSHD_ACK_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wheel.h"

enum { ACK_NONE = -1 };

struct ack_queue;

struct ack_queue_setup {
    struct wheel *wheel;
    uint64_t patience; /* ms that an acknowledgement may take */
    /* Tell it; number is -1 if it is not to be acknowledged. Must not call back. */
    void (*send)(void *ctx, int64_t id, int64_t number, const char *payload, size_t len);
    /* The receiver has not acknowledged one in time. */
    void (*silent)(void *ctx);
    void *ctx;
};

struct ack_queue *ack_queue_new(const struct ack_queue_setup *setup);
void ack_queue_free(struct ack_queue *q);
/* Those that wait are not told, and acknowledgements of those told count no more. */
void ack_queue_clear(struct ack_queue *q);

void ack_queue_add(struct ack_queue *q, int64_t id, const char *payload, size_t len, uint64_t now);
/* Bytes of those that wait. */
size_t ack_queue_bytes(const struct ack_queue *q);
/* False if none with this number was told; *id is 0 if it has none, or that is known already. */
bool ack_queue_acked(struct ack_queue *q, int64_t number, uint64_t now, int64_t *id);

#endif
