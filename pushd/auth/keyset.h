/*
 * keyset: the keys that tokens are judged by, and the check of a signature.
 *
 * A usable key has an algorithm of its own and perhaps a key id (kid). Called by token.c and, for
 * the known answers of the RFCs, by its test; what makes and frees a set is in token.h.
 */
#ifndef PUSHD_KEYSET_H
#define PUSHD_KEYSET_H

#include <stdbool.h>

#include "auth/token.h"

/* What the header of a token says of its signature. */
struct signature {
    const char *alg;
    const char *kid;         /* NULL: not said */
    const char *signed_text; /* the token up to its second dot */
    size_t signed_len;
    const uint8_t *bytes;
    size_t len;
};

/* True if kid (NULL: none) names a key of the set. A secret needs no name. */
bool keyset_has(const struct keyset *k, const char *kid);
/* TOKEN_GOOD, TOKEN_NO_KEYS, TOKEN_UNKNOWN_KEY, TOKEN_INVALID, or TOKEN_REFUSED: it names no key of
 * the set, and is not signed as such a key could. */
enum verdict keyset_verify(const struct keyset *k, const struct signature *s, const char **why);

#endif
