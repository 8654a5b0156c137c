/* auth_judge: the verdict on a client's token; see auth.h. */
#include "auth/auth_state.h"
#include "base/alloc.h"
#include "base/base64.h"
#include "base/log.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *auth_header_token(const char *authorization, size_t *len)
{
    if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0)
        return NULL;
    authorization += 7;
    authorization += strspn(authorization, " ");
    *len = strcspn(authorization, " ");
    return *len ? authorization : NULL;
}

void bearer_log(const struct bearer *b, const char *what, const char *why, uint64_t now)
{
    if (log_limit_allows(&b->auth->lines, now))
        log_info("%s%s address=%s", what, why, hub_address(b->client));
}

static void count(struct auth *a, enum verdict b)
{
    static const enum metric_id metric[] = {
        [TOKEN_GOOD] = METRIC_TOKENS_GOOD,       [TOKEN_EXPIRED] = METRIC_TOKENS_EXPIRED,
        [TOKEN_NO_KEYS] = METRIC_COUNT,          [TOKEN_UNKNOWN_KEY] = METRIC_COUNT,
        [TOKEN_INVALID] = METRIC_TOKENS_INVALID, [TOKEN_REFUSED] = METRIC_TOKENS_REFUSED};
    if (metric[b] != METRIC_COUNT)
        metrics_add(a->metrics, metric[b], 1);
}

bool bearer_waits(const struct bearer *b)
{
    return b->verdict == TOKEN_NO_KEYS || b->verdict == TOKEN_UNKNOWN_KEY;
}

void bearer_stop_waiting(struct bearer *b)
{
    free(b->token);
    b->token = NULL;
    if (!b->link)
        return;
    *b->link = b->next;
    if (b->next)
        b->next->link = b->link;
    b->link = NULL;
}

/* Keeps the token only while it waits for a key. */
static void wait_for_key(struct bearer *b, const char *token, size_t len)
{
    struct auth *a = b->auth;
    b->token = alloc_text_of(token, len);
    b->next = a->waiting;
    b->link = &a->waiting;
    if (b->next)
        b->next->link = &b->next;
    a->waiting = b;
}

/* A token that closes its connection when it expires is not kept in any form. */
static void keep_fingerprint(struct bearer *b, const char *token, size_t len)
{
    unsigned char digest[32];
    size_t n = 0;
    bool known = b->verdict == TOKEN_GOOD || b->verdict == TOKEN_EXPIRED;
    if (known && b->auth->config->token_expiry != TOKEN_EXPIRY_CLOSE &&
        EVP_Digest(token, len, digest, NULL, EVP_sha256(), NULL) == 1)
        n = base64_encode(BASE64URL, digest, sizeof digest, b->fingerprint);
    b->fingerprint[n] = '\0';
}

void bearer_judge(struct bearer *b, const char *token, size_t len, uint64_t now)
{
    struct auth *a = b->auth;
    const char *why = "absent";
    bearer_stop_waiting(b);
    claims_clear(&b->claims);
    b->verdict = token_judge(a->keys, a->config, token, len, (a->unix_ms + (int64_t)now) / 1000,
                             &b->claims, &why);
    count(a, b->verdict);
    b->late = false;
    keep_fingerprint(b, token, len);
    if (bearer_waits(b))
        wait_for_key(b, token, len);
    else if (b->verdict != TOKEN_GOOD)
        bearer_log(b, "token refused: ", why, now);
}

bool bearer_would_be_good(const struct bearer *b, const char *token, size_t len, uint64_t now)
{
    struct auth *a = b->auth;
    struct claims claims;
    const char *why;
    enum verdict verdict = token_judge(a->keys, a->config, token, len,
                                       (a->unix_ms + (int64_t)now) / 1000, &claims, &why);
    claims_clear(&claims);
    return verdict == TOKEN_GOOD;
}

void bearer_ask_for_key(struct bearer *b)
{
    struct auth *a = b->auth;
    if (b->verdict == TOKEN_UNKNOWN_KEY && a->unknown_key)
        a->unknown_key(a->unknown_key_ctx);
}

void bearer_give_up(struct bearer *b, uint64_t now)
{
    bearer_stop_waiting(b);
    b->verdict = TOKEN_INVALID;
    count(b->auth, TOKEN_INVALID);
    bearer_log(b, "token refused: ", "its key is not in the key set", now);
}

void bearer_keep_second(struct bearer *b, const char *token, size_t len, uint64_t now)
{
    if (b->second || b->from_connect || len > TOKEN_MAX)
        return;
    b->second = alloc_text_of(token, len);
    b->second_came = now;
}

void bearer_try_second(struct bearer *b, uint64_t as_of, uint64_t now)
{
    char *token = b->second;
    if (!token || bearer_waits(b))
        return;
    b->second = NULL;
    if (b->verdict != TOKEN_GOOD) {
        b->came = b->second_came;
        b->from_connect = true;
        bearer_judge(b, token, strlen(token), now);
        if (b->verdict == TOKEN_UNKNOWN_KEY && b->came <= as_of)
            bearer_give_up(b, now);
    }
    free(token);
}
