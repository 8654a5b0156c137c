/*
 * Tokens, by the first byte of the input:
 *   s, j   a whole token, judged by the secret or by the public keys of test/vectors/auth/token.
 * Good is only what was signed: by another computing of the signature for the secret, and for the
 *          keys (nobody here has their private halves) one of the texts that the vectors have
 * signed. h      a header and a payload, a line each, which are signed here by the secret, so that
 * the claims are reached. What is good must have the claims that make it good.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/token.h"
#include "config/config.h"
#include "fuzz.h"
#include "mock_token.h"

enum { NOW = 1800000000, LEEWAY = 10 };

static char secret[64];
static struct keyset *by_secret, *by_keys;
static struct config rules;
/* What the vectors have signed: tokens up to their second dot. */
static char *signed_texts[256];
static size_t signed_count;

static json_t *vectors(const char *name)
{
    char *text = read_vector_file(name);
    json_t *root = json_loads(text, 0, NULL);
    expect(root != NULL, "expected JSON in %s", name);
    free(text);
    return root;
}

static void remember_signed(void)
{
    size_t i;
    json_t *root = vectors("auth/token/tokens.json"), *v;
    json_array_foreach (json_object_get(root, "tokens"), i, v) {
        const char *expected = json_string_value(json_object_get(v, "expect"));
        const char *token = json_string_value(json_object_get(v, "token"));
        const char *end = token ? strrchr(token, '.') : NULL;
        if (end && signed_count < 256 && strcmp(expected, "invalid") != 0)
            signed_texts[signed_count++] = strndup(token, (size_t)(end - token));
    }
    json_decref(root);
}

static void setup(void)
{
    char err[512];
    const char *argv[] = {"fuzz", "--config", "/dev/null", "--jwks-file", "unused", NULL};
    json_t *root = vectors("auth/token/keysets.json");
    const char *jwks = json_string_value(
        json_object_get(json_array_get(json_object_get(root, "keysets"), 0), "text"));
    snprintf(secret, sizeof secret, "%s", json_string_value(json_object_get(root, "secret")));
    by_secret = keyset_from_secret(secret, strlen(secret), err, sizeof err);
    by_keys = keyset_from_jwks(jwks, strlen(jwks), err, sizeof err);
    expect(by_secret && keyset_count(by_keys) == 3, "expected the keys of the vectors: %s", err);
    expect(!config_load(&rules, 5, (char **)argv, NULL, err, sizeof err), "%s", err);
    json_decref(root);
    remember_signed();
}

static bool is_signed(const char *token, size_t len, bool keys)
{
    const char *end = memrchr(token, '.', len);
    size_t text = end ? (size_t)(end - token) : 0;
    if (keys) {
        for (size_t i = 0; i < signed_count; i++)
            if (strlen(signed_texts[i]) == text && memcmp(token, signed_texts[i], text) == 0)
                return true;
        return false;
    }
    char signature[SIGNATURE_MAX];
    size_t n = sign_text(secret, token, text, signature);
    return end && len - text - 1 == n && memcmp(end + 1, signature, n) == 0;
}

static double number_of(const json_t *claims, const char *name)
{
    return json_number_value(json_object_get(claims, name));
}

/* What the payload must say for this verdict; it is read once more, from the token. */
static void check_claims(const json_t *payload, enum verdict v, const struct claims *found)
{
    const json_t *sub = json_object_get(payload, "sub"), *nbf = json_object_get(payload, "nbf");
    char subject[32];
    snprintf(subject, sizeof subject, "%lld", (long long)json_integer_value(sub));
    expect(strcmp(found->subject, json_is_integer(sub) ? subject : json_string_value(sub)) == 0,
           "expected another subject than %s", found->subject);
    expect(json_is_number(json_object_get(payload, "exp")), "expected an expiry");
    double expires = number_of(payload, "exp");
    expect((double)found->expires > expires - 1 && (double)found->expires < expires + 1,
           "expected expiry %f, found %lld", expires, (long long)found->expires);
    expect((found->expires + LEEWAY > NOW) == (v == TOKEN_GOOD), "expected verdict %d to be other",
           (int)v);
    expect(!nbf || (json_is_number(nbf) && json_number_value(nbf) < NOW + LEEWAY + 1),
           "expected it not to be valid yet");
    const char *type = json_string_value(json_object_get(payload, "type"));
    expect(!type || strcmp(type, "access") == 0, "expected type %s to be refused", type);
    const json_t *client = json_object_get(payload, "vantage6_client_type");
    client = client ? client : json_object_get(payload, "client_type");
    const char *kind = json_string_value(client);
    uint64_t grace = !client                             ? rules.refused_grace
                     : kind && strcmp(kind, "node") == 0 ? 30000
                     : kind && strcmp(kind, "user") == 0 ? 600000
                                                         : UINT64_MAX;
    expect(found->grace == grace, "expected the grace of %s, found %llu ms", kind ? kind : "none",
           (unsigned long long)found->grace);
}

static enum verdict judge(const char *token, size_t len, bool keys, const json_t *payload)
{
    struct claims claims;
    const char *why = NULL;
    enum verdict v =
        token_judge(keys ? by_keys : by_secret, &rules, token, len, NOW, &claims, &why);
    bool accepted = v == TOKEN_GOOD || v == TOKEN_EXPIRED;
    expect(accepted == (claims.subject != NULL), "expected claims for a good token only");
    expect(!accepted || (*claims.subject && strlen(claims.subject) <= SUBJECT_MAX),
           "expected a subject, found %s", claims.subject);
    expect(!accepted || is_signed(token, len, keys), "expected %.*s to be refused", (int)len,
           token);
    expect(why && (why < token || why > token + len), "expected a reason that is no part of it");
    if (accepted && payload)
        check_claims(payload, v, &claims);
    claims_clear(&claims);
    return v;
}

/* Sign what the lines say. */
static void judge_signed(struct input *in)
{
    const uint8_t *header, *payload;
    size_t header_len, payload_len, n;
    if (in->left > TOKEN_MAX || !take_line(in, &header, &header_len) ||
        !take_line(in, &payload, &payload_len))
        return;
    char *token = sign_token(secret, (const char *)header, header_len, (const char *)payload,
                             payload_len, &n);
    json_t *claims = json_loadb((const char *)payload, payload_len, 0, NULL);
    enum verdict v = judge(token, n, false, claims);
    expect(v != TOKEN_NO_KEYS && v != TOKEN_UNKNOWN_KEY, "expected the secret to be the key");
    judge(token, n, true, NULL);
    json_decref(claims);
    free(token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    if (!by_secret)
        setup();
    switch (take_byte(&in)) {
    case 's':
        judge((const char *)in.at, in.left, false, NULL);
        break;
    case 'j':
        judge((const char *)in.at, in.left, true, NULL);
        break;
    case 'h':
        judge_signed(&in);
        break;
    default:
        return -1;
    }
    return 0;
}
