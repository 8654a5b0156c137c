/*
 * admin: the port for operators: /livez, /readyz and /metrics over HTTP/1.1.
 *
 * It knows nothing of what it shows: the source is asked at each request. /livez is answered as
 * long as the loop turns. Every answer closes its connection.
 */
#ifndef PUSHD_ADMIN_H
#define PUSHD_ADMIN_H

#include <stddef.h>
#include <uv.h>

struct admin;

struct admin_source {
    void *ctx;
    /* Say each reason for not being ready; none means ready. */
    void (*reasons)(void *ctx, void (*say)(void *to, const char *reason), void *to);
    /* The OpenMetrics text, malloc'd, or NULL when out of memory. */
    char *(*metrics)(void *ctx, size_t *len);
};

/* Listen on address (host:port, numeric). NULL with one line in err. The source is copied. */
struct admin *admin_open(uv_loop_t *loop, const char *address, const struct admin_source *source,
                         char *err, size_t errlen);
/* Stop listening and close all connections; memory is freed when the loop has turned to the end. */
void admin_close(struct admin *a);

#endif
