/* query: see query.h. */
#include "engineio/query.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Reads one byte at *at, which may be written as %XX, and moves *at behind it. The text goes on
 * with a byte that is no digit. */
static char take_byte(const char **at)
{
    const char *p = (*at)++;
    if (*p != '%' || !isxdigit((unsigned char)p[1]) || !isxdigit((unsigned char)p[2]))
        return *p;
    const char digits[] = {p[1], p[2], '\0'};
    char byte = (char)strtoul(digits, NULL, 16);
    if (!byte)
        return *p;
    *at += 2;
    return byte;
}

static void decode(char *out, size_t size, const char *text, const char *end)
{
    size_t len = 0;
    while (text < end && len + 1 < size)
        out[len++] = take_byte(&text);
    out[len] = '\0';
}

/* pair: name=value, or only a name. */
static void take_pair(struct parameters *p, const char *pair, const char *end)
{
    char name[sizeof "transport" + 1]; /* a longer name is cut and is still longer than ours */
    const char *equals = memchr(pair, '=', (size_t)(end - pair));
    const char *value = equals ? equals + 1 : end;
    decode(name, sizeof name, pair, equals ? equals : end);
    if (strcmp(name, "EIO") == 0)
        decode(p->eio, sizeof p->eio, value, end);
    else if (strcmp(name, "transport") == 0)
        decode(p->transport, sizeof p->transport, value, end);
    else if (strcmp(name, "sid") == 0)
        decode(p->sid, sizeof p->sid, value, end);
}

struct parameters query_parse(const char *query)
{
    struct parameters p = {"", "", ""};
    for (const char *at = query ? query : ""; *at;) {
        const char *end = at + strcspn(at, "&");
        take_pair(&p, at, end);
        at = end + (*end == '&');
    }
    return p;
}
