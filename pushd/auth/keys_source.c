/* keys_source: see keys_source.h. */
#include "auth/keys_source.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/url.h"

/* The URL of a realm's key set in Keycloak (OpenID Connect Discovery calls it jwks_uri). */
static char *keycloak_certs(const struct config *c)
{
    size_t len = strlen(c->keycloak_url);
    while (len > 0 && c->keycloak_url[len - 1] == '/')
        len--;
    return alloc_format("%.*s/realms/%s/protocol/openid-connect/certs", (int)len, c->keycloak_url,
                        c->keycloak_realm);
}

void keys_source_init(struct keys_source *s, const struct config *c)
{
    if (*c->jwks_file != '\0')
        *s = (struct keys_source){KEYS_FILE, "jwks_file", alloc_text(c->jwks_file), 0};
    else if (*c->jwks_url != '\0')
        *s = (struct keys_source){KEYS_URL, "jwks_url", alloc_text(c->jwks_url), 0};
    else if (*c->keycloak_url != '\0')
        *s = (struct keys_source){KEYS_URL, "keycloak_url", keycloak_certs(c), 0};
    else
        *s =
            (struct keys_source){KEYS_SECRET, "jwt_secret_file", alloc_text(c->jwt_secret_file), 0};
    s->to_tell = (int)(s->kind == KEYS_URL ? url_length_to_tell(s->location) : strlen(s->location));
}

void keys_source_clear(struct keys_source *s)
{
    free(s->location);
    s->location = NULL;
}

/* A text editor ends the secret with a line feed, which does not belong to it. */
static size_t without_line_end(const char *text, size_t len)
{
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    return len;
}

struct keyset *keys_source_read(const struct keys_source *s, const struct config *config,
                                const char *text, size_t len, char *err, size_t errlen)
{
    char reason[512];
    struct keyset *set =
        s->kind == KEYS_SECRET
            ? keyset_from_secret(text, without_line_end(text, len), reason, sizeof reason)
            : keyset_from_jwks(text, len, reason, sizeof reason);
    if (set == NULL)
        snprintf(err, errlen, "%s: in %.*s: %s", s->option, s->to_tell, s->location, reason);
    else
        keyset_keep(set, config->algorithms);
    return set;
}
