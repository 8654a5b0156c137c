/*
 * token: verifies JSON Web Tokens (RFC 7515, 7517, 7518, 7519, 8037).
 *
 * A key set is either one secret (HS256) or public keys (RS256, ES256, EdDSA), never both. The
 * algorithm comes from the key, never from the token. This file neither reads the clock nor a file.
 */
#ifndef PUSHD_TOKEN_H
#define PUSHD_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

struct keyset;

enum {
    TOKEN_MAX = 8192, /* a longer token is refused */
    SECRET_MIN = 16,  /* HMAC-SHA-256 needs 32 bytes, but many servers in use have a UUID or less */
    SUBJECT_MAX = 255
};

/*
 * The key set in the text of a JWKS. NULL with one line in err if the text is not a JWKS.
 *
 * It skips keys that cannot verify here: use "enc", unknown kty, RSA below 2048 bits, Ed25519 of
 * small order, no kid beside other keys, an unknown alg. A set without usable keys is returned:
 * keyset_count() is then 0.
 */
struct keyset *keyset_from_jwks(const char *json, size_t len, char *err, size_t errlen);
/* The key set of one HS256 secret (SECRET_MIN bytes or more). NULL with one line in err. */
struct keyset *keyset_from_secret(const void *secret, size_t len, char *err, size_t errlen);
/* Removes the public keys whose algorithm is not in this list. */
void keyset_keep(struct keyset *k, const char *algorithms);
size_t keyset_count(const struct keyset *k);
void keyset_free(struct keyset *k);

enum verdict {
    TOKEN_GOOD,
    TOKEN_EXPIRED,     /* everything else is right */
    TOKEN_NO_KEYS,     /* well formed, but the key set is empty or NULL */
    TOKEN_UNKNOWN_KEY, /* well formed, but its kid is not in the set: fetch the keys, then judge
                          again */
    TOKEN_INVALID,     /* bad signature, or wrong algorithm for the key */
    TOKEN_REFUSED /* absent, malformed, alg none, crit, or for another purpose: no key can help */
};

/* The used claims of a token with TOKEN_GOOD or TOKEN_EXPIRED. */
struct claims {
    char *subject;   /* malloc'd; an integer sub is in decimal */
    int64_t expires; /* seconds since the epoch */
    uint64_t grace;  /* how long a connection may stay after the expiry in ms, from client_types */
};
void claims_clear(struct claims *c);

/*
 * Judges a token at the time now (seconds since the epoch). Fills *out only for TOKEN_GOOD and
 * TOKEN_EXPIRED. *why is a static text for the log, never a part of the token.
 */
enum verdict token_judge(const struct keyset *keys, const struct config *rules, const char *token,
                         size_t len, int64_t now, struct claims *out, const char **why);

#endif
