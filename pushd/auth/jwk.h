/*
 * jwk: reads one public key of a JSON Web Key Set (RFC 7517, 7518 section 6, 8037).
 */
#ifndef PUSHD_JWK_H
#define PUSHD_JWK_H

#include <jansson.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

enum jwk_alg { JWK_RS256, JWK_ES256, JWK_EDDSA };

struct jwk {
    enum jwk_alg alg;
    char *kid; /* NULL = none */
    EVP_PKEY *key;
};

/* Fills *out. False if it is not a public key that can verify. Free it with jwk_clear(). */
bool jwk_read(const json_t *jwk, struct jwk *out);
void jwk_clear(struct jwk *jwk);

/* The name of an algorithm in the header of a token. */
const char *jwk_alg_name(enum jwk_alg alg);
bool jwk_verify(const struct jwk *jwk, const void *text, size_t text_len, const uint8_t *sig,
                size_t sig_len);

#endif
