/* guard: see guard.h. */
#include "guard.h"
#include "log.h"
#include "net.h"
#include "told.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* How long an unknown key may take to be fetched. */
enum { KEY_WAIT_MS = 2000 };

/*
 * What the guard keeps of a client. Its verdict is that of all its sockets: once it is final, each
 * has been acted upon.
 */
struct visitor {
    struct guard *guard;
    struct client *client;
    void *inner; /* the other backend's visitor */
    enum verdict verdict;
    unsigned sockets;
    struct claims claims;
    char *token;                  /* only while it waits for a key */
    struct timer grace;           /* until it is dismissed, or an unknown key is an invalid one */
    struct visitor *next, **link; /* in the list of those that wait for a key */
};

struct guard {
    struct backend backend;
    const struct backend *inner;
    const struct config *config;
    struct metrics *metrics;
    struct wheel *wheel;
    struct hub *hub;
    const struct keyset *keys;
    void (*unknown_key)(void *ctx);
    void *unknown_key_ctx;
    int64_t unix_ms;         /* wall clock minus the clock of the wheel */
    struct visitor *waiting; /* for a key */
    struct visitor *again;   /* those of them that are still to be judged by new keys */
    struct told *told;       /* addresses that got the invalid_event */
};

/* --- the judgement --- */

static const char *bearer(const char *authorization, size_t *len)
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

static bool waits(const struct visitor *v)
{
    return v->verdict == TOKEN_NO_KEYS || v->verdict == TOKEN_UNKNOWN_KEY;
}

static void stop_waiting(struct visitor *v)
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

static void judge(struct visitor *v, const char *token, size_t len, uint64_t now)
{
    struct guard *g = v->guard;
    const char *why = "absent";
    stop_waiting(v);
    claims_clear(&v->claims);
    v->verdict = token_judge(g->keys, g->config, token, len, (g->unix_ms + (int64_t)now) / 1000,
                             &v->claims, &why);
    count(g, v->verdict);
    if (waits(v))
        wait_for_key(v, token, len);
    else if (v->verdict != TOKEN_GOOD)
        log_info("token refused: %s address=%s", why, hub_address(v->client));
}

/* Last of what is done for a visitor: it may come back at once in guard_set_keys(). */
static void ask_for_key(struct visitor *v)
{
    struct guard *g = v->guard;
    if (v->verdict == TOKEN_UNKNOWN_KEY && g->unknown_key)
        g->unknown_key(g->unknown_key_ctx);
}

/* --- what follows from it --- */

static struct visitor *visitor_of(struct timer *grace)
{
    return (struct visitor *)((char *)grace - offsetof(struct visitor, grace));
}

static void grace_over(struct timer *t, uint64_t now)
{
    (void)now;
    hub_dismiss(visitor_of(t)->client);
}

static void start_grace(struct visitor *v, uint64_t ms, uint64_t now)
{
    if (!timer_running(&v->grace)) /* once: another CONNECT does not renew it */
        timer_start(v->guard->wheel, &v->grace, now + ms, grace_over);
}

static void tell(struct visitor *v, const char *sid, const char *event)
{
    char payload[256];
    int n = snprintf(payload, sizeof payload, "[\"%s\"]", event);
    if (n > 0 && (size_t)n < sizeof payload)
        hub_emit(v->guard->hub, sid, payload, (size_t)n, -1, NULL);
}

static void pass_on(struct visitor *v, const struct socket_info *s, uint64_t now)
{
    const struct backend *inner = v->guard->inner;
    struct socket_info known = *s;
    known.subject = v->claims.subject;
    known.expires = v->claims.expires;
    inner->connect(inner->ctx, v->inner, &known, NULL, now);
}

/* What the verdict means for one socket. The last act for it: the other backend may refuse it. */
static void act(struct visitor *v, const struct socket_info *s, uint64_t now)
{
    struct guard *g = v->guard;
    hub_mute(g->hub, s->sid, v->verdict != TOKEN_GOOD && !waits(v));
    if (v->verdict == TOKEN_GOOD)
        pass_on(v, s, now);
    else if (v->verdict == TOKEN_EXPIRED)
        tell(v, s->sid, g->config->expired_event);
    else if (v->verdict == TOKEN_INVALID && told_may(g->told, s->address, now))
        tell(v, s->sid, g->config->invalid_event);
}

static void key_stays_unknown(struct timer *t, uint64_t now);

/* What it means for the client, once that has a socket. */
static void limit_stay(struct visitor *v, uint64_t now)
{
    struct guard *g = v->guard;
    if (v->sockets == 0)
        return;
    if (v->verdict == TOKEN_UNKNOWN_KEY && !timer_running(&v->grace))
        timer_start(g->wheel, &v->grace, now + KEY_WAIT_MS, key_stays_unknown);
    else if (v->verdict == TOKEN_EXPIRED)
        start_grace(v, v->claims.grace, now);
    else if (v->verdict == TOKEN_INVALID || v->verdict == TOKEN_REFUSED)
        start_grace(v, g->config->refused_grace, now);
}

struct settling {
    struct visitor *v;
    uint64_t now;
};

static void settle_socket(void *ctx, const struct socket_info *s)
{
    const struct settling *at = ctx;
    act(at->v, s, at->now);
}

/* There is a new verdict: act upon it for all sockets. */
static void settle(struct visitor *v, uint64_t now)
{
    limit_stay(v, now);
    hub_each_socket(v->client, settle_socket, &(struct settling){v, now});
}

static void key_stays_unknown(struct timer *t, uint64_t now)
{
    struct visitor *v = visitor_of(t);
    stop_waiting(v);
    v->verdict = TOKEN_INVALID;
    count(v->guard, TOKEN_INVALID);
    log_info("token refused: its key is not in the key set address=%s", hub_address(v->client));
    settle(v, now);
}

void guard_set_keys(struct guard *g, const struct keyset *keys, uint64_t now)
{
    struct visitor *v;
    g->keys = keys;
    g->again = g->waiting;
    g->waiting = NULL;
    if (g->again)
        g->again->link = &g->again;
    while ((v = g->again) != NULL) {
        char *token = v->token;
        v->token = NULL;
        timer_stop(&v->grace);
        judge(v, token, strlen(token), now);
        free(token);
        settle(v, now);
    }
}

/* --- the calls of struct backend --- */

static void *arrive(void *ctx, struct client *c, const struct request *rq, uint64_t now)
{
    struct guard *g = ctx;
    struct visitor *v = calloc(1, sizeof *v);
    size_t len = 0;
    const char *token = bearer(rq->authorization, &len);
    if (!v)
        abort();
    v->guard = g;
    v->client = c;
    v->verdict = TOKEN_REFUSED;
    v->inner = g->inner->arrive(g->inner->ctx, c, rq, now);
    if (token)
        judge(v, token, len, now);
    ask_for_key(v);
    return v;
}

static void leave(void *ctx, void *visitor)
{
    struct guard *g = ctx;
    struct visitor *v = visitor;
    g->inner->leave(g->inner->ctx, v->inner);
    timer_stop(&v->grace);
    stop_waiting(v);
    claims_clear(&v->claims);
    free(v);
}

/* CONNECT is answered at once, which needs no judgement: what the token is worth follows. */
static void connect_socket(void *ctx, void *visitor, const struct socket_info *s,
                           const json_t *auth, uint64_t now)
{
    struct guard *g = ctx;
    struct visitor *v = visitor;
    const json_t *token = auth ? json_object_get(auth, "token") : NULL;
    if (s->again) {
        if (v->verdict == TOKEN_GOOD)
            pass_on(v, s, now);
        return;
    }
    v->sockets++;
    hub_accept(g->hub, s->sid);
    if (v->verdict == TOKEN_REFUSED && json_is_string(token))
        judge(v, json_string_value(token), json_string_length(token), now);
    else
        token = NULL;
    if (!token || v->verdict == TOKEN_REFUSED) {
        limit_stay(v, now);
        act(v, s, now);
        return;
    }
    timer_stop(&v->grace);
    settle(v, now); /* it counts for all namespaces */
    ask_for_key(v);
}

static void identified(void *ctx, void *visitor, const char *sid, int64_t principal, uint64_t now)
{
    struct guard *g = ctx;
    struct visitor *v = visitor;
    (void)sid;
    if (v->verdict != TOKEN_GOOD)
        return;
    if (principal) {
        timer_stop(&v->grace);
        return;
    }
    metrics_add(g->metrics, METRIC_UNKNOWN_SUBJECTS, 1);
    log_info("no principal has the subject of this token address=%s", hub_address(v->client));
    start_grace(v, g->config->refused_grace, now);
}

static void disconnect_socket(void *ctx, void *visitor, const char *sid, const char *reason,
                              bool by_client)
{
    struct guard *g = ctx;
    struct visitor *v = visitor;
    v->sockets--;
    if (v->verdict == TOKEN_GOOD)
        g->inner->disconnect(g->inner->ctx, v->inner, sid, reason, by_client);
}

static void receive(void *ctx, void *visitor, const struct incoming *e)
{
    struct guard *g = ctx;
    g->inner->receive(g->inner->ctx, ((struct visitor *)visitor)->inner, e);
}

static void acked(void *ctx, void *visitor, const char *sid, int64_t ack, const json_t *args,
                  const struct attachments *with)
{
    struct guard *g = ctx;
    struct visitor *v = visitor;
    if (g->inner->acked && v->verdict == TOKEN_GOOD) /* else it has not heard of the socket */
        g->inner->acked(g->inner->ctx, v->inner, sid, ack, args, with);
}

/* --- the life of the guard --- */

struct guard *guard_new(const struct config *config, struct metrics *metrics, struct wheel *wheel,
                        struct hub *hub)
{
    struct guard *g = calloc(1, sizeof *g);
    if (!g)
        abort();
    g->backend = (struct backend){.ctx = g,
                                  .arrive = arrive,
                                  .leave = leave,
                                  .connect = connect_socket,
                                  .identified = identified,
                                  .disconnect = disconnect_socket,
                                  .receive = receive,
                                  .acked = acked};
    g->config = config;
    g->metrics = metrics;
    g->wheel = wheel;
    g->hub = hub;
    g->told = told_new();
    return g;
}

void guard_set_backend(struct guard *g, const struct backend *inner)
{
    g->inner = inner;
    g->backend.acks = inner->acks;
}

const struct backend *guard_backend(struct guard *g)
{
    return &g->backend;
}

void guard_on_unknown_key(struct guard *g, void (*f)(void *ctx), void *ctx)
{
    g->unknown_key = f;
    g->unknown_key_ctx = ctx;
}

void guard_set_clock(struct guard *g, int64_t unix_ms, uint64_t now)
{
    g->unix_ms = unix_ms - (int64_t)now;
}

void guard_free(struct guard *g)
{
    told_free(g->told);
    free(g);
}
