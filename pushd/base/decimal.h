/* decimal: numbers of digits only, as text: no sign, no blank, no overflow. */
#ifndef PUSHD_DECIMAL_H
#define PUSHD_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The whole text is a number of at most this much. */
bool decimal(const char *text, size_t len, uint64_t most, uint64_t *out);
/* The same of the digits at *at, which is behind them afterwards. */
bool decimal_take(const char **at, const char *end, uint64_t most, uint64_t *out);

#endif
