/*
 * url: parses http and https URLs (RFC 3986). Refuses a user, a fragment and everything that is not
 * visible ASCII.
 */
#ifndef PUSHD_URL_H
#define PUSHD_URL_H

#include <stdbool.h>
#include <stddef.h>

enum { URL_HOST = 256 };

struct url {
    bool numeric;        /* the host is an IP address */
    char host[URL_HOST]; /* without brackets */
    char port[6];        /* in decimal */
};

bool url_parse(const char *text, struct url *out);
/* The length of text without its query, which may hold a secret. */
size_t url_length_to_tell(const char *text);

#endif
