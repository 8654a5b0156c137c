/* config_check: see config_check.h. */
#include "config/config_check.h"
#include "base/words.h"

#include <stdarg.h>
#include <string.h>

struct complaint {
    char *err;
    size_t len;
};

static bool fail(struct complaint *to, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool fail(struct complaint *to, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(to->err, to->len, format, args);
    va_end(args);
    return false;
}

static bool check_source(const struct config *c, struct complaint *to)
{
    int given = (*c->jwks_file != '\0') + (*c->jwks_url != '\0') + (*c->keycloak_url != '\0') +
                (*c->jwt_secret_file != '\0');
    if (given != 1)
        return fail(to,
                    "expected one of jwks_file, jwks_url, keycloak_url and jwt_secret_file, "
                    "found %s: give %s",
                    given == 0 ? "none" : "several",
                    given > 0 ? "only the one that the token issuer uses"
                              : "--keycloak-url URL and --keycloak-realm NAME, --jwks-url URL or "
                                "--jwks-file FILE for public keys, or --jwt-secret-file FILE for "
                                "a shared secret (HS256)");
    if (*c->keycloak_url != '\0' && *c->keycloak_realm == '\0')
        return fail(to, "expected keycloak_realm beside keycloak_url, found none: give "
                        "--keycloak-realm NAME");
    return true;
}

/* HS256 is for a secret, and the others are for public keys. */
static bool check_algorithms(const struct config *c, struct complaint *to)
{
    bool secret = *c->jwt_secret_file != '\0', usable = false;
    const char *word;
    size_t len;
    for (size_t i = 0; (len = words_get(c->algorithms, i, &word)) > 0; i++)
        usable |= secret == (len == 5 && memcmp(word, "HS256", len) == 0);
    if (usable)
        return true;
    return fail(to, "expected algorithms that %s, found \"%s\": add %s",
                secret ? "a secret can sign with (jwt_secret_file)" : "public keys can have",
                c->algorithms, secret ? "HS256" : "one of RS256, ES256, EdDSA");
}

static bool check_addresses(const struct config *c, struct complaint *to)
{
    size_t len = strlen(c->listen);
    bool any_port = len > 2 && strcmp(c->listen + len - 2, ":0") == 0;
    if (strcmp(c->listen, c->admin_listen) == 0 && !any_port)
        return fail(to,
                    "expected listen and admin_listen to differ, found both at %s: give one of "
                    "them another port",
                    c->listen);
    return true;
}

static bool check_namespaces(const struct config *c, struct complaint *to)
{
    const char *word;
    if (words_get(c->namespaces, CONFIG_NAMESPACES_MAX, &word) > 0)
        return fail(to, "namespaces: expected at most %d, found more: take some out",
                    CONFIG_NAMESPACES_MAX);
    return true;
}

/* A client that is over its rate is not read from, and so its pongs are not. */
static bool check_rates(const struct config *c, struct complaint *to)
{
    enum { DEBT_SECONDS = 60 };
    size_t least = (c->max_payload + DEBT_SECONDS - 1) / DEBT_SECONDS;
    if (c->byte_rate == 0 || c->byte_rate >= least)
        return true;
    return fail(
        to,
        "expected a byte_rate that lets one message of max_payload through in %d s, at "
        "least %zuB, found %zuB: raise byte_rate, lower max_payload, or give 0 for no limit",
        DEBT_SECONDS, least, c->byte_rate);
}

bool config_check(const struct config *c, char *err, size_t errlen)
{
    struct complaint to = {err, errlen};
    return check_source(c, &to) && check_algorithms(c, &to) && check_addresses(c, &to) &&
           check_namespaces(c, &to) && check_rates(c, &to);
}
