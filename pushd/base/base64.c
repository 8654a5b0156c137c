/* base64: see base64.h. */
#include "base/base64.h"

#include <stdint.h>

#define COMMON "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
const char base64_digits[2][65] = {[BASE64] = COMMON "+/", [BASE64URL] = COMMON "-_"};

/* The value of a character, and a bit that says that it is a digit. */
enum { DIGIT = 0x40 };
#define IS(c, value) [c] = DIGIT | (value)
#define FIVE(c, value)                                                                             \
    IS(c, value), IS((c) + 1, (value) + 1), IS((c) + 2, (value) + 2), IS((c) + 3, (value) + 3),    \
        IS((c) + 4, (value) + 4)
#define LETTERS(c, value)                                                                          \
    FIVE(c, value), FIVE((c) + 5, (value) + 5), FIVE((c) + 10, (value) + 10),                      \
        FIVE((c) + 15, (value) + 15), FIVE((c) + 20, (value) + 20), IS((c) + 25, (value) + 25)
#define VALUES(c62, c63)                                                                           \
    {                                                                                              \
        LETTERS('A', 0), LETTERS('a', 26), FIVE('0', 52), FIVE('5', 57), IS(c62, 62), IS(c63, 63)  \
    }
static const uint8_t VALUE[2][256] = {[BASE64] = VALUES('+', '/'), [BASE64URL] = VALUES('-', '_')};

bool base64_decode(enum base64 alphabet, const char *digits, size_t n, void *out, size_t *out_len)
{
    const uint8_t *value = VALUE[alphabet], *in = (const uint8_t *)digits, *end = in + n / 4 * 4;
    uint8_t *to = out, all = DIGIT;
    for (; in < end; in += 4) {
        uint8_t a = value[in[0]], b = value[in[1]], c = value[in[2]], d = value[in[3]];
        all &= a & b & c & d;
        *to++ = (uint8_t)(a << 2 | (b & 63) >> 4);
        *to++ = (uint8_t)(b << 4 | (c & 63) >> 2);
        *to++ = (uint8_t)(c << 6 | (d & 63));
    }
    unsigned bits = 0, held = 0;
    for (end += n % 4; in < end; in++, held += 6) {
        all &= value[*in];
        bits = bits << 6 | (value[*in] & 63);
    }
    while (held >= 8) {
        held -= 8;
        *to++ = (uint8_t)(bits >> held);
    }
    *out_len = (size_t)(to - (uint8_t *)out);
    return all && (alphabet == BASE64 || (n % 4 != 1 && !(bits & ((1u << held) - 1))));
}

size_t base64_encode(enum base64 alphabet, const void *bytes, size_t len, char *out)
{
    const char *digits = base64_digits[alphabet];
    const uint8_t *in = bytes;
    char *to = out;
    for (; len >= 3; len -= 3, in += 3, to += 4) {
        unsigned bits = (unsigned)in[0] << 16 | (unsigned)in[1] << 8 | in[2];
        to[0] = digits[bits >> 18];
        to[1] = digits[bits >> 12 & 63];
        to[2] = digits[bits >> 6 & 63];
        to[3] = digits[bits & 63];
    }
    if (len > 0) {
        unsigned second = len > 1 ? in[1] : 0;
        *to++ = digits[in[0] >> 2];
        *to++ = digits[(in[0] << 4 | second >> 4) & 63];
        if (len > 1)
            *to++ = digits[second << 2 & 63];
        for (; alphabet == BASE64 && len < 3; len++)
            *to++ = '=';
    }
    return (size_t)(to - out);
}
