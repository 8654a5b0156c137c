/* units: see units.h. */
#include "base/units.h"
#include "base/decimal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The largest first. A bare number means the unit without a name. */
const struct unit units_duration[] = {{"h", 3600000}, {"min", 60000}, {"s", 1000},
                                      {"", 1000},     {"ms", 1},      {NULL, 0}};
const struct unit units_size[] = {{"MB", 1000000}, {"kB", 1000}, {"", 1}, {"B", 1}, {NULL, 0}};
const struct unit units_count[] = {{"", 1}, {NULL, 0}};

bool units_parse(const struct unit *units, const char *text, size_t len, uint64_t *out)
{
    static const uint64_t most = 999999999999; /* far above every limit, and far below overflow */
    const char *unit = text;
    uint64_t n;
    if (!decimal_take(&unit, text + len, most, &n))
        return false;
    len -= (size_t)(unit - text);
    for (; units->name; units++)
        if (strlen(units->name) == len && memcmp(units->name, unit, len) == 0) {
            *out = n * units->factor;
            return true;
        }
    return false;
}

void units_print(const struct unit *units, uint64_t n, char out[UNITS_TEXT])
{
    while (units[1].name && (n < units->factor || n % units->factor != 0))
        units++;
    snprintf(out, UNITS_TEXT, "%" PRIu64 "%s", n / units->factor, units->name);
}
