/* utf8: see utf8.h. */
#include "base/utf8.h"

/* The range of the second byte excludes overlong forms, surrogates and values that are too large.
 */
static inline size_t length(const unsigned char *p, const unsigned char *end)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t n = *p < 0x80 ? 1 : *p < 0xc2 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;
    if (n <= 1 || (size_t)(end - p) < n)
        return n == 1;
    if (*p == 0xe0)
        low = 0xa0;
    else if (*p == 0xed)
        high = 0x9f;
    else if (*p == 0xf0)
        low = 0x90;
    else if (*p == 0xf4)
        high = 0x8f;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

size_t utf8_length(const char *p, const char *end)
{
    return p < end ? length((const unsigned char *)p, (const unsigned char *)end) : 0;
}

bool utf8_valid(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text, *end = p + len;
    size_t n = 1;
    for (; p < end && n > 0; p += n)
        n = length(p, end);
    return n > 0;
}
