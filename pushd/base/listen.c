/* listen: see listen.h. */
#include "base/listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/decimal.h"

static bool parse_v4(const char *host, in_port_t port, struct sockaddr_storage *out)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port};
    if (inet_pton(AF_INET, host, &v4.sin_addr) != 1)
        return false;
    memcpy(out, &v4, sizeof v4);
    return true;
}

static bool parse_v6(const char *host, in_port_t port, struct sockaddr_storage *out)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port};
    if (inet_pton(AF_INET6, host, &v6.sin6_addr) != 1)
        return false;
    memcpy(out, &v6, sizeof v6);
    return true;
}

bool listen_parse(const char *text, struct sockaddr_storage *out)
{
    char host[INET6_ADDRSTRLEN];
    uint64_t port;
    const char *colon = strrchr(text, ':');
    *out = (struct sockaddr_storage){0};
    if (!colon || !decimal(colon + 1, strlen(colon + 1), UINT16_MAX, &port))
        return false;
    size_t brackets = *text == '[', len = (size_t)(colon - text);
    if (len < 2 * brackets || len - 2 * brackets >= sizeof host || (brackets && colon[-1] != ']'))
        return false;
    len -= 2 * brackets;
    memcpy(host, text + brackets, len);
    host[len] = '\0';
    return brackets ? parse_v6(host, htons((uint16_t)port), out)
                    : parse_v4(host, htons((uint16_t)port), out);
}
