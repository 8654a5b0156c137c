/* decimal: reads unsigned decimal numbers: digits only, no sign, no blank, no overflow. */
#ifndef PUSHD_DECIMAL_H
#define PUSHD_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True if the whole text is a number up to most. */
bool decimal(const char *text, size_t len, uint64_t most, uint64_t *out);
/* Reads the digits at *at and moves *at behind them. False if there are none or the number is
 * larger than most. */
bool decimal_take(const char **at, const char *end, uint64_t most, uint64_t *out);

#endif
