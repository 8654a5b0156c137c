/*
 * client_report: what the database answers about events of clients that it has taken, and what
 * becomes of it: gauges are kept, refusals are counted, and the log is written.
 *
 * A report is a JSON object; each key may be missing, and any other is for a later version:
 *
 * gauges:  [{"sid", "gauges": [...]}], numbers of a socket, as gauges.h has them
 * refused: [{"principal", "event", "reason", "n"}], events that had no effect, n of them
 * said:    [{"principal", "event", "text"}], what a client says to the operators
 *
 * What clients cause is logged at most client_log_rate times a second. How many lines were left out
 * is logged later. A line has nothing of an event but its name, and of what a client says to the
 * operators the first 200 characters.
 */
#ifndef PUSHD_CLIENT_REPORT_H
#define PUSHD_CLIENT_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/gauges.h"
#include "base/metrics.h"
#include "config/config.h"

/* Called once for each element. */
struct client_report_calls {
    /* False if some of the list, an array, is malformed. */
    bool (*gauges)(void *ctx, const char *sid, const json_t *list);
    void (*refused)(void *ctx, int64_t principal, const char *event, const char *reason, int64_t n);
    void (*said)(void *ctx, int64_t principal, const char *event, const char *text);
};

/* False if something in it is malformed, which is left out. */
bool client_report_read(const char *text, const struct client_report_calls *calls, void *ctx);

struct client_reports;

struct client_report_setup {
    const struct config *config;
    struct metrics *metrics;
    struct gauges *gauges;
    /* Is there still this socket? A report may come after its end. */
    bool (*here)(void *ctx, const char *sid);
    void *ctx;
};

struct client_reports *client_reports_new(const struct client_report_setup *setup);
void client_reports_free(struct client_reports *r);

void client_reports_take(struct client_reports *r, const char *report, uint64_t now);
/* From time to time: log how many lines were left out. */
void client_reports_sum_up(struct client_reports *r, uint64_t now);

#endif
