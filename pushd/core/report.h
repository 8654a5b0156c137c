/*
 * report: what the database answers about events of clients that it has taken: a JSON object.
 *
 * gauges:  [{"sid", "gauges": [...]}], numbers of a socket, as gauges.h has them
 * refused: [{"principal", "event", "reason", "n"}], events that had no effect, n of them
 * said:    [{"principal", "event", "text"}], what a client says to the operators
 *
 * Each may be missing; any other key is for a later version.
 */
#ifndef PUSHD_REPORT_H
#define PUSHD_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Called once for each element. */
struct report_calls {
    /* False if some of the list, an array, is malformed. */
    bool (*gauges)(void *ctx, const char *sid, const json_t *list);
    void (*refused)(void *ctx, int64_t principal, const char *event, const char *reason, int64_t n);
    void (*said)(void *ctx, int64_t principal, const char *event, const char *text);
};

/* False if something in it is malformed, which is left out. */
bool report_read(const char *text, const struct report_calls *calls, void *ctx);

#endif
