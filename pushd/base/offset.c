/* offset: see offset.h. Its text is "<prev>/<cur>/<id>/<signature>". */
#include "base/offset.h"
#include "base/alloc.h"
#include "base/decimal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Hexadecimal digits of a signature: 128 bits of HMAC-SHA256. */
enum { SIGNATURE = 32 };

static const char NONE[] = "-";

void offset_open(struct offset_log *log, const char *secret, const char *epoch)
{
    offset_close(log);
    log->secret = alloc_text(secret);
    log->epoch = alloc_text(epoch);
}

void offset_close(struct offset_log *log)
{
    free(log->secret);
    free(log->epoch);
    log->secret = log->epoch = NULL;
}

/* False if OpenSSL fails. */
static bool sign(const struct offset_log *log, const char *text, size_t len,
                 char out[SIGNATURE + 1])
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    char *message = alloc_format("%s/%.*s", log->epoch, (int)len, text);
    bool done = HMAC(EVP_sha256(), log->secret, (int)strlen(log->secret), (unsigned char *)message,
                     strlen(message), mac, &n) != NULL;
    free(message);
    for (size_t i = 0; done && i < SIGNATURE / 2; i++)
        snprintf(out + 2 * i, 3, "%02x", mac[i]);
    return done;
}

const char *offset_make(struct offset_log *log, const char *prev, const char *cur, int64_t id)
{
    char signature[SIGNATURE + 1];
    if (!log->secret || !prev || !cur)
        return NONE;
    int n = snprintf(log->text, sizeof log->text, "%s/%s/%lld", prev, cur, (long long)id);
    if (n < 0 || n + 1 + SIGNATURE > OFFSET_MAX || !sign(log, log->text, (size_t)n, signature))
        return NONE;
    snprintf(log->text + n, sizeof log->text - (size_t)n, "/%s", signature);
    return log->text;
}

/* Copies the part up to the next slash and moves *text behind it. */
static bool part(const char **text, char *out, size_t size)
{
    size_t len = strcspn(*text, "/");
    if (!(*text)[len] || len >= size)
        return false;
    memcpy(out, *text, len);
    out[len] = '\0';
    *text += len + 1;
    return true;
}

bool offset_read(const struct offset_log *log, const char *text, struct offset *out)
{
    char digits[24], signature[SIGNATURE + 1];
    const char *at = text;
    uint64_t id;
    if (!log->secret || strlen(text) > OFFSET_MAX || !part(&at, out->prev, sizeof out->prev) ||
        !part(&at, out->cur, sizeof out->cur) || !part(&at, digits, sizeof digits) ||
        strlen(at) != SIGNATURE)
        return false;
    if (!sign(log, text, (size_t)(at - 1 - text), signature) ||
        CRYPTO_memcmp(at, signature, SIGNATURE) != 0)
        return false;
    if (!decimal(digits, strlen(digits), INT64_MAX, &id))
        return false;
    out->id = (int64_t)id;
    return true;
}
