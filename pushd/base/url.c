/* url: see url.h. */
#include "base/url.h"
#include "base/decimal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/address.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* What follows it, NULL if it is another one. */
static const char *take_scheme(const char *text, bool *https)
{
    *https = strncasecmp(text, "https://", 8) == 0;
    if (!*https && strncasecmp(text, "http://", 7) != 0)
        return NULL;
    return text + (*https ? 8 : 7);
}

/* The host in len bytes of text; false if it is invalid. */
static bool take_host(const char *text, size_t len, struct url *out)
{
    struct address address;
    bool bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';
    if (bracketed) {
        text++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof out->host)
        return false;
    memcpy(out->host, text, len);
    out->host[len] = '\0';
    out->numeric = address_parse(text, len, &address);
    if (bracketed || strchr(out->host, ':'))
        return bracketed && out->numeric && strchr(out->host, ':');
    return strspn(out->host, LETTERS DIGITS "._-") == len;
}

static bool take_port(const char *text, size_t len, bool https, struct url *out)
{
    uint64_t n;
    snprintf(out->port, sizeof out->port, "%s", https ? "443" : "80");
    if (len == 0)
        return true;
    if (!decimal(text, len, 65535, &n) || n == 0)
        return false;
    snprintf(out->port, sizeof out->port, "%u", (unsigned)n);
    return true;
}

static bool is_visible(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text <= ' ' || *text >= 0x7f || *text == '#' || *text == '\\')
            return false;
    return true;
}

bool url_parse(const char *text, struct url *out)
{
    bool https;
    const char *host = take_scheme(text, &https);
    if (host == NULL)
        return false;
    size_t len = strcspn(host, "/?#");
    /* The port begins at the last colon outside of brackets. */
    size_t bracket = *host == '[' ? strcspn(host, "]") : 0;
    size_t before = bracket < len ? bracket + strcspn(host + bracket, ":/?#") : len;
    size_t port = before < len ? before + 1 : len;
    return take_host(host, before, out) && take_port(host + port, len - port, https, out) &&
           is_visible(host + len);
}

size_t url_length_to_tell(const char *text)
{
    return strcspn(text, "?");
}
