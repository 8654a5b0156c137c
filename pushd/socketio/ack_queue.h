/*
 * ack_queue: sends instructions to one receiver, one after the other, and takes their
 * acknowledgements.
 *
 * An instruction is sent when the one before it was acknowledged or timed out. After a timeout
 * pushd does not wait for this receiver until it acknowledges an instruction. So silence costs one
 * timeout, however many instructions there are: all are sent, as far as the receiver has room. A
 * late acknowledgement counts.
 *
 * Many receivers may have the same thousands of instructions. So they share the payloads, and a
 * receiver keeps 16 bytes of an instruction, before it is sent and afterwards.
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

#include "base/shared_text.h"
#include "base/wheel.h"

enum { ACK_NONE = -1 };

struct ack_queue;

struct ack_queue_setup {
    struct wheel *wheel;
    uint64_t patience; /* timeout of an acknowledgement in ms */
    /* Sends an instruction. number is -1 if no acknowledgement is expected. Must not call back. */
    void (*send)(void *ctx, int64_t id, int64_t number, const struct shared_text *payload);
    /* Has it received most of what was sent? Asked only if pushd does not wait for it. False:
     * ack_queue_go_on() follows. */
    bool (*has_room)(void *ctx);
    /* The receiver has not acknowledged an instruction in time. */
    void (*silent)(void *ctx);
    void *ctx;
};

struct ack_queue *ack_queue_new(const struct ack_queue_setup *setup);
void ack_queue_free(struct ack_queue *q);
/* Drops the waiting instructions. Acknowledgements of sent ones no longer count. */
void ack_queue_clear(struct ack_queue *q);

/* Takes a reference of its own. */
void ack_queue_add(struct ack_queue *q, int64_t id, struct shared_text *payload, uint64_t now);
/* The receiver has room again. */
void ack_queue_go_on(struct ack_queue *q);
/* The bytes of the waiting instructions, as if nobody else had them. */
size_t ack_queue_bytes(const struct ack_queue *q);
/* False if no instruction was sent with this number. *id is 0 if it has none or was acknowledged
 * before. */
bool ack_queue_acked(struct ack_queue *q, int64_t number, uint64_t now, int64_t *id);

#endif
