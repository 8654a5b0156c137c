/* query: see query.h. */
#include "engineio/query.h"

#include <stddef.h>
#include <string.h>

static void take(char *out, size_t size, const char *value, size_t len)
{
    if (len >= size)
        len = size - 1;
    memcpy(out, value, len);
    out[len] = '\0';
}

struct parameters query_parse(const char *query)
{
    struct parameters p = {"", "", ""};
    for (const char *at = query ? query : ""; *at;) {
        size_t len = strcspn(at, "&");
        const char *eq = memchr(at, '=', len);
        size_t name = eq ? (size_t)(eq - at) : len;
        const char *value = eq ? eq + 1 : at + len;
        size_t value_len = len - (size_t)(value - at);
        if (name == 3 && memcmp(at, "EIO", 3) == 0)
            take(p.eio, sizeof p.eio, value, value_len);
        else if (name == 9 && memcmp(at, "transport", 9) == 0)
            take(p.transport, sizeof p.transport, value, value_len);
        else if (name == 3 && memcmp(at, "sid", 3) == 0)
            take(p.sid, sizeof p.sid, value, value_len);
        at += len + (at[len] == '&');
    }
    return p;
}
