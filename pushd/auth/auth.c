/* auth: see auth.h. */
#include "auth/auth_state.h"
#include "base/alloc.h"
#include "base/log.h"
#include "engineio/net.h"

#include <stdlib.h>
#include <string.h>

/* --- the calls of struct backend --- */

static void *arrive(void *ctx, struct client *c, const struct request *rq, uint64_t now)
{
    struct auth *a = ctx;
    struct bearer *b = alloc(sizeof *b);
    size_t len = 0;
    const char *token = auth_header_token(rq->authorization, &len);
    b->auth = a;
    b->client = c;
    b->verdict = TOKEN_REFUSED;
    b->came = now;
    b->inner = a->inner->arrive(a->inner->ctx, c, rq, now);
    if (token)
        bearer_judge(b, token, len, now);
    bearer_ask_for_key(b);
    return b;
}

static bool knows(void *ctx, void *bearer)
{
    (void)ctx;
    return ((const struct bearer *)bearer)->verdict == TOKEN_GOOD;
}

static void leave(void *ctx, void *bearer)
{
    struct auth *a = ctx;
    struct bearer *b = bearer;
    a->inner->leave(a->inner->ctx, b->inner);
    timer_stop(&b->grace);
    timer_stop(&b->expiry);
    timer_stop(&b->patience);
    free(b->second);
    bearer_stop_waiting(b);
    claims_clear(&b->claims);
    free(b);
}

/* A page that renews its token sends the new one in CONNECT, and the old one still in the header.
 */
static bool is_replaceable(const struct bearer *b, const json_t *token, uint64_t now)
{
    bool bad = b->verdict == TOKEN_EXPIRED || b->verdict == TOKEN_INVALID;
    if (!json_is_string(token))
        return false;
    /* What the other backend was asked of the one must not prove another. */
    if (b->proving && b->verdict == TOKEN_EXPIRED && !b->from_connect)
        return bearer_would_be_good(b, json_string_value(token), json_string_length(token), now);
    return b->verdict == TOKEN_REFUSED || (bad && !b->from_connect);
}

/* Does the client resume an earlier socket, with a token that may be good? Then CONNECT is answered
 * after the other backend's result. */
static bool resumes(struct bearer *b, struct socket_info *s, const json_t *auth, uint64_t now)
{
    struct auth *a = b->auth;
    const char *was = auth ? json_string_value(json_object_get(auth, "pid")) : NULL;
    const char *offset = auth ? json_string_value(json_object_get(auth, "offset")) : NULL;
    if (!was || !(b->verdict == TOKEN_GOOD || bearer_is_provable(b) || bearer_waits(b)) ||
        !hub_resume(a->hub, s->sid, was, offset))
        return false;
    s->was = was;
    s->offset = offset;
    bearer_await_proof(b, now);
    return true;
}

/* CONNECT is answered immediately, without the verdict, which takes effect later. A CONNECT that
 * resumes is answered when all is known, or after claim_timeout. */
static void connect_socket(void *ctx, void *bearer, const struct socket_info *s, const json_t *auth,
                           uint64_t now)
{
    struct auth *a = ctx;
    struct bearer *b = bearer;
    const json_t *token = auth ? json_object_get(auth, "token") : NULL;
    struct socket_info asked = *s;
    enum verdict before = b->verdict;
    if (s->again) {
        if (b->verdict == TOKEN_GOOD || (bearer_is_provable(b) && !s->muted))
            bearer_pass_on(b, s, now);
        return;
    }
    bool judge = is_replaceable(b, token, now);
    if (judge) {
        b->came = now;
        b->from_connect = true;
        bearer_judge(b, json_string_value(token), json_string_length(token), now);
    }
    b->sockets++;
    b->connected = true;
    if (!resumes(b, &asked, auth, now))
        hub_accept(a->hub, s->sid);
    if (!judge) {
        if (bearer_waits(b) && json_is_string(token))
            bearer_keep_second(b, json_string_value(token), json_string_length(token), now);
        token = NULL;
    }
    if (!token || b->verdict == TOKEN_REFUSED) {
        bearer_limit_stay(b, now);
        bearer_act(b, &asked, now);
        return;
    }
    /* otherwise its grace continues */
    if (before == TOKEN_REFUSED || b->verdict == TOKEN_GOOD || bearer_waits(b))
        timer_stop(&b->grace);
    bearer_settle(b, now); /* it is valid for all namespaces */
    bearer_ask_for_key(b);
}

static void identified(void *ctx, void *bearer, const char *sid, int64_t principal, uint64_t now)
{
    struct auth *a = ctx;
    struct bearer *b = bearer;
    if (b->verdict == TOKEN_EXPIRED) {
        bearer_judge_proof(b, sid, principal, now);
        return;
    }
    if (b->verdict != TOKEN_GOOD)
        return;
    if (principal) {
        timer_stop(&b->grace);
        return;
    }
    metrics_add(a->metrics, METRIC_UNKNOWN_SUBJECTS, 1);
    bearer_log(b, "no principal has the subject of this token", "", now);
    bearer_start_grace(b, a->config->refused_grace, now);
}

static void disconnect_socket(void *ctx, void *bearer, const char *sid, const char *reason,
                              bool by_client)
{
    struct auth *a = ctx;
    struct bearer *b = bearer;
    b->sockets--;
    if (b->verdict == TOKEN_GOOD || b->proving)
        a->inner->disconnect(a->inner->ctx, b->inner, sid, reason, by_client);
}

static void upgraded(void *ctx, void *bearer, const char *sid)
{
    struct auth *a = ctx;
    if (a->inner->upgraded)
        a->inner->upgraded(a->inner->ctx, ((struct bearer *)bearer)->inner, sid);
}

static void receive(void *ctx, void *bearer, const struct incoming *e)
{
    struct auth *a = ctx;
    a->inner->receive(a->inner->ctx, ((struct bearer *)bearer)->inner, e);
}

static void acked(void *ctx, void *bearer, const char *sid, int64_t ack, const json_t *args,
                  const struct attachments *with)
{
    struct auth *a = ctx;
    struct bearer *b = bearer;
    if (a->inner->acked && b->verdict == TOKEN_GOOD) /* otherwise it does not know the socket */
        a->inner->acked(a->inner->ctx, b->inner, sid, ack, args, with);
}

static void instruction(void *ctx, void *bearer, const char *sid, int64_t principal, int64_t id,
                        bool acked)
{
    struct auth *a = ctx;
    struct bearer *b = bearer;
    if (a->inner->ack_report && b->verdict == TOKEN_GOOD)
        a->inner->ack_report(a->inner->ctx, b->inner, sid, principal, id, acked);
}

/* --- construction --- */

struct auth *auth_new(const struct config *config, struct metrics *metrics, struct wheel *wheel,
                      struct hub *hub)
{
    struct auth *a = alloc(sizeof *a);
    a->backend = (struct backend){.ctx = a,
                                  .arrive = arrive,
                                  .knows = knows,
                                  .leave = leave,
                                  .connect = connect_socket,
                                  .identified = identified,
                                  .disconnect = disconnect_socket,
                                  .upgraded = upgraded,
                                  .receive = receive,
                                  .acked = acked,
                                  .ack_report = instruction};
    a->config = config;
    a->metrics = metrics;
    a->wheel = wheel;
    a->hub = hub;
    a->notices = notice_limit_new();
    log_limit_init(&a->lines, config->client_log_rate, metrics);
    return a;
}

void auth_set_backend(struct auth *a, const struct backend *inner)
{
    a->inner = inner;
    a->backend.acks = inner->acks;
}

const struct backend *auth_backend(struct auth *a)
{
    return &a->backend;
}

void auth_on_unknown_key(struct auth *a, void (*f)(void *ctx), void *ctx)
{
    a->unknown_key = f;
    a->unknown_key_ctx = ctx;
}

void auth_set_clock(struct auth *a, int64_t unix_ms, uint64_t now)
{
    uint64_t n = log_limit_take(&a->lines, now);
    a->unix_ms = unix_ms - (int64_t)now;
    if (n > 0)
        log_info("lines about tokens and their clients: %llu more were not logged "
                 "(client_log_rate)",
                 (unsigned long long)n);
}

void auth_free(struct auth *a)
{
    notice_limit_free(a->notices);
    free(a);
}

void auth_set_keys(struct auth *a, const struct keyset *keys, uint64_t as_of, uint64_t now)
{
    struct bearer *b;
    a->keys = keys;
    a->loaded = keys && (a->loaded || keyset_count(keys) > 0);
    a->again = a->waiting;
    a->waiting = NULL;
    if (a->again)
        a->again->link = &a->again;
    while ((b = a->again) != NULL) {
        char *token = b->token;
        b->token = NULL;
        bearer_judge(b, token, strlen(token), now);
        free(token);
        if (b->verdict == TOKEN_UNKNOWN_KEY && b->came <= as_of)
            bearer_give_up(b, now);
        bearer_try_second(b, as_of, now);
        if (!bearer_waits(b))
            timer_stop(&b->grace);
        bearer_ask_for_key(b);
        bearer_settle(b, now);
    }
}
