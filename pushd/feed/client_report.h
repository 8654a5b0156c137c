/*
 * client_report: applies the database's report on the events of clients: keeps gauges, counts
 * refusals and writes log lines.
 *
 * A report is a JSON object. Each key is optional; other keys are for later versions.
 * - gauges: [{"sid", "gauges": [...]}], the gauges of a socket, as in gauges.h
 * - refused: [{"principal", "event", "reason", "n"}], n events that had no effect
 * - said: [{"principal", "event", "text"}], a message from a client to the operators
 * - over: [{"principal", "reason", "ms"}], a principal that sends too much: nothing is read from it
 *   for so long
 * - log: [{"bytes", "most"}], the event log has at least three quarters of its bound. At the bound
 *   the database takes nothing from clients
 *
 * Clients cause at most client_log_rate lines a second. The number of lines that were left out is
 * logged later. A line has only the name of an event, and the first 200 characters of a message.
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
    /* False if an element of the list is malformed. list is an array. */
    bool (*gauges)(void *ctx, const char *sid, const json_t *list);
    void (*refused)(void *ctx, int64_t principal, const char *event, const char *reason, int64_t n);
    void (*said)(void *ctx, int64_t principal, const char *event, const char *text);
    void (*over)(void *ctx, int64_t principal, const char *reason, int64_t ms);
    void (*log)(void *ctx, int64_t bytes, int64_t most);
};

/* False if something was malformed; that is left out. */
bool client_report_read(const char *text, const struct client_report_calls *calls, void *ctx);

struct client_reports;

struct client_report_setup {
    const struct config *config;
    struct metrics *metrics;
    struct gauges *gauges;
    /* Does this socket still exist? A report may arrive after its end. */
    bool (*here)(void *ctx, const char *sid);
    /* Reads nothing from this principal for so long. */
    void (*pause)(void *ctx, int64_t principal, uint64_t ms, uint64_t now);
    void *ctx;
};

struct client_reports *client_reports_new(const struct client_report_setup *setup);
void client_reports_free(struct client_reports *r);

void client_reports_take(struct client_reports *r, const char *report, uint64_t now);
/* The same for the whole report of receive(), NULL = none: it says all there is of the log. */
void client_reports_answer(struct client_reports *r, const char *report, uint64_t now);
/* What an operator should know of the event log, or NULL. */
const char *client_reports_note(const struct client_reports *r);
/* Call it regularly: logs how many lines were left out. */
void client_reports_sum_up(struct client_reports *r, uint64_t now);

#endif
