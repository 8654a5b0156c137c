/*
 * utf8: is a text UTF-8 (RFC 3629)? No surrogates, no overlong forms, nothing beyond U+10FFFF.
 */
#ifndef PUSHD_UTF8_H
#define PUSHD_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* The bytes of the character at p; 0 if there is none. */
size_t utf8_length(const char *p, const char *end);
bool utf8_valid(const char *text, size_t len);

#endif
