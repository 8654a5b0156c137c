/* printable: see printable.h. */
#include "base/printable.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { ESCAPED = 4 };

static bool is_plain(unsigned char c)
{
    return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

void printable_cut(const char *text, char *out, size_t size)
{
    size_t n = 0;
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        size_t len = is_plain(c) ? 1 : ESCAPED;
        if (n + len >= size)
            break;
        if (len == 1)
            out[n] = (char)c;
        else
            snprintf(out + n, ESCAPED + 1, "\\x%02x", c);
        n += len;
    }
    out[n] = '\0';
}
