/*
 * answer_head: writes the head of an HTTP response to a polling client, with its CORS headers.
 *
 * With credentials, a browser accepts its own origin but never "*" (Fetch standard, CORS protocol).
 * Refusals need the headers too; otherwise the browser hides them from the client.
 */
#ifndef PUSHD_ANSWER_HEAD_H
#define PUSHD_ANSWER_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct answer {
    int status;
    const char *type;            /* NULL = no body */
    size_t len;                  /* of the body */
    const char *origin;          /* the allowed origin, repeated; NULL = none */
    bool preflight;              /* a response to OPTIONS */
    const char *request_headers; /* of the preflight, repeated; NULL = none */
    const char *cookie;          /* Set-Cookie: name=value; NULL = none */
    bool close;
    const char *allow; /* the methods, of a response 405; NULL = none */
    const char *date;  /* of now, by answer_date(); NULL = none */
};

enum { ANSWER_HEAD_MAX = 1024, ANSWER_DATE = 32 };

/* Writes the head to out (ANSWER_HEAD_MAX bytes). Returns its length. Leaves out an origin or
 * request_headers that does not fit or has control characters. */
size_t answer_head(char *out, const struct answer *a);

/* Writes the time in the form of HTTP (RFC 9110, 5.6.7). */
void answer_date(char out[ANSWER_DATE], time_t seconds);

#endif
