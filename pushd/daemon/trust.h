/*
 * trust: which server is trusted in TLS, and why one is not.
 *
 * It must show a certificate for its host by one of the CAs in a file (PEM), or of the system's.
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

/* Have the connections of ctx judged so; false with the problem if that cannot be, above all for
 * its CAs. The trust must stay as long as they do. */
bool trust_apply(struct trust *t, SSL_CTX *ctx);
/* False with one line in err if the CAs cannot be loaded. */
bool trust_check(const char *ca_file, char *err, size_t errlen);

#endif
