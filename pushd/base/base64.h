/*
 * base64: bytes as text (RFC 4648).
 *
 * Binary messages in a polling payload use the standard alphabet, with padding. Tokens and keys use
 * base64url, without padding.
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
 * Decodes n digits without padding. out has room for BASE64_BYTES(n). False if a character is not
 * in the alphabet.
 *
 * In base64url the bits that remain must be 0, and no digit may remain alone: two spellings of one
 * token would be two tokens. The standard alphabet ignores what remains.
 */
bool base64_decode(enum base64 alphabet, const char *digits, size_t n, void *out, size_t *out_len);

/* Encodes len bytes, with padding in the standard alphabet. Writes no 0 at the end. Returns the
 * length, at most BASE64_LEN(len). */
#define BASE64_LEN(len) (((len) + 2) / 3 * 4)
size_t base64_encode(enum base64 alphabet, const void *bytes, size_t len, char *out);

#endif
