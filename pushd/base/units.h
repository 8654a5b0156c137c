/*
 * units: reads and writes numbers with a unit.
 * - durations: ms, s, min, h; a bare number means seconds
 * - sizes: B, kB, MB; a bare number means bytes
 * - counts: no unit
 */
#ifndef PUSHD_UNITS_H
#define PUSHD_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unit {
    const char *name;
    uint64_t factor;
};

extern const struct unit units_duration[], units_size[], units_count[];

/* Digits and a unit: no sign, no blank, no fraction. A duration is in ms, a size in bytes. */
bool units_parse(const struct unit *units, const char *text, size_t len, uint64_t *out);
/* Writes the number with the largest unit that divides it. */
enum { UNITS_TEXT = 32 };
void units_print(const struct unit *units, uint64_t n, char out[UNITS_TEXT]);

#endif
