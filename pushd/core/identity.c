/* identity: see identity.h. */
#include "identity.h"
#include "hub_state.h"
#include "log.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* How long an unknown key may take to be fetched; between two invalid_events of one address; how
 * many addresses are remembered before the old ones are forgotten. */
enum { KEY_WAIT_MS = 2000, TELL_MS = 10000, TOLD_MAX = 1024 };

struct told {
    UT_hash_handle hh;
    uint64_t at;
    char address[];
};

static struct session *of_life(struct timer *t)
{
    return (struct session *)((char *)t - offsetof(struct session, life));
}

static void grace_over(struct timer *t, uint64_t now)
{
    (void)now;
    session_end(of_life(t), END_TOKEN);
}

void identity_grace(struct session *s, uint64_t ms, uint64_t now)
{
    if (!timer_running(&s->life)) /* once: another CONNECT does not renew it */
        timer_start(s->hub->wheel, &s->life, now + ms, grace_over);
}

const char *identity_bearer(const char *authorization, size_t *len)
{
    if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0)
        return NULL;
    authorization += 7;
    authorization += strspn(authorization, " ");
    *len = strcspn(authorization, " ");
    return *len ? authorization : NULL;
}

static void count(struct hub *hub, enum verdict v)
{
    static const enum metric_id metric[] = {
        [TOKEN_GOOD] = METRIC_TOKENS_GOOD,       [TOKEN_EXPIRED] = METRIC_TOKENS_EXPIRED,
        [TOKEN_NO_KEYS] = METRIC_COUNT,          [TOKEN_UNKNOWN_KEY] = METRIC_COUNT,
        [TOKEN_INVALID] = METRIC_TOKENS_INVALID, [TOKEN_REFUSED] = METRIC_TOKENS_REFUSED};
    if (metric[v] != METRIC_COUNT)
        hub_count(hub, metric[v], 1);
}

static void unknown_key_stays(struct timer *t, uint64_t now)
{
    struct session *s = of_life(t);
    s->identity.verdict = TOKEN_INVALID;
    count(s->hub, TOKEN_INVALID);
    free(s->identity.token);
    s->identity.token = NULL;
    log_info("token refused: its key is not in the key set address=%s", s->address);
    socket_identify(s, now);
}

static char *copy(const char *text, size_t len)
{
    char *p = malloc(len + 1);
    if (!p)
        abort();
    memcpy(p, text, len);
    p[len] = '\0';
    return p;
}

void identity_judge(struct session *s, const char *token, size_t len, uint64_t now)
{
    struct hub *hub = s->hub;
    struct identity *id = &s->identity;
    const char *why = "absent";
    char *kept = NULL;
    claims_clear(&id->claims);
    id->verdict = TOKEN_REFUSED;
    if (token)
        id->verdict = token_judge(hub->keys, hub->config, token, len,
                                  (hub->unix_ms + (int64_t)now) / 1000, &id->claims, &why);
    count(hub, id->verdict);
    if (id->verdict == TOKEN_NO_KEYS || id->verdict == TOKEN_UNKNOWN_KEY)
        kept = copy(token, len);
    else if (id->verdict != TOKEN_GOOD)
        log_info("token refused: %s address=%s", why, s->address);
    free(id->token);
    id->token = kept;
    if (id->verdict == TOKEN_UNKNOWN_KEY && hub->unknown_key)
        hub->unknown_key(hub->unknown_key_ctx); /* may come back in identity_retry() */
}

void identity_await_key(struct session *s, uint64_t now)
{
    if (!timer_running(&s->life))
        timer_start(s->hub->wheel, &s->life, now + KEY_WAIT_MS, unknown_key_stays);
}

void identity_retry(struct session *s, uint64_t now)
{
    char *token = s->identity.token;
    if (!token)
        return;
    s->identity.token = NULL;
    if (s->sockets)
        timer_stop(&s->life);
    identity_judge(s, token, strlen(token), now);
    free(token);
    socket_identify(s, now);
}

/* Forget those told before, all or only the long ago. The analyzer does not follow uthash. */
static void forget(struct hub *hub, uint64_t before)
{
    struct told *t, *next;
    HASH_ITER (hh, hub->told, t, next)
        if (t->at < before) {
            HASH_DEL(hub->told, t); // NOLINT
            free(t);
        }
}

bool identity_may_tell(struct hub *hub, const char *address, uint64_t now)
{
    struct told *t;
    size_t len = strlen(address);
    if (HASH_COUNT(hub->told) >= TOLD_MAX)
        forget(hub, now > TELL_MS ? now - TELL_MS : 0);
    HASH_FIND(hh, hub->told, address, len, t);
    if (t && now - t->at < TELL_MS)
        return false;
    if (!t && HASH_COUNT(hub->told) >= TOLD_MAX)
        return false;
    if (!t) {
        t = calloc(1, sizeof *t + len + 1);
        if (!t)
            abort();
        memcpy(t->address, address, len);
        HASH_ADD(hh, hub->told, address, len, t);
    }
    t->at = now;
    return true;
}

void identity_forget(struct hub *hub)
{
    forget(hub, UINT64_MAX);
}

void identity_clear(struct identity *id)
{
    claims_clear(&id->claims);
    free(id->token);
    id->token = NULL;
}
