/*
 * Key sets that a stranger wrote: read or refused in one line, no key counted that must not be, and
 * no token of another's judged good. The same bytes as base64url: one spelling only.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "auth/token.h"
#include "base/base64.h"
#include "config/config.h"
#include "fuzz.h"

/* Of what is longer nothing new is seen. */
enum { BASE64_MAX = 256 };
static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static size_t encode(const uint8_t *bytes, size_t n, char *out)
{
    size_t len = 0;
    for (size_t bit = 0; bit < 8 * n; bit += 6) {
        unsigned pair = (unsigned)bytes[bit / 8] << 8 | (bit / 8 + 1 < n ? bytes[bit / 8 + 1] : 0);
        out[len++] = DIGITS[pair >> (10 - bit % 8) & 63];
    }
    return len;
}

static void check_base64url(const uint8_t *data, size_t size)
{
    size_t n = 0, again = 0;
    uint8_t *bytes = malloc(BASE64_BYTES(size)), *back = malloc(size + 2);
    char *text = malloc(size * 2 + 2);
    if (base64_decode(BASE64URL, (const char *)data, size, bytes, &n)) {
        expect(n <= BASE64_BYTES(size), "%zu bytes of %zu characters", n, size);
        size_t len = encode(bytes, n, text);
        expect(len == size && memcmp(text, data, len) == 0, "expected another spelling refused");
    }
    size_t len = encode(data, size, text);
    expect(base64_decode(BASE64URL, text, len, back, &again) && again == size &&
               memcmp(back, data, size) == 0,
           "expected %.*s to be decoded", (int)len, text);
    free(text);
    free(back);
    free(bytes);
}

static bool may_count(const json_t *key)
{
    const char *kty = json_string_value(json_object_get(key, "kty"));
    const char *use = json_string_value(json_object_get(key, "use"));
    return kty && !json_object_get(key, "d") &&
           (!json_object_get(key, "use") || (use && strcmp(use, "sig") == 0)) &&
           (strcmp(kty, "RSA") == 0 || strcmp(kty, "EC") == 0 || strcmp(kty, "OKP") == 0);
}

/* A key that may not count does not count alone either. */
static void check_alone(json_t *key)
{
    char err[512];
    json_t *root = json_pack("{s:[O]}", "keys", key);
    char *text = json_dumps(root, JSON_COMPACT);
    struct keyset *keys = keyset_from_jwks(text, strlen(text), err, sizeof err);
    expect(keyset_count(keys) == 0, "expected it not to count: %s", text);
    keyset_free(keys);
    free(text);
    json_decref(root);
}

/* How many of the members may count at most: by what a key must not have. */
static size_t at_most(const uint8_t *data, size_t size)
{
    size_t n = 0;
    json_t *root = json_loadb((const char *)data, size, 0, NULL), *key;
    size_t i;
    json_array_foreach (json_object_get(root, "keys"), i, key) {
        n += may_count(key);
        if (!may_count(key))
            check_alone(key);
    }
    json_decref(root);
    return n;
}

/* Signed by nobody: no key makes these good. */
static void check_judgement(const struct keyset *keys)
{
    static const char *const headers[] = {"eyJhbGciOiJSUzI1NiJ9", "eyJhbGciOiJFUzI1NiJ9",
                                          "eyJhbGciOiJFZERTQSJ9", "eyJhbGciOiJIUzI1NiJ9"};
    struct config rules = {.issuer = "",
                           .audience = "",
                           .client_types = "",
                           .client_type_claims = "",
                           .algorithms = CONFIG_ALGORITHMS};
    for (size_t i = 0; i < 4; i++) {
        char token[512];
        struct claims claims;
        const char *why;
        strcpy(token, headers[i]);
        strcat(token, ".e30.");
        memset(token + strlen(token), 'A', 86);
        size_t len = strlen(headers[i]) + 5 + 86;
        enum verdict v = token_judge(keys, &rules, token, len, 0, &claims, &why);
        expect(v == TOKEN_INVALID || (v == TOKEN_NO_KEYS && !keyset_count(keys)) ||
                   (i == 3 ? v == TOKEN_REFUSED : v == TOKEN_UNKNOWN_KEY),
               "expected no good verdict, found %d: %s", (int)v, why);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char err[512] = "";
    if (size <= BASE64_MAX)
        check_base64url(data, size);
    struct keyset *keys = keyset_from_jwks((const char *)data, size, err, sizeof err);
    expect((keys == NULL) == (*err != '\0') && is_one_line(err), "expected one line, found %s",
           err);
    if (keys) {
        expect(keyset_count(keys) <= at_most(data, size), "expected %zu keys at most, found %zu",
               at_most(data, size), keyset_count(keys));
        check_judgement(keys);
    }
    keyset_free(keys);
    return 0;
}
