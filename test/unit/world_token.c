/* world: tokens and the key that they are signed with; see world.h. */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "world.h"

static const char SECRET[] = "a secret of the tests, long enough";

struct keyset *world_keys(void)
{
    char err[256];
    struct keyset *keys = keyset_from_secret(SECRET, sizeof SECRET - 1, err, sizeof err);
    assert_non_null(keys);
    return keys;
}

static size_t base64url(const void *data, size_t len, char *out)
{
    size_t n = (size_t)EVP_EncodeBlock((unsigned char *)out, data, (int)len);
    while (n && out[n - 1] == '=')
        out[--n] = '\0';
    for (size_t i = 0; i < n; i++)
        out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
    return n;
}

const char *world_bearer(struct world *w, int subject, int exp, const char *extra)
{
    static char header[1024];
    char claims[512], text[1000];
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned mac_len = 0;
    int n = snprintf(claims, sizeof claims, "{\"sub\":%d,\"exp\":%lld%s}", subject,
                     (long long)WORLD_UNIX + (long long)(w->now - 1000) / 1000 + exp, extra);
    size_t len = base64url("{\"alg\":\"HS256\"}", 15, text);
    text[len++] = '.';
    len += base64url(claims, (size_t)n, text + len);
    HMAC(EVP_sha256(), SECRET, sizeof SECRET - 1, (unsigned char *)text, len, mac, &mac_len);
    text[len++] = '.';
    base64url(mac, mac_len, text + len);
    snprintf(header, sizeof header, "Bearer %s", text);
    return header;
}
