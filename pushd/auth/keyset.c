/*
 * keyset: see keyset.h and token.h.
 */
#include "auth/keyset.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/jwk.h"
#include "base/alloc.h"
#include "base/words.h"

enum { HS256_BYTES = 32 };

struct keyset {
    uint8_t *secret; /* NULL in a set of public keys */
    size_t secret_len;
    struct jwk *keys;
    size_t count;
};

static struct keyset *fail(char *err, size_t errlen, const char *message)
{
    snprintf(err, errlen, "%s", message);
    return NULL;
}

/* A token that names no key can be judged only if there is one key. So beside other keys, one
 * without an id is never used. */
static void drop_keys_without_id(struct keyset *k)
{
    size_t kept = 0;
    if (k->count < 2)
        return;
    for (size_t i = 0; i < k->count; i++) {
        if (k->keys[i].kid != NULL)
            k->keys[kept++] = k->keys[i];
        else
            jwk_clear(&k->keys[i]);
    }
    k->count = kept;
}

struct keyset *keyset_from_jwks(const char *json, size_t len, char *err, size_t errlen)
{
    json_error_t error;
    json_t *root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        snprintf(err, errlen,
                 "expected a JSON Web Key Set, found text that is not JSON at line %d: %s",
                 error.line, "fetch it from the token issuer's certs endpoint again");
        return NULL;
    }
    const json_t *list = json_object_get(root, "keys");
    struct keyset *k = alloc(sizeof *k);
    if (!json_is_array(list)) {
        free(k);
        json_decref(root);
        return fail(
            err, errlen,
            "expected a JSON Web Key Set {\"keys\": [...]}, found other JSON: fetch it from "
            "the token issuer's certs endpoint again");
    }
    k->keys = calloc(json_array_size(list) + 1, sizeof *k->keys);
    for (size_t i = 0; k->keys != NULL && i < json_array_size(list); i++)
        k->count += jwk_read(json_array_get(list, i), &k->keys[k->count]);
    json_decref(root);
    drop_keys_without_id(k);
    return k;
}

struct keyset *keyset_from_secret(const void *secret, size_t len, char *err, size_t errlen)
{
    if (len < SECRET_MIN) {
        snprintf(err, errlen,
                 "expected a secret of at least %d bytes, found %zu: use the jwt_secret_key of the "
                 "server that issues the tokens, and make that longer",
                 SECRET_MIN, len);
        return NULL;
    }
    struct keyset *k = alloc(sizeof *k);
    if (k == NULL || (k->secret = OPENSSL_memdup(secret, len)) == NULL) {
        free(k);
        return fail(err, errlen, "out of memory");
    }
    k->secret_len = len;
    k->count = 1;
    return k;
}

void keyset_keep(struct keyset *k, const char *algorithms)
{
    size_t kept = 0;
    if (k->secret != NULL)
        return;
    for (size_t i = 0; i < k->count; i++) {
        const char *alg = jwk_alg_name(k->keys[i].alg);
        if (words_have(algorithms, alg, strlen(alg)))
            k->keys[kept++] = k->keys[i];
        else
            jwk_clear(&k->keys[i]);
    }
    k->count = kept;
}

size_t keyset_count(const struct keyset *k)
{
    return k == NULL ? 0 : k->count;
}

void keyset_free(struct keyset *k)
{
    if (k == NULL)
        return;
    for (size_t i = 0; k->keys != NULL && i < k->count; i++)
        jwk_clear(&k->keys[i]);
    free(k->keys);
    OPENSSL_clear_free(k->secret, k->secret_len);
    free(k);
}

static enum verdict verify_hs256(const struct keyset *k, const struct signature *s,
                                 const char **why)
{
    uint8_t expected[HS256_BYTES];
    size_t len = 0;
    if (strcmp(s->alg, "HS256") != 0) {
        *why = "its algorithm is not HS256, that of the secret";
        return TOKEN_INVALID;
    }
    if (EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, k->secret, k->secret_len,
                  (const unsigned char *)s->signed_text, s->signed_len, expected, sizeof expected,
                  &len) == NULL ||
        s->len != len || CRYPTO_memcmp(s->bytes, expected, len) != 0) {
        *why = "its signature is not by the secret";
        return TOKEN_INVALID;
    }
    return TOKEN_GOOD;
}

static bool names(const struct jwk *key, const char *kid)
{
    return kid == NULL || (key->kid != NULL && strcmp(key->kid, kid) == 0);
}

bool keyset_has(const struct keyset *k, const char *kid)
{
    if (k != NULL && k->secret != NULL)
        return true;
    for (size_t i = 0; kid != NULL && i < keyset_count(k); i++)
        if (k->keys[i].kid != NULL && strcmp(k->keys[i].kid, kid) == 0)
            return true;
    return false;
}

enum verdict keyset_verify(const struct keyset *k, const struct signature *s, const char **why)
{
    if (keyset_count(k) == 0) {
        *why = "there is no key yet";
        return TOKEN_NO_KEYS;
    }
    if (k->secret != NULL)
        return verify_hs256(k, s, why);
    if (strcmp(s->alg, "HS256") == 0 && !keyset_has(k, s->kid)) {
        *why = "it is signed by a secret, and keys are public here";
        return TOKEN_REFUSED;
    }
    if (s->kid == NULL && k->count > 1) {
        *why = "it names no key and there are several";
        return TOKEN_INVALID;
    }
    enum verdict verdict = TOKEN_UNKNOWN_KEY;
    *why = "the key that it names is not in the key set";
    for (size_t i = 0; i < k->count; i++) {
        if (!names(&k->keys[i], s->kid))
            continue;
        verdict = TOKEN_INVALID;
        *why = "its algorithm is not that of its key";
        if (strcmp(s->alg, jwk_alg_name(k->keys[i].alg)) != 0)
            continue; /* two kinds of key may share an id */
        *why = "its signature is not by its key";
        if (jwk_verify(&k->keys[i], s->signed_text, s->signed_len, s->bytes, s->len))
            return TOKEN_GOOD;
    }
    return verdict;
}
