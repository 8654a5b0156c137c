/*
 * ack_queue: sends instructions to one receiver, one after the other, and takes their
 * acknowledgements.
 *
 * An instruction is sent when the one before it was acknowledged or timed out. After a timeout
 * pushd does not wait for this receiver until it acknowledges an instruction. So silence costs one
 * timeout, however many instructions there are. A late acknowledgement counts.
 * - id: the caller's name of an instruction. One that waits or is outstanding is not accepted
 *   twice. 0 = no id; ACK_NONE = no acknowledgement is expected.
 * - number: the ack id of a sent instruction, from 0 for each receiver. The acknowledgement repeats
 *   it.
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
    uint64_t patience; /* timeout of an acknowledgement in ms */
    /* Sends an instruction. number is -1 if no acknowledgement is expected. Must not call back. */
    void (*send)(void *ctx, int64_t id, int64_t number, const char *payload, size_t len);
    /* The receiver has not acknowledged an instruction in time. */
    void (*silent)(void *ctx);
    void *ctx;
};

struct ack_queue *ack_queue_new(const struct ack_queue_setup *setup);
void ack_queue_free(struct ack_queue *q);
/* Drops the waiting instructions. Acknowledgements of sent ones no longer count. */
void ack_queue_clear(struct ack_queue *q);

void ack_queue_add(struct ack_queue *q, int64_t id, const char *payload, size_t len, uint64_t now);
/* The bytes of the waiting instructions. */
size_t ack_queue_bytes(const struct ack_queue *q);
/* False if no instruction was sent with this number. *id is 0 if it has none or was acknowledged
 * before. */
bool ack_queue_acked(struct ack_queue *q, int64_t number, uint64_t now, int64_t *id);

#endif
