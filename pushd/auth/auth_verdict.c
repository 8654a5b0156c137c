/* auth_verdict: applies the verdict on a token to each socket and to the client. */
#include "auth/auth_state.h"
#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

/* A change of the clock is noticed within this time. */
enum { EXPIRY_CHECK_MS = 60000 };

static struct bearer *bearer_of(struct timer *grace)
{
    return container_of(grace, struct bearer, grace);
}

static void grace_over(struct timer *t, uint64_t now)
{
    (void)now;
    hub_dismiss(bearer_of(t)->client);
}

void bearer_start_grace(struct bearer *b, uint64_t ms, uint64_t now)
{
    if (!timer_running(&b->grace)) /* only once: another CONNECT does not extend it */
        timer_start(b->auth->wheel, &b->grace, now + ms, grace_over);
}

static void notify(struct bearer *b, const char *sid, const char *event)
{
    char payload[256];
    int n = snprintf(payload, sizeof payload, "[\"%s\"]", event);
    if (n > 0 && (size_t)n < sizeof payload)
        hub_emit(b->auth->hub, sid, payload, (size_t)n, -1, NULL);
}

void bearer_pass_on(struct bearer *b, const struct socket_info *s, uint64_t now)
{
    const struct backend *inner = b->auth->inner;
    struct socket_info known = *s;
    known.subject = b->claims.subject;
    known.expires = b->claims.expires;
    known.expired = b->verdict == TOKEN_EXPIRED;
    known.token = b->fingerprint[0] ? b->fingerprint : NULL;
    inner->connect(inner->ctx, b->inner, &known, NULL, now);
}

bool bearer_is_provable(const struct bearer *b)
{
    return b->verdict == TOKEN_EXPIRED && b->auth->config->token_expiry != TOKEN_EXPIRY_CLOSE &&
           !b->late;
}

void bearer_act(struct bearer *b, const struct socket_info *s, uint64_t now)
{
    struct auth *a = b->auth;
    bool may = b->verdict == TOKEN_GOOD || bearer_is_provable(b);
    hub_mute(a->hub, s->sid, !may && !bearer_waits(b));
    if (bearer_waits(b))
        return;
    if (may) {
        b->proving |= b->verdict == TOKEN_EXPIRED;
        bearer_pass_on(b, s, now);
        return;
    }
    hub_accept(a->hub, s->sid);
    if (b->verdict == TOKEN_EXPIRED)
        notify(b, s->sid, a->config->expired_event);
    else if (b->verdict == TOKEN_INVALID && notice_limit_allows(a->notices, s->address, now))
        notify(b, s->sid, a->config->invalid_event);
}

static void end_at_expiry(struct timer *t, uint64_t now);

static void watch_expiry(struct bearer *b, uint64_t now)
{
    struct auth *a = b->auth;
    int64_t left =
        b->claims.expires * 1000 + (int64_t)a->config->leeway - (a->unix_ms + (int64_t)now);
    if (left <= 0) {
        bearer_log(b, "token expired: ", "closed", now);
        hub_dismiss(b->client);
        return;
    }
    timer_start(a->wheel, &b->expiry,
                now + (left < EXPIRY_CHECK_MS ? (uint64_t)left : EXPIRY_CHECK_MS), end_at_expiry);
}

static void end_at_expiry(struct timer *t, uint64_t now)
{
    watch_expiry(container_of(t, struct bearer, expiry), now);
}

static void key_stays_unknown(struct timer *t, uint64_t now);

/* A fetch may have to wait for its turn, and then takes its time. */
static uint64_t key_wait(const struct config *c)
{
    return c->keys_refresh_interval + c->keys_timeout;
}

/* Before the first key nobody can be judged. A key set that was emptied is as one without the key.
 */
static bool waits_on_a_clock(const struct bearer *b)
{
    return bearer_waits(b) && b->auth->loaded;
}

void bearer_limit_stay(struct bearer *b, uint64_t now)
{
    struct auth *a = b->auth;
    if (!b->connected)
        return;
    if (b->verdict == TOKEN_GOOD && a->config->token_expiry == TOKEN_EXPIRY_CLOSE &&
        !timer_running(&b->expiry))
        watch_expiry(b, now);
    else if (waits_on_a_clock(b) && !timer_running(&b->grace))
        timer_start(a->wheel, &b->grace, now + key_wait(a->config), key_stays_unknown);
    else if (bearer_is_provable(b) && b->sockets > 0)
        bearer_await_proof(b, now);
    else if (b->verdict == TOKEN_EXPIRED && !timer_running(&b->patience))
        bearer_start_grace(b, b->claims.grace, now);
    else if (b->verdict == TOKEN_INVALID || b->verdict == TOKEN_REFUSED)
        bearer_start_grace(b, a->config->refused_grace, now);
}

struct settling {
    struct bearer *b;
    uint64_t now;
    const char *but; /* except this one */
};

static void settle_socket(void *ctx, const struct socket_info *s)
{
    const struct settling *at = ctx;
    struct socket_info asked = *s;
    asked.again = at->b->proving && !s->muted;
    bearer_act(at->b, &asked, at->now);
}

void bearer_settle(struct bearer *b, uint64_t now)
{
    bearer_limit_stay(b, now);
    hub_each_socket(b->client, settle_socket, &(struct settling){b, now, NULL});
}

static void end_resume(void *ctx, const struct socket_info *s)
{
    const struct settling *at = ctx;
    struct socket_info plain = *s;
    if (!s->was)
        return;
    hub_accept(at->b->auth->hub, s->sid);
    plain.was = plain.offset = NULL;
    bearer_act(at->b, &plain, at->now);
}

/* No proof of an expired token came in time: it counts as expired. */
static void give_up_proof(void *ctx, const struct socket_info *s)
{
    const struct settling *at = ctx;
    struct socket_info plain = *s;
    if (s->muted)
        return;
    hub_accept(at->b->auth->hub, s->sid);
    plain.was = plain.offset = NULL;
    bearer_act(at->b, &plain, at->now);
}

/* The database or a key has been away for too long: the client does not resume or return. */
static void patience_over(struct timer *t, uint64_t now)
{
    struct bearer *b = container_of(t, struct bearer, patience);
    b->late = b->verdict == TOKEN_EXPIRED;
    hub_each_socket(b->client, b->late ? give_up_proof : end_resume,
                    &(struct settling){b, now, NULL});
    if (b->late)
        bearer_start_grace(b, b->claims.grace, now); /* also if it has left all namespaces */
    else
        bearer_limit_stay(b, now);
}

void bearer_await_proof(struct bearer *b, uint64_t now)
{
    /* Another CONNECT does not keep a client with an expired token. */
    if (b->verdict != TOKEN_EXPIRED || !timer_running(&b->patience))
        timer_start(b->auth->wheel, &b->patience, now + b->auth->config->claim_timeout,
                    patience_over);
}

static void key_stays_unknown(struct timer *t, uint64_t now)
{
    struct bearer *b = bearer_of(t);
    bearer_give_up(b, now);
    bearer_try_second(b, 0, now);
    bearer_ask_for_key(b);
    bearer_settle(b, now);
}

/* The client was notified that its token has expired, or would be. */
static void settle_other(void *ctx, const struct socket_info *s)
{
    const struct settling *at = ctx;
    struct socket_info other = *s;
    other.again = !s->muted; /* then it waits for its own proof, which need not come */
    if (!s->was && strcmp(s->sid, at->but) != 0)
        bearer_act(at->b, &other, at->now);
}

void bearer_judge_proof(struct bearer *b, const char *sid, int64_t principal, uint64_t now)
{
    if (b->late) { /* the client was told */
        if (principal)
            hub_set_rooms(b->auth->hub, &(struct registration){.sid = sid}, now);
        return;
    }
    if (principal) {
        b->verdict = TOKEN_GOOD;
        timer_stop(&b->grace);
        hub_each_socket(b->client, settle_other, &(struct settling){b, now, sid});
        return;
    }
    hub_mute(b->auth->hub, sid, true);
    notify(b, sid, b->auth->config->expired_event);
    bearer_start_grace(b, b->claims.grace, now);
}
