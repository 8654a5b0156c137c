/*
 * token: judging a JSON Web Token (RFC 7515, 7517, 7518, 7519, 8037).
 *
 * A key set is either one secret (HS256) or public keys (RS256, ES256, EdDSA), never both. The
 * algorithm comes from the key, never from the token. Nothing here keeps time or reads a file.
 */
#ifndef PUSHD_TOKEN_H
#define PUSHD_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

struct keyset;

enum {
    TOKEN_MAX = 8192, /* a longer token is refused */
    SECRET_MIN =
        16, /* HMAC-SHA-256 wants 32 bytes; many a server in use was given a UUID or less */
    SUBJECT_MAX = 255
};

/*
 * A key set from the text of a JWKS. Keys that cannot verify here (use: enc, unknown kty, RSA under
 * 2048 bits, no kid beside others, an alg we do not know) are skipped. NULL with one line in err if
 * the text is not a JWKS. A set without usable keys is returned: keyset_count() is then 0.
 */
struct keyset *keyset_from_jwks(const char *json, size_t len, char *err, size_t errlen);
/* A key set of one HS256 secret (SECRET_MIN bytes or more), or NULL with one line in err. */
struct keyset *keyset_from_secret(const void *secret, size_t len, char *err, size_t errlen);
/* Take out the public keys whose algorithm is not in this list. */
void keyset_keep(struct keyset *k, const char *algorithms);
size_t keyset_count(const struct keyset *k);
void keyset_free(struct keyset *k);

enum verdict {
    TOKEN_GOOD,
    TOKEN_EXPIRED,     /* all else is right */
    TOKEN_NO_KEYS,     /* well formed, and the key set is empty or NULL */
    TOKEN_UNKNOWN_KEY, /* well formed, its kid is not in the set: refresh, then judge again */
    TOKEN_INVALID,     /* bad signature, wrong algorithm for the key */
    TOKEN_REFUSED      /* absent, malformed, alg none, crit, not for here: whatever the keys */
};

/* The claims in use of a token judged TOKEN_GOOD or TOKEN_EXPIRED. */
struct claims {
    char *subject;   /* malloc'd; an integer sub is written in decimal */
    int64_t expires; /* seconds since the epoch */
    uint64_t grace;  /* ms that a connection may stay once expired, from client_types */
};
void claims_clear(struct claims *c);

/*
 * Judge token at now (seconds since the epoch). Fills *out only for GOOD and EXPIRED. *why is a
 * static text for the log: never part of the token.
 */
enum verdict token_judge(const struct keyset *keys, const struct config *rules, const char *token,
                         size_t len, int64_t now, struct claims *out, const char **why);

#endif
