/*
 * json_read: parses JSON from a client as JavaScript does.
 *
 * Some legal JSON does not fit jansson. To refuse no client for it, it is read as JavaScript reads
 * it:
 * - an integer beyond 64 bits becomes a real
 * - a real beyond the range becomes null (JavaScript reads Infinity and writes null)
 * - half a surrogate pair becomes U+FFFD (a text that was cut within a character)
 * - the last of two equal keys counts
 *
 * These are refused as not JSON: invalid UTF-8, anything after the value, and a zero byte in a key,
 * which jansson cannot hold.
 */
#ifndef PUSHD_JSON_READ_H
#define PUSHD_JSON_READ_H

#include <jansson.h>
#include <stddef.h>

/*
 * Parses len bytes that are nested at most max_depth deep (["x"] is 1). NULL: *wrong says why (a
 * static text).
 */
extern const char json_too_deep[]; /* as *wrong: compare the pointer */
json_t *json_read(const char *text, size_t len, unsigned max_depth, const char **wrong);

#endif
