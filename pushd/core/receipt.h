/*
 * receipt: that an errand was sent to a socket, or that this has acknowledged it; in batches for
 * the database.
 *
 * One batch is under way at most. If its answer is lost, acknowledgements are told again, which
 * does no harm; what was only sent is not, for it would count twice.
 */
#ifndef PUSHD_RECEIPT_H
#define PUSHD_RECEIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct receipts;

struct receipts *receipts_new(void);
void receipts_free(struct receipts *r);

void receipts_put(struct receipts *r, int64_t id, int64_t principal, const char *sid, bool acked);
/* The next batch of up to max as a JSON array, malloc'd; NULL if there is none, or one is under
 * way. */
char *receipts_take(struct receipts *r, size_t max);
/* The batch was answered; again is a JSON array of those to be told later (NULL = none). */
void receipts_answered(struct receipts *r, const char *again);
/* It was not. */
void receipts_lost(struct receipts *r);
/* Later is now. */
void receipts_retry(struct receipts *r);

#endif
