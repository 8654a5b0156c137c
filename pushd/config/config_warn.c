/* config_warn: see config_warn.h. */
#include "config/config_warn.h"

#include <string.h>
#include <strings.h>

static void check_url(const char *url, const char *text, void (*warn)(const char *text))
{
    if (strncasecmp(url, "http://", 7) == 0)
        warn(text);
}

void config_warn(const struct config *c, void (*warn)(const char *text))
{
    check_url(c->jwks_url,
              "jwks_url: expected https, found http: who can change the answer on its way can make "
              "tokens for anybody; give an https URL",
              warn);
    check_url(c->keycloak_url,
              "keycloak_url: expected https, found http: who can change the answer on its way can "
              "make tokens for anybody; give an https URL",
              warn);
    /* A secret is HQ's own, and its tokens name no audience. */
    if (*c->audience == '\0' && *c->jwt_secret_file == '\0')
        warn("audience: expected the audience of the tokens that are for here, found none: a token "
             "for another service of the same issuer is accepted; set audience");
}
