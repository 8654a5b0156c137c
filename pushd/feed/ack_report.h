/*
 * ack_report: reports to the database, in batches, which instructions were sent and which were
 * acknowledged.
 *
 * At most one batch is under way. If its answer is lost, acknowledgements are reported again, which
 * is harmless. Sent instructions are not reported again, because they would count twice.
 *
 * A thousand connections of a node may say the same. While a report is queued, the same one of
 * another connection of the principal only raises its "times".
 */
#ifndef PUSHD_ACK_REPORT_H
#define PUSHD_ACK_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ack_reports;

struct ack_reports *ack_reports_new(void);
void ack_reports_free(struct ack_reports *r);

void ack_reports_put(struct ack_reports *r, int64_t id, int64_t principal, const char *sid,
                     bool acked);
/* The next batch of up to max as a JSON array, malloc'd. NULL if there is none, or one is under
 * way. */
char *ack_reports_take(struct ack_reports *r, size_t max);
/* The batch was answered. again is a JSON array of those to report later (NULL = none). */
void ack_reports_answered(struct ack_reports *r, const char *again);
/* The answer was lost. */
void ack_reports_lost(struct ack_reports *r);
/* Queues those that were to be reported later. */
void ack_reports_retry(struct ack_reports *r);

#endif
