/*
 * option_check: see option_check.h.
 */
#include "config/option_check.h"

#include <stdbool.h>
#include <string.h>

#include "base/address.h"
#include "base/listen.h"
#include "base/units.h"
#include "base/url.h"
#include "base/words.h"
#include "config/option.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

enum { NAMESPACE_MAX = 64 };

/* A name would have to be looked up, at a time when the resolver may not answer yet. */
const char *wrong_address(const char *text)
{
    struct sockaddr_storage address;
    return listen_parse(text, &address)
               ? NULL
               : "a numeric address and a port such as 127.0.0.1:7602, 0.0.0.0:7602 or [::1]:7602";
}

const char *wrong_path(const char *text)
{
    size_t n = strlen(text);
    bool good = n > 0 && text[0] == '/' && text[n - 1] == '/' && strstr(text, "//") == NULL &&
                strspn(text, LETTERS DIGITS "/._~-") == n;
    return good ? NULL : "a path that begins and ends with / such as /socket.io/";
}

static bool is_origin(const char *word, size_t len)
{
    size_t scheme = strspn(word, LETTERS DIGITS "+.-");
    return scheme > 0 && len > scheme + 3 && memcmp(word + scheme, "://", 3) == 0 &&
           memchr(word + scheme + 3, '/', len - scheme - 3) == NULL;
}

const char *wrong_origins(const char *text)
{
    const char *word;
    size_t len;
    if (strcmp(text, "*") == 0)
        return NULL;
    for (size_t i = 0; (len = words_get(text, i, &word)) > 0; i++)
        if (!is_origin(word, len))
            return "* or a list of origins without a path such as https://portal.example.org";
    return NULL;
}

static bool is_namespace(const char *word, size_t len)
{
    return word[0] == '/' && len <= NAMESPACE_MAX &&
           strspn(word + 1, LETTERS DIGITS "_.-") >= len - 1;
}

const char *wrong_namespaces(const char *text)
{
    static const char expected[] = "a list of namespaces, each once, such as /tasks";
    const char *word, *earlier;
    size_t len, n, i;
    for (i = 0; (len = words_get(text, i, &word)) > 0; i++) {
        if (!is_namespace(word, len))
            return expected;
        for (size_t j = 0; j < i; j++)
            if ((n = words_get(text, j, &earlier)) == len && memcmp(word, earlier, n) == 0)
                return expected;
    }
    return i > 0 ? NULL : expected;
}

const char *wrong_client_types(const char *text)
{
    static const char expected[] = "a list of type=duration such as node=30s user=10min";
    const char *word;
    size_t len, i;
    uint64_t ms;
    for (i = 0; (len = words_get(text, i, &word)) > 0; i++) {
        const char *equals = memchr(word, '=', len);
        if (equals == NULL || equals == word ||
            !units_parse(units_duration, equals + 1, (size_t)(word + len - equals - 1), &ms))
            return expected;
    }
    return i > 0 ? NULL : expected;
}

const char *wrong_claims(const char *text)
{
    const char *word;
    return words_get(text, 0, &word) > 0 ? NULL : "a list of claims such as client_type";
}

const char *wrong_event(const char *text)
{
    size_t n = strlen(text);
    bool good = n > 0 && strspn(text, LETTERS DIGITS "_.:-") == n;
    return good ? NULL : "the name of an event (letters, digits, _ . : -) such as invalid_token";
}

const char *wrong_name(const char *text)
{
    bool good = strspn(text, LETTERS DIGITS "_.:-") == strlen(text);
    return good ? NULL : "a name of letters, digits, _ . : and - such as pushd-1";
}

const char *wrong_proxies(const char *text)
{
    const char *word;
    struct address_net net;
    size_t len;
    for (size_t i = 0; (len = words_get(text, i, &word)) > 0; i++) {
        if (!address_net_parse(word, len, &net))
            return "a list of numeric addresses and nets such as 10.0.0.7 fd00:1::/64";
        if (!address_net_exact(&net))
            return "nets without bits after their prefix, such as 10.0.0.0/8 and not 10.0.0.7/8";
    }
    return NULL;
}

const char *wrong_cookie(const char *text)
{
    bool good = strspn(text, LETTERS DIGITS "_.-") == strlen(text);
    return good ? NULL : "the name of a cookie (letters, digits, _ . -) such as io";
}

const char *wrong_url(const char *text)
{
    struct url url;
    return *text == '\0' || url_parse(text, &url)
               ? NULL
               : "an address without user or fragment such as https://iam.example.org/certs";
}

const char *wrong_base_url(const char *text)
{
    return wrong_url(text) == NULL && strchr(text, '?') == NULL
               ? NULL
               : "an address without user or query such as https://iam.example.org";
}

const char *wrong_realm(const char *text)
{
    bool good = strspn(text, LETTERS DIGITS "_.~-") == strlen(text);
    return good ? NULL : "the name of a realm (letters, digits, _ . ~ -) such as vantage6";
}

const char *wrong_algorithms(const char *text)
{
    const char *word;
    size_t len, i;
    for (i = 0; (len = words_get(text, i, &word)) > 0; i++)
        if (!words_have(CONFIG_ALGORITHMS, word, len))
            return "a list of algorithms among " CONFIG_ALGORITHMS;
    return i > 0 ? NULL : "a list of algorithms among " CONFIG_ALGORITHMS;
}
