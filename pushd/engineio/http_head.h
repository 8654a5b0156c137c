/*
 * http_head: the head of an HTTP answer to a polling client, with what browsers need of CORS.
 *
 * With credentials a browser accepts its own origin echoed, never "*" (Fetch standard, CORS
 * protocol); the headers stand on refusals too, or the browser hides them from the client.
 */
#ifndef PUSHD_HTTP_HEAD_H
#define PUSHD_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>

struct http_answer {
    int status;
    const char *type;            /* NULL = no body */
    size_t len;                  /* of the body */
    const char *origin;          /* allowed, echoed; NULL = none */
    bool preflight;              /* answers OPTIONS */
    const char *request_headers; /* of the preflight, echoed; NULL = none */
    const char *cookie;          /* name=value to be set, or NULL */
    bool close;
};

enum { HTTP_HEAD_MAX = 1024 };

/* Write the head into out (HTTP_HEAD_MAX bytes); returns its length. An origin or request_headers
 * that does not fit, or holds control characters, is left out. */
size_t http_head(char *out, const struct http_answer *a);

#endif
