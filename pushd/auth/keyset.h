/*
 * keyset: the keys that verify tokens, and the check of a signature.
 *
 * A usable key has its own algorithm and perhaps a key id (kid). token.c uses this file; a test
 * uses it for the examples of the RFCs. token.h makes and frees a set.
 */
#ifndef PUSHD_KEYSET_H
#define PUSHD_KEYSET_H

#include <stdbool.h>

#include "auth/token.h"

/* What the header of a token says about its signature. */
struct signature {
    const char *alg;
    const char *kid;         /* NULL = absent */
    const char *signed_text; /* the token up to its second dot */
    size_t signed_len;
    const uint8_t *bytes;
    size_t len;
};

/* True if the set has a key with this kid (NULL = absent). A secret needs no kid. */
bool keyset_has(const struct keyset *k, const char *kid);
/* TOKEN_GOOD, TOKEN_NO_KEYS, TOKEN_UNKNOWN_KEY or TOKEN_INVALID. TOKEN_REFUSED: the token names no
 * key of the set, and none could have signed it. */
enum verdict keyset_verify(const struct keyset *k, const struct signature *s, const char **why);

#endif
