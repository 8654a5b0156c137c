/* Where the keys are, by the options, and what is taken of what is found there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/jwk.h"
#include "auth/keys_source.h"
#include "base/words.h"

static struct config config;
static char err[1024];

/* With the flags separated by |, and KEYCLOAK_URL=u and KEYCLOAK_REALM=r if they are not NULL. */
static int load(const char *flags, const char *u, const char *r)
{
    const char *argv[16] = {"pushd", "--config", "/dev/null"};
    char url[128], realm[128];
    char *environment[] = {u ? url : r ? realm : NULL, u && r ? realm : NULL, NULL};
    int argc = 3;
    char *words = strdup(flags), *rest;
    snprintf(url, sizeof url, "KEYCLOAK_URL=%s", u ? u : "");
    snprintf(realm, sizeof realm, "KEYCLOAK_REALM=%s", r ? r : "");
    for (char *w = strtok_r(words, "|", &rest); w != NULL; w = strtok_r(NULL, "|", &rest))
        argv[argc++] = w;
    config_free(&config);
    int status = config_load(&config, argc, (char **)argv, environment, err, sizeof err);
    free(words);
    return status;
}

static void each_option_names_its_place(void **state)
{
    static const struct {
        const char *flags, *url, *realm, *option, *location;
        enum keys_kind kind;
    } rows[] = {
        {"--jwks-file|k", NULL, NULL, "jwks_file", "k", KEYS_FILE},
        {"--jwt-secret-file|s", NULL, NULL, "jwt_secret_file", "s", KEYS_SECRET},
        {"--jwks-url|http://h/c?x=y", NULL, NULL, "jwks_url", "http://h/c?x=y", KEYS_URL},
        {"--keycloak-url|http://h|--keycloak-realm|r", NULL, NULL, "keycloak_url",
         "http://h/realms/r/protocol/openid-connect/certs", KEYS_URL},
        {"--keycloak-url|http://h/auth//|--keycloak-realm|r", NULL, NULL, "keycloak_url",
         "http://h/auth/realms/r/protocol/openid-connect/certs", KEYS_URL},
        {"", "https://e:8443", "s", "keycloak_url",
         "https://e:8443/realms/s/protocol/openid-connect/certs", KEYS_URL},
        {"--keycloak-realm|r", "https://e", "s", "keycloak_url",
         "https://e/realms/r/protocol/openid-connect/certs", KEYS_URL},
        {"--keycloak-url|http://h", "https://e", "s", "keycloak_url",
         "http://h/realms/s/protocol/openid-connect/certs", KEYS_URL},
        {"--jwks-file|k", "not used", "not used", "jwks_file", "k", KEYS_FILE},
        {"--jwt-secret-file|s", "not used", "not used", "jwt_secret_file", "s", KEYS_SECRET},
        {"--jwks-url|http://h", "not used", "not used", "jwks_url", "http://h", KEYS_URL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct keys_source s;
        if (load(rows[i].flags, rows[i].url, rows[i].realm) != 0)
            fail_msg("%s: %s", rows[i].flags, err);
        keys_source_init(&s, &config);
        assert_string_equal(s.option, rows[i].option);
        assert_string_equal(s.location, rows[i].location);
        assert_int_equal(s.kind, rows[i].kind);
        assert_int_equal(s.to_tell, strcspn(rows[i].location, "?"));
        keys_source_clear(&s);
    }
}

static void what_the_environment_has_wrong_is_said_by_its_name(void **state)
{
    (void)state;
    assert_int_equal(load("", "iam.example.org", "r"), -1);
    assert_non_null(strstr(err, "KEYCLOAK_URL: expected an address"));
    assert_int_equal(load("", "http://iam", "a/b"), -1);
    assert_non_null(strstr(err, "KEYCLOAK_REALM: expected the name of a realm"));
    assert_int_equal(load("", "http://iam", NULL), -1);
    assert_non_null(strstr(err, "expected keycloak_realm"));
    assert_int_equal(load("", NULL, "r"), -1);
    assert_non_null(strstr(err, "expected one of jwks_file"));
}

/* What the configuration may list is what a key can have, and HS256. */
static void the_algorithms_are_those_of_keys_and_hs256(void **state)
{
    static const enum jwk_alg algs[] = {JWK_RS256, JWK_ES256, JWK_EDDSA};
    const char *word;
    size_t n = 0;
    (void)state;
    while (words_get(CONFIG_ALGORITHMS, n, &word) > 0)
        n++;
    assert_int_equal(n, 4);
    for (size_t i = 0; i < 3; i++)
        assert_true(
            words_have(CONFIG_ALGORITHMS, jwk_alg_name(algs[i]), strlen(jwk_alg_name(algs[i]))));
    assert_true(words_have(CONFIG_ALGORITHMS, "HS256", 5));
}

static void a_secret_is_taken_without_its_line_end(void **state)
{
    static const char text[] = "0123456789abcde\r\n\n";
    struct keys_source s;
    (void)state;
    assert_int_equal(load("--jwt-secret-file|s", NULL, NULL), 0);
    keys_source_init(&s, &config);
    assert_null(keys_source_read(&s, &config, text, sizeof text - 1, err, sizeof err));
    assert_non_null(strstr(err, "jwt_secret_file: in s: expected a secret of at least 16 bytes, "
                                "found 15"));
    keys_source_clear(&s);
}

static int teardown(void **state)
{
    (void)state;
    config_free(&config);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_option_names_its_place),
        cmocka_unit_test(what_the_environment_has_wrong_is_said_by_its_name),
        cmocka_unit_test(the_algorithms_are_those_of_keys_and_hs256),
        cmocka_unit_test(a_secret_is_taken_without_its_line_end),
    };
    return cmocka_run_group_tests_name("keys_source", tests, NULL, teardown);
}
