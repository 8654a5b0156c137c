/*
 * utf8: validates UTF-8 (RFC 3629): no surrogates, no overlong forms, nothing above U+10FFFF.
 */
#ifndef PUSHD_UTF8_H
#define PUSHD_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* The length of the character at p in bytes; 0 if there is no valid one. */
size_t utf8_length(const char *p, const char *end);
bool utf8_valid(const char *text, size_t len);

#endif
