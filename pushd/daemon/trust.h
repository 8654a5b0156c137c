/*
 * trust: verifies a server's TLS certificate, and explains why it is not trusted.
 *
 * The certificate must be valid for the host, and signed by a CA in a file (PEM) or by one of the
 * system's.
 */
#ifndef PUSHD_TRUST_H
#define PUSHD_TRUST_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

struct trust {
    const char *ca_file; /* "" = the system's CAs */
    const char *host;
    bool numeric;  /* the host is an IP address */
    char *problem; /* what is wrong: expected, found, what to do */
    size_t size;
};

/* The connections of ctx are verified by t from now on. False with the problem if that is
 * impossible, mainly because of its CAs. t must exist as long as the connections. */
bool trust_apply(struct trust *t, SSL_CTX *ctx);
/* False with one line in err if the CAs cannot be loaded. */
bool trust_check(const char *ca_file, char *err, size_t errlen);

#endif
