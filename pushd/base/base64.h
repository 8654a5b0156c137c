/*
 * base64: bytes as text (RFC 4648): the standard alphabet, padded, of binary messages in a polling
 * payload, and base64url, not padded, of tokens and keys.
 */
#ifndef PUSHD_BASE64_H
#define PUSHD_BASE64_H

#include <stdbool.h>
#include <stddef.h>

enum base64 { BASE64, BASE64URL };

/* The 64 digits of each, as a text. */
extern const char base64_digits[2][65];

/* The most bytes that n digits can hold. */
#define BASE64_BYTES(n) ((n) / 4 * 3 + 2)

/*
 * Decode n digits, without padding; out holds BASE64_BYTES(n). False if one is none of the
 * alphabet. Bits that are left at the end must be 0 in base64url, and a digit must not stand alone
 * there: two spellings of one token would be two tokens. In the standard alphabet they are ignored.
 */
bool base64_decode(enum base64 alphabet, const char *digits, size_t n, void *out, size_t *out_len);

/* Encode len bytes, padded in the standard alphabet; out gets no 0 at the end. Returns the length,
 * which is at most BASE64_LEN(len). */
#define BASE64_LEN(len) (((len) + 2) / 3 * 4)
size_t base64_encode(enum base64 alphabet, const void *bytes, size_t len, char *out);

#endif
