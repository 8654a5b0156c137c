/* handshake: see handshake.h. */
#include "http/handshake.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "http/characters.h"

bool handshake_asked(const struct request_head *h)
{
    return request_header(h, HEADER_UPGRADE) != NULL;
}

/* 16 bytes in base64. */
static bool is_key(const char *key)
{
    return key && strspn(key, base64_digits[BASE64]) == 22 && strcmp(key + 22, "==") == 0;
}

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

/* Tokens with commas between them (RFC 6455, 11.3.4). */
static bool are_protocols(const char *list)
{
    const char *end = list + strlen(list);
    for (;; list++) {
        const char *token = skip_blanks(list);
        list = characters_run(token, end, IN_TOKEN);
        if (list == token || list - token >= PROTOCOL_MAX)
            return false;
        list = skip_blanks(list);
        if (*list != ',')
            return list == end;
    }
}

bool handshake_is_good(const struct request_head *h)
{
    unsigned versions = 0;
    for (unsigned i = 0; i < h->n; i++) {
        versions += h->value[i].header == HEADER_WS_VERSION;
        if (h->value[i].header == HEADER_WS_PROTOCOL && !are_protocols(h->text + h->value[i].at))
            return false;
    }
    return h->method == METHOD_GET && !h->version_1_0 && h->length == 0 && versions == 1 &&
           strcmp(request_header(h, HEADER_WS_VERSION), "13") == 0 &&
           is_key(request_header(h, HEADER_WS_KEY)) &&
           request_lists(h, HEADER_UPGRADE, "websocket") &&
           request_lists(h, HEADER_CONNECTION, "upgrade");
}

bool handshake_protocol(const struct request_head *h, char out[PROTOCOL_MAX])
{
    const char *list = request_header(h, HEADER_WS_PROTOCOL);
    if (!list)
        return false;
    size_t len = (size_t)(characters_run(list, list + strlen(list), IN_TOKEN) - list);
    if (len == 0 || len >= PROTOCOL_MAX)
        return false;
    memcpy(out, list, len);
    out[len] = '\0';
    return true;
}

size_t handshake_write(const struct request_head *h, char out[HANDSHAKE_MAX])
{
    int n = snprintf(out, HANDSHAKE_MAX,
                     "GET / HTTP/1.1\r\n"
                     "Host: localhost\r\n"
                     "Upgrade: websocket\r\n"
                     "Connection: Upgrade\r\n"
                     "Sec-WebSocket-Key: %.24s\r\n"
                     "Sec-WebSocket-Version: 13\r\n\r\n",
                     request_header(h, HEADER_WS_KEY));
    return (size_t)n;
}
