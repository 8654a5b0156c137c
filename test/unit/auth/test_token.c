/*
 * Tokens: each vector of test/vectors/auth/token is judged as its file says, and the signatures of
 * the RFCs are checked by the layer below.
 */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/keyset.h"
#include "base/base64.h"
#include "config/option.h"

static json_t *read_vectors(const char *name)
{
    char path[512];
    json_error_t error;
    snprintf(path, sizeof path, VECTORS "/auth/token/%s", name);
    json_t *root = json_load_file(path, 0, &error);
    if (root == NULL)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    return root;
}

static const char *text_of(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

static struct keyset *keys_named(const json_t *vectors, const char *name)
{
    char err[512];
    if (strcmp(name, "secret") == 0)
        return keyset_from_secret(text_of(vectors, "secret"), strlen(text_of(vectors, "secret")),
                                  err, sizeof err);
    const json_t *sets = json_object_get(vectors, "keysets");
    for (size_t i = 0; i < json_array_size(sets); i++) {
        const json_t *set = json_array_get(sets, i);
        if (strcmp(text_of(set, "name"), name) == 0)
            return keyset_from_jwks(text_of(set, "text"), strlen(text_of(set, "text")), err,
                                    sizeof err);
    }
    fail_msg("no key set %s", name);
    return NULL;
}

static void load_rules(struct config *rules, const json_t *changes)
{
    const char *argv[] = {"pushd", "--config", "/dev/null", "--jwks-file", "unused", NULL};
    char err[512];
    const char *name, *nearest;
    json_t *value;
    assert_int_equal(config_load(rules, 5, (char **)argv, NULL, err, sizeof err), 0);
    json_object_foreach ((json_t *)changes, name, value) {
        assert_true(option_set(option_find(name, &nearest), rules, json_string_value(value), err,
                               sizeof err));
    }
}

static const char *const VERDICTS[] = {
    [TOKEN_GOOD] = "good",       [TOKEN_EXPIRED] = "expired",
    [TOKEN_NO_KEYS] = "no_keys", [TOKEN_UNKNOWN_KEY] = "unknown_key",
    [TOKEN_INVALID] = "invalid", [TOKEN_REFUSED] = "refused",
};

/* Judge one vector; false with a line on standard error if the answer is another. */
static bool holds(const json_t *v, const struct keyset *keys, int64_t now)
{
    struct config rules;
    struct claims claims;
    const char *why = NULL, *token = text_of(v, "token");
    load_rules(&rules, json_object_get(v, "config"));
    enum verdict verdict = token_judge(keys, &rules, token, strlen(token), now, &claims, &why);
    const char *subject = text_of(v, "subject");
    json_int_t grace = json_integer_value(json_object_get(v, "grace"));
    bool accepted = verdict == TOKEN_GOOD || verdict == TOKEN_EXPIRED;
    bool good = strcmp(VERDICTS[verdict], text_of(v, "expect")) == 0 && why != NULL;
    good &= accepted == (claims.subject != NULL);
    good &= !accepted || subject == NULL || strcmp(claims.subject, subject) == 0;
    good &= !accepted || grace == 0 || claims.grace == (uint64_t)grace;
    if (!good)
        print_error("%s: expected %s, found %s (%s) subject=%s grace=%d\n", text_of(v, "name"),
                    text_of(v, "expect"), VERDICTS[verdict], why,
                    claims.subject == NULL ? "-" : claims.subject, (int)claims.grace);
    claims_clear(&claims);
    config_free(&rules);
    return good;
}

static void every_token_is_judged_as_its_vector_says(void **state)
{
    (void)state;
    json_t *sets = read_vectors("keysets.json"), *root = read_vectors("tokens.json");
    const json_t *vectors = json_object_get(root, "tokens");
    int64_t now = json_integer_value(json_object_get(root, "now"));
    size_t wrong = 0;
    assert_true(json_array_size(vectors) > 100);
    for (size_t i = 0; i < json_array_size(vectors); i++) {
        const json_t *v = json_array_get(vectors, i);
        const char *name = text_of(v, "keys");
        struct keyset *keys = name == NULL ? NULL : keys_named(sets, name);
        wrong += !holds(v, keys, now);
        keyset_free(keys);
    }
    json_decref(root);
    json_decref(sets);
    assert_int_equal(wrong, 0);
}

static void key_sets_hold_the_usable_keys_only(void **state)
{
    (void)state;
    json_t *root = read_vectors("keysets.json");
    const json_t *sets = json_object_get(root, "keysets");
    assert_true(json_array_size(sets) > 10);
    for (size_t i = 0; i < json_array_size(sets); i++) {
        const json_t *v = json_array_get(sets, i), *count = json_object_get(v, "keys");
        const char *text = text_of(v, "text");
        char err[512] = "";
        struct keyset *keys = keyset_from_jwks(text, strlen(text), err, sizeof err);
        print_message("# key set %s\n", text_of(v, "name"));
        assert_int_equal(keys != NULL, json_is_integer(count));
        assert_int_equal(keyset_count(keys), json_integer_value(count));
        assert_int_equal(keys == NULL, strstr(err, "expected a JSON Web Key Set") != NULL);
        assert_null(strchr(err, '\n'));
        keyset_free(keys);
    }
    json_decref(root);
}

/* --- signatures --- */

static struct keyset *keys_of_rfc(const json_t *v)
{
    char err[512];
    const char *secret = text_of(v, "secret");
    if (secret != NULL) {
        uint8_t bytes[256];
        size_t len;
        assert_true(base64_decode(BASE64URL, secret, strlen(secret), bytes, &len));
        return keyset_from_secret(bytes, len, err, sizeof err);
    }
    json_t *set = json_pack("{s:[O]}", "keys", json_object_get(v, "jwk"));
    char *text = json_dumps(set, 0);
    struct keyset *keys = keyset_from_jwks(text, strlen(text), err, sizeof err);
    free(text);
    json_decref(set);
    return keys;
}

static void signatures_of_the_rfcs_are_good_and_no_bit_can_change(void **state)
{
    (void)state;
    json_t *vectors = read_vectors("rfc.json");
    assert_int_equal(json_array_size(vectors), 4);
    for (size_t i = 0; i < json_array_size(vectors); i++) {
        const json_t *v = json_array_get(vectors, i);
        const char *why, *dot = strrchr(text_of(v, "jws"), '.');
        char *text = strndup(text_of(v, "jws"), (size_t)(dot - text_of(v, "jws")));
        uint8_t bytes[512];
        struct signature s = {text_of(v, "alg"), NULL, text, strlen(text), bytes, 0};
        struct keyset *keys = keys_of_rfc(v);
        print_message("# %s\n", text_of(v, "name"));
        assert_true(base64_decode(BASE64URL, dot + 1, strlen(dot + 1), bytes, &s.len));
        assert_int_equal(keyset_verify(keys, &s, &why), TOKEN_GOOD);
        for (size_t n = 0; n < s.len; n++) {
            bytes[n] ^= 1;
            assert_int_equal(keyset_verify(keys, &s, &why), TOKEN_INVALID);
            bytes[n] ^= 1;
        }
        text[0] ^= 1;
        assert_int_equal(keyset_verify(keys, &s, &why), TOKEN_INVALID);
        keyset_free(keys);
        free(text);
    }
    json_decref(vectors);
}

/* The public key of RFC 8037 A.2, beside which each of them stands. */
#define SOUND                                                                                      \
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"sound\","                                      \
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"

static void ed25519_keys_of_small_order_are_not_used(void **state)
{
    (void)state;
    json_t *vectors = read_vectors("small_order.json");
    const json_t *list = json_object_get(vectors, "keys");
    const uint8_t forged[64] = {1};
    const char *why;
    struct signature s = {"EdDSA", "weak", "anything", 8, forged, sizeof forged};
    assert_int_equal(json_array_size(list), 16);
    for (size_t i = 0; i < json_array_size(list); i++) {
        char err[512], text[512];
        snprintf(text, sizeof text,
                 "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"weak\","
                 "\"x\":\"%s\"}," SOUND "]}",
                 text_of(json_array_get(list, i), "x"));
        struct keyset *keys = keyset_from_jwks(text, strlen(text), err, sizeof err);
        print_message("# %s\n", text_of(json_array_get(list, i), "name"));
        assert_int_equal(keyset_count(keys), 1);
        assert_true(keyset_has(keys, "sound"));
        assert_int_equal(keyset_verify(keys, &s, &why), TOKEN_UNKNOWN_KEY);
        keyset_free(keys);
    }
    json_decref(vectors);
}

static void a_short_secret_is_refused(void **state)
{
    (void)state;
    char err[256] = "";
    assert_null(keyset_from_secret("0123456789abcde", 15, err, sizeof err));
    assert_non_null(strstr(err, "at least 16 bytes, found 15"));
    struct keyset *keys = keyset_from_secret("0123456789abcdef", 16, err, sizeof err);
    assert_int_equal(keyset_count(keys), 1);
    keyset_free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_token_is_judged_as_its_vector_says),
        cmocka_unit_test(key_sets_hold_the_usable_keys_only),
        cmocka_unit_test(signatures_of_the_rfcs_are_good_and_no_bit_can_change),
        cmocka_unit_test(ed25519_keys_of_small_order_are_not_used),
        cmocka_unit_test(a_short_secret_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
