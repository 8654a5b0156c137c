/*
 * json_read: JSON that a client sent, read as JavaScript reads it.
 *
 * What is legal JSON and jansson cannot hold becomes what JavaScript makes of it, so that nobody is
 * refused for it: an integer beyond 64 bits becomes a real, a real beyond all reals becomes null
 * (JavaScript: Infinity, which is written as null), half a surrogate pair (a text cut in the middle
 * of a character) becomes U+FFFD. Of a key given twice the last counts. Refused are, as not JSON,
 * invalid UTF-8 and anything after the value; and a zero byte in a key, which jansson cannot hold.
 */
#ifndef PUSHD_JSON_READ_H
#define PUSHD_JSON_READ_H

#include <jansson.h>
#include <stddef.h>

/*
 * The value of the len bytes, nested max_depth deep at most (["x"] is 1). NULL: *wrong says why (a
 * static text).
 */
extern const char json_too_deep[]; /* as *wrong: compare the pointer */
json_t *json_read(const char *text, size_t len, unsigned max_depth, const char **wrong);

#endif
