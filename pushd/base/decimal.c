/* decimal: see decimal.h. */
#include "base/decimal.h"

bool decimal_take(const char **at, const char *end, uint64_t most, uint64_t *out)
{
    const char *start = *at;
    bool fits = true;
    uint64_t n = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        uint64_t digit = (uint64_t)(**at - '0');
        fits = fits && n <= most / 10 && digit <= most - 10 * n;
        n = 10 * n + digit;
    }
    *out = n;
    return fits && *at > start;
}

bool decimal(const char *text, size_t len, uint64_t most, uint64_t *out)
{
    const char *end = text + len;
    return decimal_take(&text, end, most, out) && text == end;
}
