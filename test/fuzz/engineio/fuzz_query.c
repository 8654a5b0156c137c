/* Query strings: the last of each name counts, as another way of reading finds it and decodes it;
 * what is too long for its place equals no legal value. */
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engineio/query.h"
#include "fuzz.h"

static unsigned digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    return (unsigned)(strchr(digits, tolower((unsigned char)c)) - digits);
}

/* A copy in which each %XX but %00 is its byte. */
static char *decoded(const char *text, size_t len)
{
    char *copy = strndup(text, len);
    for (char *p = strchr(copy, '%'); p; p = strchr(p + 1, '%')) {
        bool is_byte = strspn(p + 1, "0123456789abcdefABCDEF") >= 2;
        if (!is_byte || strncmp(p + 1, "00", 2) == 0)
            continue;
        *p = (char)(16 * digit(p[1]) + digit(p[2]));
        memmove(p + 1, p + 3, strlen(p + 3) + 1);
    }
    return copy;
}

/* The value of the last parameter of this name, from the end. "" if absent. */
static char *last_value(const char *query, const char *name)
{
    for (const char *p = query + strlen(query);; p--) {
        if (p == query || p[-1] == '&') {
            size_t len = strcspn(p, "=&");
            const char *value = p + len + (p[len] == '=');
            char *found = decoded(p, len);
            bool equal = strcmp(found, name) == 0;
            free(found);
            if (equal)
                return decoded(value, strcspn(value, "&"));
        }
        if (p == query)
            return strdup("");
    }
}

static void check(const char *query, const char *name, const char *found, size_t size)
{
    char *value = last_value(query, name);
    size_t len = strnlen(found, size);
    expect(len < size, "%s has no end", name);
    if (strlen(value) < size)
        expect(strcmp(value, found) == 0, "%s: expected %s, found %s", name, value, found);
    else
        expect(len == size - 1, "%s: cut to %zu bytes", name, len);
    free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *query = text_of(data, size);
    struct parameters p = query_parse(query);
    check(query, "EIO", p.eio, sizeof p.eio);
    check(query, "transport", p.transport, sizeof p.transport);
    check(query, "sid", p.sid, sizeof p.sid);
    free(query);
    return 0;
}
