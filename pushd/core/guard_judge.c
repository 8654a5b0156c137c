/* guard_judge: what a token is worth; see guard.h. */
#include "guard_state.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *guard_bearer(const char *authorization, size_t *len)
{
    if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0)
        return NULL;
    authorization += 7;
    authorization += strspn(authorization, " ");
    *len = strcspn(authorization, " ");
    return *len ? authorization : NULL;
}

static void count(struct guard *g, enum verdict v)
{
    static const enum metric_id metric[] = {
        [TOKEN_GOOD] = METRIC_TOKENS_GOOD,       [TOKEN_EXPIRED] = METRIC_TOKENS_EXPIRED,
        [TOKEN_NO_KEYS] = METRIC_COUNT,          [TOKEN_UNKNOWN_KEY] = METRIC_COUNT,
        [TOKEN_INVALID] = METRIC_TOKENS_INVALID, [TOKEN_REFUSED] = METRIC_TOKENS_REFUSED};
    if (metric[v] != METRIC_COUNT)
        metrics_add(g->metrics, metric[v], 1);
}

bool visitor_waits(const struct visitor *v)
{
    return v->verdict == TOKEN_NO_KEYS || v->verdict == TOKEN_UNKNOWN_KEY;
}

void visitor_stop_waiting(struct visitor *v)
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
static void wait_for_key(struct visitor *v, const char *token, size_t len)
{
    struct guard *g = v->guard;
    v->token = strndup(token, len);
    if (!v->token)
        abort();
    v->next = g->waiting;
    v->link = &g->waiting;
    if (v->next)
        v->next->link = &v->next;
    g->waiting = v;
}

void visitor_judge(struct visitor *v, const char *token, size_t len, uint64_t now)
{
    struct guard *g = v->guard;
    const char *why = "absent";
    visitor_stop_waiting(v);
    claims_clear(&v->claims);
    v->verdict = token_judge(g->keys, g->config, token, len, (g->unix_ms + (int64_t)now) / 1000,
                             &v->claims, &why);
    count(g, v->verdict);
    if (visitor_waits(v))
        wait_for_key(v, token, len);
    else if (v->verdict != TOKEN_GOOD)
        log_info("token refused: %s address=%s", why, hub_address(v->client));
}

void visitor_ask_for_key(struct visitor *v)
{
    struct guard *g = v->guard;
    if (v->verdict == TOKEN_UNKNOWN_KEY && g->unknown_key)
        g->unknown_key(g->unknown_key_ctx);
}

void visitor_give_up(struct visitor *v)
{
    visitor_stop_waiting(v);
    v->verdict = TOKEN_INVALID;
    count(v->guard, TOKEN_INVALID);
    log_info("token refused: its key is not in the key set address=%s", hub_address(v->client));
}

void visitor_keep_second(struct visitor *v, const char *token, size_t len, uint64_t now)
{
    if (v->second || v->from_connect || len > TOKEN_MAX)
        return;
    v->second = strndup(token, len);
    v->second_came = now;
    if (!v->second)
        abort();
}

void visitor_try_second(struct visitor *v, uint64_t as_of, uint64_t now)
{
    char *token = v->second;
    if (!token || visitor_waits(v))
        return;
    v->second = NULL;
    if (v->verdict != TOKEN_GOOD) {
        v->came = v->second_came;
        v->from_connect = true;
        visitor_judge(v, token, strlen(token), now);
        if (v->verdict == TOKEN_UNKNOWN_KEY && v->came <= as_of)
            visitor_give_up(v);
    }
    free(token);
}
