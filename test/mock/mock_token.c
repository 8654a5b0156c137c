/* mock_token: see mock_token.h. */
#include "mock_token.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

size_t sign_text(const char *secret, const char *text, size_t len, char *out)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned mac_len = 0;
    HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)text, len, mac,
         &mac_len);
    return base64_encode(BASE64URL, mac, mac_len, out);
}

char *sign_token(const char *secret, const char *header, size_t header_len, const char *payload,
                 size_t payload_len, size_t *len)
{
    char *text = malloc((header_len + payload_len) * 4 / 3 + SIGNATURE_MAX + 16);
    size_t n = base64_encode(BASE64URL, header, header_len, text);
    text[n++] = '.';
    n += base64_encode(BASE64URL, payload, payload_len, text + n);
    size_t signed_len = n;
    text[n++] = '.';
    n += sign_text(secret, text, signed_len, text + n);
    *len = n;
    return realloc(text, n);
}
