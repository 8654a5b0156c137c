/*
 * fetch: one GET of an http or https URL, by libcurl on the loop.
 *
 * It uses HTTP/1.1 over its own connection, without a proxy. A thread of libcurl looks up the name,
 * and its addresses are tried in turn. Redirects are not followed.
 */
#ifndef PUSHD_FETCH_H
#define PUSHD_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct fetch;

struct fetch_request {
    const char *url;     /* url_parse() has accepted it */
    const char *ca_file; /* PEM; "" = the system's CAs */
    size_t max;          /* limit of the answer in bytes, including its head */
    uint64_t timeout;    /* for everything, in ms */
};

struct fetched {
    const char *problem; /* NULL: the status was 200, and the body follows */
    const char *body;
    size_t len;
};

/* False with one line in err if nothing can be fetched: because of this libcurl or this ca_file. */
bool fetch_check(const char *ca_file, char *err, size_t errlen);

/* Calls done once, later; its argument is valid during the call. The strings of the request must
 * exist until then. */
struct fetch *fetch_start(uv_loop_t *loop, const struct fetch_request *request,
                          void (*done)(void *ctx, const struct fetched *f), void *ctx);
/* done will not be called. */
void fetch_cancel(struct fetch *f);

#endif
