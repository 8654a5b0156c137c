/*
 * base64url: the text form of bytes in a token (RFC 4648 section 5, without padding).
 */
#ifndef PUSHD_BASE64URL_H
#define PUSHD_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The most bytes that n characters can hold. */
#define BASE64URL_BYTES(n) ((n) / 4 * 3 + 2)

/*
 * Decode the one canonical spelling: padding, characters of other alphabets and trailing bits that
 * are not zero are refused, since two spellings of one token would be two tokens. out holds
 * BASE64URL_BYTES(len).
 */
bool base64url_decode(const char *text, size_t len, uint8_t *out, size_t *out_len);

#endif
