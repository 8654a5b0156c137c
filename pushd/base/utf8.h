/*
 * utf8: is a text UTF-8 (RFC 3629)? No surrogates, no overlong forms, nothing beyond U+10FFFF.
 */
#ifndef PUSHD_UTF8_H
#define PUSHD_UTF8_H

#include <stdbool.h>
#include <stddef.h>

bool utf8_valid(const char *text, size_t len);

#endif
