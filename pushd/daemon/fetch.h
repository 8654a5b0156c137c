/*
 * fetch: one GET of an http or https address, by libcurl on the loop.
 *
 * By HTTP/1.1 over a connection of its own, without a proxy. The name is looked up in a thread of
 * libcurl, and its addresses are tried in turn. Redirects are not followed.
 */
#ifndef PUSHD_FETCH_H
#define PUSHD_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct fetch;

struct fetch_request {
    const char *url;     /* that url_parse() has accepted */
    const char *ca_file; /* PEM; "" = the system's CAs */
    size_t max;          /* bytes of the answer, with its head */
    uint64_t timeout;    /* ms for all of it */
};

struct fetched {
    const char *problem; /* NULL: the status was 200, and this is the body */
    const char *body;
    size_t len;
};

/* False with one line in err if nothing can be fetched: by this libcurl, or with this ca_file. */
bool fetch_check(const char *ca_file, char *err, size_t errlen);

/* done is called once, later, with what is valid during the call. The strings of the request must
 * stay until then. */
struct fetch *fetch_start(uv_loop_t *loop, const struct fetch_request *request,
                          void (*done)(void *ctx, const struct fetched *f), void *ctx);
/* done will not be called. */
void fetch_cancel(struct fetch *f);

#endif
