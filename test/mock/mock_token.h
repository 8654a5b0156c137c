/* mock_token: tokens that the tests sign themselves, by HS256. */
#ifndef TEST_MOCK_TOKEN_H
#define TEST_MOCK_TOKEN_H

#include <stddef.h>

enum { SIGNATURE_MAX = 128 };
/* The signature of a text in base64url, without a 0 at its end; its length. out: SIGNATURE_MAX. */
size_t sign_text(const char *secret, const char *text, size_t len, char *out);
/* A token of these two JSON texts: malloc'd, without a 0 at its end. */
char *sign_token(const char *secret, const char *header, size_t header_len, const char *payload,
                 size_t payload_len, size_t *len);

#endif
