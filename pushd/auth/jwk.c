/*
 * jwk: see jwk.h. No cryptography is written by hand: this file passes the numbers of a key and of
 * a signature to OpenSSL in its format.
 */
#include "auth/jwk.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/base64.h"

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 16384, NUMBER_MAX = RSA_BITS_MAX / 8 };
enum { P256_BYTES = 32, P256_SIGNATURE_BYTES = 64, ED25519_BYTES = 32 };

struct number {
    uint8_t bytes[BASE64_BYTES(NUMBER_MAX * 4 / 3 + 4)];
    size_t len;
};

const char *jwk_alg_name(enum jwk_alg alg)
{
    static const char *const names[] = {"RS256", "ES256", "EdDSA"};
    return names[alg];
}

static const char *member(const json_t *jwk, const char *name)
{
    const char *text = json_string_value(json_object_get(jwk, name));
    return text == NULL ? "" : text;
}

static bool read_number(const json_t *jwk, const char *name, struct number *n)
{
    const char *text = member(jwk, name);
    size_t len = strlen(text);
    return len > 0 && BASE64_BYTES(len) <= sizeof n->bytes &&
           base64_decode(BASE64URL, text, len, n->bytes, &n->len);
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (ctx == NULL || params == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    return key;
}

/* With an even modulus or an exponent of 1, anybody could sign. */
static bool rsa_is_sound(const BIGNUM *n, const BIGNUM *e)
{
    return BN_num_bits(n) >= RSA_BITS_MIN && BN_num_bits(n) <= RSA_BITS_MAX && BN_is_odd(n) &&
           BN_is_odd(e) && !BN_is_one(e);
}

static EVP_PKEY *read_rsa(const json_t *jwk)
{
    struct number n, e;
    if (!read_number(jwk, "n", &n) || !read_number(jwk, "e", &e))
        return NULL;
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = NULL;
    BIGNUM *modulus = BN_bin2bn(n.bytes, (int)n.len, NULL);
    BIGNUM *exponent = BN_bin2bn(e.bytes, (int)e.len, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    if (modulus != NULL && exponent != NULL && build != NULL && rsa_is_sound(modulus, exponent) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1) {
        params = OSSL_PARAM_BLD_to_param(build);
        key = from_params("RSA", params);
    }
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(exponent);
    BN_free(modulus);
    return key;
}

static EVP_PKEY *read_p256(const json_t *jwk)
{
    struct number x, y;
    if (!read_number(jwk, "x", &x) || !read_number(jwk, "y", &y) || x.len != P256_BYTES ||
        y.len != P256_BYTES)
        return NULL;
    uint8_t point[1 + 2 * P256_BYTES] = {POINT_CONVERSION_UNCOMPRESSED};
    memcpy(point + 1, x.bytes, P256_BYTES);
    memcpy(point + 1 + P256_BYTES, y.bytes, P256_BYTES);
    char group[] = "prime256v1";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
        OSSL_PARAM_construct_end(),
    };
    return from_params("EC", params);
}

/* The y of the eight points of small order, little-endian: 0, 1, -1, and those of order 8. */
static const uint8_t SMALL_ORDER[][ED25519_BYTES] = {
    {0x00},
    {0x01},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
};

/* y below 2^255 - 19, as RFC 8032 has it. The top bit is the sign of x. */
static bool is_canonical(const uint8_t y[ED25519_BYTES])
{
    for (size_t i = 1; i < ED25519_BYTES - 1; i++)
        if (y[i] != 0xff)
            return true;
    return y[0] < 0xed || y[ED25519_BYTES - 1] != 0x7f;
}

/* By a key of small order, anybody could sign. */
static bool ed25519_is_sound(const uint8_t x[ED25519_BYTES])
{
    uint8_t y[ED25519_BYTES];
    memcpy(y, x, sizeof y);
    y[ED25519_BYTES - 1] &= 0x7f;
    for (size_t i = 0; i < sizeof SMALL_ORDER / sizeof *SMALL_ORDER; i++)
        if (memcmp(y, SMALL_ORDER[i], sizeof y) == 0)
            return false;
    return is_canonical(y);
}

static EVP_PKEY *read_ed25519(const json_t *jwk)
{
    struct number x;
    if (!read_number(jwk, "x", &x) || x.len != ED25519_BYTES || !ed25519_is_sound(x.bytes))
        return NULL;
    return EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, x.bytes, x.len);
}

static const struct {
    const char *kty, *crv;
    enum jwk_alg alg;
    EVP_PKEY *(*read)(const json_t *jwk);
} KINDS[] = {
    {"RSA", "", JWK_RS256, read_rsa},
    {"EC", "P-256", JWK_ES256, read_p256},
    {"OKP", "Ed25519", JWK_EDDSA, read_ed25519},
};

static bool allows_verify(const json_t *key_ops)
{
    for (size_t i = 0; i < json_array_size(key_ops); i++) {
        const char *op = json_string_value(json_array_get(key_ops, i));
        if (op != NULL && strcmp(op, "verify") == 0)
            return true;
    }
    return false;
}

/* True if the set allows this key to verify signatures by alg, or does not forbid it. */
static bool is_for_verifying(const json_t *jwk, enum jwk_alg alg)
{
    const json_t *key_ops = json_object_get(jwk, "key_ops");
    const json_t *kid = json_object_get(jwk, "kid");
    if (json_object_get(jwk, "use") != NULL && strcmp(member(jwk, "use"), "sig") != 0)
        return false;
    if (json_object_get(jwk, "alg") != NULL && strcmp(member(jwk, "alg"), jwk_alg_name(alg)) != 0)
        return false;
    /* A private key that was published no longer proves anything. */
    if (json_object_get(jwk, "d") != NULL || (kid != NULL && !json_is_string(kid)))
        return false;
    return key_ops == NULL || allows_verify(key_ops);
}

bool jwk_read(const json_t *jwk, struct jwk *out)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        if (strcmp(member(jwk, "kty"), KINDS[i].kty) != 0 ||
            (*KINDS[i].crv != '\0' && strcmp(member(jwk, "crv"), KINDS[i].crv) != 0))
            continue;
        if (!is_for_verifying(jwk, KINDS[i].alg))
            return false;
        out->key = KINDS[i].read(jwk);
        if (out->key == NULL)
            return false;
        const char *kid = json_string_value(json_object_get(jwk, "kid"));
        out->alg = KINDS[i].alg;
        out->kid = kid == NULL ? NULL : alloc_text(kid);
        return true;
    }
    return false;
}

void jwk_clear(struct jwk *jwk)
{
    EVP_PKEY_free(jwk->key);
    free(jwk->kid);
    memset(jwk, 0, sizeof *jwk);
}

/* Converts the two raw numbers of an ES256 signature to DER; malloc'd by OpenSSL. */
static uint8_t *es256_to_der(const uint8_t *sig, size_t len, size_t *der_len)
{
    uint8_t *der = NULL;
    if (len != P256_SIGNATURE_BYTES)
        return NULL;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(sig, P256_BYTES, NULL);
    BIGNUM *s = BN_bin2bn(sig + P256_BYTES, P256_BYTES, NULL);
    if (pair != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(pair, r, s) == 1) {
        int n = i2d_ECDSA_SIG(pair, &der); /* pair owns r and s now */
        *der_len = n > 0 ? (size_t)n : 0;
    } else {
        BN_free(r);
        BN_free(s);
    }
    ECDSA_SIG_free(pair);
    return der;
}

static bool digest_verify(EVP_PKEY *key, const char *digest, const void *text, size_t text_len,
                          const uint8_t *sig, size_t sig_len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx != NULL &&
                EVP_DigestVerifyInit_ex(ctx, NULL, digest, NULL, NULL, key, NULL) == 1 &&
                EVP_DigestVerify(ctx, sig, sig_len, text, text_len) == 1;
    EVP_MD_CTX_free(ctx);
    return good;
}

bool jwk_verify(const struct jwk *jwk, const void *text, size_t text_len, const uint8_t *sig,
                size_t sig_len)
{
    bool good = false;
    if (jwk->alg == JWK_ES256) {
        size_t der_len = 0;
        uint8_t *der = es256_to_der(sig, sig_len, &der_len);
        good = der != NULL && digest_verify(jwk->key, "SHA256", text, text_len, der, der_len);
        OPENSSL_free(der);
    } else {
        const char *digest = jwk->alg == JWK_RS256 ? "SHA256" : NULL; /* EdDSA includes its hash */
        good = digest_verify(jwk->key, digest, text, text_len, sig, sig_len);
    }
    ERR_clear_error(); /* a bad signature is a result, not an error */
    return good;
}
