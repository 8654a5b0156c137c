/*
 * base64url: see base64url.h.
 */
#include "base/base64url.h"

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool base64url_decode(const char *text, size_t len, uint8_t *out, size_t *out_len)
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t n = 0;
    if (len % 4 == 1)
        return false;
    for (size_t i = 0; i < len; i++) {
        int d = digit(text[i]);
        if (d < 0)
            return false;
        bits = bits << 6 | (uint32_t)d;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[n++] = (uint8_t)(bits >> held);
            bits &= (1u << held) - 1;
        }
    }
    *out_len = n;
    return bits == 0;
}
