/* auth: see auth.h. */
#include "auth/auth_state.h"
#include "base/alloc.h"
#include "base/log.h"
#include "engineio/net.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A clock that is set is noticed in this time. */
enum { EXPIRY_CHECK_MS = 60000 };

/* --- what follows from a judgement --- */

static struct bearer *bearer_of(struct timer *grace)
{
    return container_of(grace, struct bearer, grace);
}

static void grace_over(struct timer *t, uint64_t now)
{
    (void)now;
    hub_dismiss(bearer_of(t)->client);
}

static void start_grace(struct bearer *v, uint64_t ms, uint64_t now)
{
    if (!timer_running(&v->grace)) /* once: another CONNECT does not renew it */
        timer_start(v->auth->wheel, &v->grace, now + ms, grace_over);
}

static void tell(struct bearer *v, const char *sid, const char *event)
{
    char payload[256];
    int n = snprintf(payload, sizeof payload, "[\"%s\"]", event);
    if (n > 0 && (size_t)n < sizeof payload)
        hub_emit(v->auth->hub, sid, payload, (size_t)n, -1, NULL);
}

static void pass_on(struct bearer *v, const struct socket_info *s, uint64_t now)
{
    const struct backend *inner = v->auth->inner;
    struct socket_info known = *s;
    known.subject = v->claims.subject;
    known.expires = v->claims.expires;
    known.expired = v->verdict == TOKEN_EXPIRED;
    inner->connect(inner->ctx, v->inner, &known, NULL, now);
}

/* A token that has expired still says who its bearer was, which a resume may prove. */
static bool is_provable(const struct bearer *v)
{
    return v->verdict == TOKEN_EXPIRED && v->auth->config->token_expiry != TOKEN_EXPIRY_CLOSE;
}

/* What the verdict means for one socket. The last act for it: the other backend may refuse it. */
static void act(struct bearer *v, const struct socket_info *s, uint64_t now)
{
    struct auth *g = v->auth;
    hub_mute(g->hub, s->sid, v->verdict != TOKEN_GOOD && !bearer_waits(v));
    if (bearer_waits(v))
        return;
    if (v->verdict == TOKEN_GOOD || (s->was && is_provable(v))) {
        v->proving |= v->verdict == TOKEN_EXPIRED;
        pass_on(v, s, now);
        return;
    }
    hub_accept(g->hub, s->sid);
    if (v->verdict == TOKEN_EXPIRED)
        tell(v, s->sid, g->config->expired_event);
    else if (v->verdict == TOKEN_INVALID && notice_limit_allows(g->notices, s->address, now))
        tell(v, s->sid, g->config->invalid_event);
}

static void end_at_expiry(struct timer *t, uint64_t now);

static void watch_expiry(struct bearer *v, uint64_t now)
{
    struct auth *g = v->auth;
    int64_t left =
        v->claims.expires * 1000 + (int64_t)g->config->leeway - (g->unix_ms + (int64_t)now);
    if (left <= 0) {
        log_info("token expired: closed address=%s", hub_address(v->client));
        hub_dismiss(v->client);
        return;
    }
    timer_start(g->wheel, &v->expiry,
                now + (left < EXPIRY_CHECK_MS ? (uint64_t)left : EXPIRY_CHECK_MS), end_at_expiry);
}

static void end_at_expiry(struct timer *t, uint64_t now)
{
    watch_expiry(container_of(t, struct bearer, expiry), now);
}

static void key_stays_unknown(struct timer *t, uint64_t now);

/* A look may have to wait for its turn, and then for its answer. */
static uint64_t key_wait(const struct config *c)
{
    return c->keys_refresh_interval + c->keys_timeout;
}

static void note_resume(void *ctx, const struct socket_info *s)
{
    *(bool *)ctx |= s->was != NULL;
}

static bool has_resumes(const struct bearer *v)
{
    bool any = false;
    hub_each_socket(v->client, note_resume, &any);
    return any;
}

/* What it means for the client, once that has a socket. */
static void limit_stay(struct bearer *v, uint64_t now)
{
    struct auth *g = v->auth;
    if (v->sockets == 0)
        return;
    if (v->verdict == TOKEN_GOOD && g->config->token_expiry == TOKEN_EXPIRY_CLOSE &&
        !timer_running(&v->expiry))
        watch_expiry(v, now);
    else if (v->verdict == TOKEN_UNKNOWN_KEY && !timer_running(&v->grace))
        timer_start(g->wheel, &v->grace, now + key_wait(g->config), key_stays_unknown);
    else if (v->verdict == TOKEN_EXPIRED && !(is_provable(v) && has_resumes(v)))
        start_grace(v, v->claims.grace, now);
    else if (v->verdict == TOKEN_INVALID || v->verdict == TOKEN_REFUSED)
        start_grace(v, g->config->refused_grace, now);
}

struct settling {
    struct bearer *v;
    uint64_t now;
    const char *but; /* not this one */
};

static void settle_socket(void *ctx, const struct socket_info *s)
{
    const struct settling *at = ctx;
    act(at->v, s, at->now);
}

/* There is a new verdict: act upon it for all sockets. */
static void settle(struct bearer *v, uint64_t now)
{
    limit_stay(v, now);
    hub_each_socket(v->client, settle_socket, &(struct settling){v, now, NULL});
}

static void end_resume(void *ctx, const struct socket_info *s)
{
    const struct settling *at = ctx;
    struct socket_info plain = *s;
    if (!s->was)
        return;
    hub_accept(at->v->auth->hub, s->sid);
    plain.was = plain.offset = NULL;
    act(at->v, &plain, at->now);
}

/* The database, or a key, has been away for too long: its resumes are none. */
static void patience_over(struct timer *t, uint64_t now)
{
    struct bearer *v = container_of(t, struct bearer, patience);
    hub_each_socket(v->client, end_resume, &(struct settling){v, now, NULL});
    limit_stay(v, now);
}

static void key_stays_unknown(struct timer *t, uint64_t now)
{
    struct bearer *v = bearer_of(t);
    bearer_give_up(v);
    bearer_try_second(v, 0, now);
    bearer_ask_for_key(v);
    settle(v, now);
}

void auth_set_keys(struct auth *g, const struct keyset *keys, uint64_t as_of, uint64_t now)
{
    struct bearer *v;
    g->keys = keys;
    g->again = g->waiting;
    g->waiting = NULL;
    if (g->again)
        g->again->link = &g->again;
    while ((v = g->again) != NULL) {
        char *token = v->token;
        v->token = NULL;
        bearer_judge(v, token, strlen(token), now);
        free(token);
        if (v->verdict == TOKEN_UNKNOWN_KEY && v->came <= as_of)
            bearer_give_up(v);
        bearer_try_second(v, as_of, now);
        if (v->verdict != TOKEN_UNKNOWN_KEY)
            timer_stop(&v->grace);
        bearer_ask_for_key(v);
        settle(v, now);
    }
}

/* --- the calls of struct backend --- */

static void *arrive(void *ctx, struct client *c, const struct request *rq, uint64_t now)
{
    struct auth *g = ctx;
    struct bearer *v = alloc(sizeof *v);
    size_t len = 0;
    const char *token = auth_header_token(rq->authorization, &len);
    v->auth = g;
    v->client = c;
    v->verdict = TOKEN_REFUSED;
    v->came = now;
    v->inner = g->inner->arrive(g->inner->ctx, c, rq, now);
    if (token)
        bearer_judge(v, token, len, now);
    bearer_ask_for_key(v);
    return v;
}

static void leave(void *ctx, void *bearer)
{
    struct auth *g = ctx;
    struct bearer *v = bearer;
    g->inner->leave(g->inner->ctx, v->inner);
    timer_stop(&v->grace);
    timer_stop(&v->expiry);
    timer_stop(&v->patience);
    free(v->second);
    bearer_stop_waiting(v);
    claims_clear(&v->claims);
    free(v);
}

/* A page that renews its token shows it in CONNECT, and the old one still in the header. */
static bool is_replaceable(const struct bearer *v)
{
    bool bad = v->verdict == TOKEN_EXPIRED || v->verdict == TOKEN_INVALID;
    return v->verdict == TOKEN_REFUSED || (bad && !v->from_connect);
}

/* The resume of a client that comes back, for which the token may be good: then CONNECT is answered
 * when the other backend has judged it. */
static bool resumes(struct bearer *v, struct socket_info *s, const json_t *auth, uint64_t now)
{
    struct auth *g = v->auth;
    const char *was = auth ? json_string_value(json_object_get(auth, "pid")) : NULL;
    const char *offset = auth ? json_string_value(json_object_get(auth, "offset")) : NULL;
    if (!was || !(v->verdict == TOKEN_GOOD || is_provable(v) || bearer_waits(v)) ||
        !hub_resume(g->hub, s->sid, was, offset))
        return false;
    s->was = was;
    s->offset = offset;
    timer_start(g->wheel, &v->patience, now + g->config->claim_timeout, patience_over);
    return true;
}

/* It was told that its token has expired. */
static void settle_other(void *ctx, const struct socket_info *s)
{
    const struct settling *at = ctx;
    if (!s->was && strcmp(s->sid, at->but) != 0)
        act(at->v, s, at->now);
}

/* A resume was judged: principal is who it proves, or 0. */
static void judge_resume(struct bearer *v, const char *sid, int64_t principal, uint64_t now)
{
    if (principal) {
        v->verdict = TOKEN_GOOD;
        timer_stop(&v->grace);
        hub_each_socket(v->client, settle_other, &(struct settling){v, now, sid});
        return;
    }
    hub_mute(v->auth->hub, sid, true);
    tell(v, sid, v->auth->config->expired_event);
    limit_stay(v, now);
}

/* CONNECT is answered at once, which needs no judgement: what the token is worth follows. That of a
 * resume is answered when all is known, or patience is over. */
static void connect_socket(void *ctx, void *bearer, const struct socket_info *s, const json_t *auth,
                           uint64_t now)
{
    struct auth *g = ctx;
    struct bearer *v = bearer;
    const json_t *token = auth ? json_object_get(auth, "token") : NULL;
    struct socket_info asked = *s;
    enum verdict before = v->verdict;
    if (s->again) {
        if (v->verdict == TOKEN_GOOD || (s->was && is_provable(v)))
            pass_on(v, s, now);
        return;
    }
    bool judge = is_replaceable(v) && json_is_string(token);
    if (judge) {
        v->came = now;
        v->from_connect = true;
        bearer_judge(v, json_string_value(token), json_string_length(token), now);
    }
    v->sockets++;
    if (!resumes(v, &asked, auth, now))
        hub_accept(g->hub, s->sid);
    if (!judge) {
        if (bearer_waits(v) && json_is_string(token))
            bearer_keep_second(v, json_string_value(token), json_string_length(token), now);
        token = NULL;
    }
    if (!token || v->verdict == TOKEN_REFUSED) {
        limit_stay(v, now);
        act(v, &asked, now);
        return;
    }
    /* Else its grace goes on. */
    if (before == TOKEN_REFUSED || v->verdict == TOKEN_GOOD || bearer_waits(v))
        timer_stop(&v->grace);
    settle(v, now); /* it counts for all namespaces */
    bearer_ask_for_key(v);
}

static void identified(void *ctx, void *bearer, const char *sid, int64_t principal, uint64_t now)
{
    struct auth *g = ctx;
    struct bearer *v = bearer;
    if (v->verdict == TOKEN_EXPIRED) {
        judge_resume(v, sid, principal, now);
        return;
    }
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

static void disconnect_socket(void *ctx, void *bearer, const char *sid, const char *reason,
                              bool by_client)
{
    struct auth *g = ctx;
    struct bearer *v = bearer;
    v->sockets--;
    if (v->verdict == TOKEN_GOOD || v->proving)
        g->inner->disconnect(g->inner->ctx, v->inner, sid, reason, by_client);
}

static void upgraded(void *ctx, void *bearer, const char *sid)
{
    struct auth *g = ctx;
    if (g->inner->upgraded)
        g->inner->upgraded(g->inner->ctx, ((struct bearer *)bearer)->inner, sid);
}

static void receive(void *ctx, void *bearer, const struct incoming *e)
{
    struct auth *g = ctx;
    g->inner->receive(g->inner->ctx, ((struct bearer *)bearer)->inner, e);
}

static void acked(void *ctx, void *bearer, const char *sid, int64_t ack, const json_t *args,
                  const struct attachments *with)
{
    struct auth *g = ctx;
    struct bearer *v = bearer;
    if (g->inner->acked && v->verdict == TOKEN_GOOD) /* else it has not heard of the socket */
        g->inner->acked(g->inner->ctx, v->inner, sid, ack, args, with);
}

static void instruction(void *ctx, void *bearer, const char *sid, int64_t principal, int64_t id,
                        bool acked)
{
    struct auth *g = ctx;
    struct bearer *v = bearer;
    if (g->inner->ack_report && v->verdict == TOKEN_GOOD)
        g->inner->ack_report(g->inner->ctx, v->inner, sid, principal, id, acked);
}

/* --- the life of the auth --- */

struct auth *auth_new(const struct config *config, struct metrics *metrics, struct wheel *wheel,
                      struct hub *hub)
{
    struct auth *g = alloc(sizeof *g);
    g->backend = (struct backend){.ctx = g,
                                  .arrive = arrive,
                                  .leave = leave,
                                  .connect = connect_socket,
                                  .identified = identified,
                                  .disconnect = disconnect_socket,
                                  .upgraded = upgraded,
                                  .receive = receive,
                                  .acked = acked,
                                  .ack_report = instruction};
    g->config = config;
    g->metrics = metrics;
    g->wheel = wheel;
    g->hub = hub;
    g->notices = notice_limit_new();
    return g;
}

void auth_set_backend(struct auth *g, const struct backend *inner)
{
    g->inner = inner;
    g->backend.acks = inner->acks;
}

const struct backend *auth_backend(struct auth *g)
{
    return &g->backend;
}

void auth_on_unknown_key(struct auth *g, void (*f)(void *ctx), void *ctx)
{
    g->unknown_key = f;
    g->unknown_key_ctx = ctx;
}

void auth_set_clock(struct auth *g, int64_t unix_ms, uint64_t now)
{
    g->unix_ms = unix_ms - (int64_t)now;
}

void auth_free(struct auth *g)
{
    notice_limit_free(g->notices);
    free(g);
}
