/* auth_judge: what a token is worth; see auth.h. */
#include "auth/auth_state.h"
#include "base/alloc.h"
#include "base/log.h"

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

static void count(struct auth *g, enum verdict v)
{
    static const enum metric_id metric[] = {
        [TOKEN_GOOD] = METRIC_TOKENS_GOOD,       [TOKEN_EXPIRED] = METRIC_TOKENS_EXPIRED,
        [TOKEN_NO_KEYS] = METRIC_COUNT,          [TOKEN_UNKNOWN_KEY] = METRIC_COUNT,
        [TOKEN_INVALID] = METRIC_TOKENS_INVALID, [TOKEN_REFUSED] = METRIC_TOKENS_REFUSED};
    if (metric[v] != METRIC_COUNT)
        metrics_add(g->metrics, metric[v], 1);
}

bool bearer_waits(const struct bearer *v)
{
    return v->verdict == TOKEN_NO_KEYS || v->verdict == TOKEN_UNKNOWN_KEY;
}

void bearer_stop_waiting(struct bearer *v)
{
    free(v->token);
    v->token = NULL;
    if (!v->link)
        return;
    *v->link = v->next;
    if (v->next)
        v->next->link = v->link;
    v->link = NULL;
}

/* The token is kept only while a key is awaited. */
static void wait_for_key(struct bearer *v, const char *token, size_t len)
{
    struct auth *g = v->auth;
    v->token = alloc_text_of(token, len);
    v->next = g->waiting;
    v->link = &g->waiting;
    if (v->next)
        v->next->link = &v->next;
    g->waiting = v;
}

void bearer_judge(struct bearer *v, const char *token, size_t len, uint64_t now)
{
    struct auth *g = v->auth;
    const char *why = "absent";
    bearer_stop_waiting(v);
    claims_clear(&v->claims);
    v->verdict = token_judge(g->keys, g->config, token, len, (g->unix_ms + (int64_t)now) / 1000,
                             &v->claims, &why);
    count(g, v->verdict);
    if (bearer_waits(v))
        wait_for_key(v, token, len);
    else if (v->verdict != TOKEN_GOOD)
        log_info("token refused: %s address=%s", why, hub_address(v->client));
}

void bearer_ask_for_key(struct bearer *v)
{
    struct auth *g = v->auth;
    if (v->verdict == TOKEN_UNKNOWN_KEY && g->unknown_key)
        g->unknown_key(g->unknown_key_ctx);
}

void bearer_give_up(struct bearer *v)
{
    bearer_stop_waiting(v);
    v->verdict = TOKEN_INVALID;
    count(v->auth, TOKEN_INVALID);
    log_info("token refused: its key is not in the key set address=%s", hub_address(v->client));
}

void bearer_keep_second(struct bearer *v, const char *token, size_t len, uint64_t now)
{
    if (v->second || v->from_connect || len > TOKEN_MAX)
        return;
    v->second = alloc_text_of(token, len);
    v->second_came = now;
}

void bearer_try_second(struct bearer *v, uint64_t as_of, uint64_t now)
{
    char *token = v->second;
    if (!token || bearer_waits(v))
        return;
    v->second = NULL;
    if (v->verdict != TOKEN_GOOD) {
        v->came = v->second_came;
        v->from_connect = true;
        bearer_judge(v, token, strlen(token), now);
        if (v->verdict == TOKEN_UNKNOWN_KEY && v->came <= as_of)
            bearer_give_up(v);
    }
    free(token);
}
