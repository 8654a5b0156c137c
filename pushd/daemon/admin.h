/*
 * admin: the HTTP/1.1 port for operators: /livez, /readyz and /metrics.
 *
 * It does not know what it shows: each request asks the source. /livez is answered as long as the
 * loop runs. Requests are read as strictly as on the public port. Every answer closes its
 * connection.
 */
#ifndef PUSHD_ADMIN_H
#define PUSHD_ADMIN_H

#include <stddef.h>
#include <uv.h>

struct admin;

struct admin_source {
    void *ctx;
    /* Says each reason for not being ready. None means ready. */
    void (*reasons)(void *ctx, void (*say)(void *to, const char *reason), void *to);
    /* What an operator should know though it is ready, or NULL. May be NULL. */
    const char *(*note)(void *ctx);
    /* The OpenMetrics text, malloc'd; NULL if memory is exhausted. */
    char *(*metrics)(void *ctx, size_t *len);
};

/* Listens on address (host:port, numeric). NULL with one line in err. Copies the source. */
struct admin *admin_open(uv_loop_t *loop, const char *address, const struct admin_source *source,
                         char *err, size_t errlen);
/* Stops listening and closes all connections. The memory is freed when the loop ends. */
void admin_close(struct admin *a);

#endif
