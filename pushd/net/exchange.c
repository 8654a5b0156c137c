/* exchange: see exchange.h. */
#include "net/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engineio/query.h"
#include "http/answer_head.h"
#include "http/handshake.h"
#include "net/store.h"
#include "net/upgrade.h"

/* The least rate of a body: each further second needs this many bytes. */
enum { BYTES_PER_SECOND = 10000 };
/* A body up to this length arrives at once, so errors can be reported afterwards. */
enum { SMALL = 4096 };

/* A POST whose body is arriving. */
struct post {
    struct request_head head;
    struct store body;
    uint64_t since; /* when its head was complete */
    char text[];    /* of the head */
};

static uint64_t now_of(const struct connection *c)
{
    return uv_now(c->scope->loop);
}

static bool is_late(const struct connection *c, uint64_t since, size_t len)
{
    uint64_t more = len * 1000 / BYTES_PER_SECOND;
    return now_of(c) - since > c->scope->config->request_timeout + more;
}

static void drop_post(struct connection *c)
{
    if (!c->post)
        return;
    store_clear(c->scope, &c->post->body);
    free(c->post);
    c->post = NULL;
}

/* --- answers --- */

static const char *origin_of(const struct connection *c)
{
    const char *origin = c->head ? request_header(c->head, HEADER_ORIGIN) : c->origin;
    return engine_origin_allowed(c->scope->config->cors_allowed_origins, origin) ? origin : NULL;
}

/* It serves no session any more. Its address may have too many like it. */
static void count(struct connection *c)
{
    struct counted *over = NULL;
    if (c->trusted || c->counted.of || c->refused)
        return;
    if (!connection_limit_enter(c->scope->limit, &c->counted, &c->peer, &over))
        c->last = true;
    if (over)
        connection_end(container_of(over, struct connection, counted));
}

void exchange_reply(void *request, int status, const char *type, const void *body, size_t len)
{
    struct connection *c = request;
    char head[ANSWER_HEAD_MAX];
    count(c);
    c->last |= c->scope->draining;
    c->served = status == 200;
    struct answer a = {
        .status = status,
        .type = type,
        .len = len,
        .origin = origin_of(c),
        .preflight = c->preflight,
        .request_headers = c->head ? request_header(c->head, HEADER_REQUEST_HEADERS) : NULL,
        .cookie = c->cookie,
        .close = c->last,
        .date = scope_date(c->scope),
    };
    size_t n = answer_head(head, &a);
    free(c->origin);
    free(c->cookie);
    c->origin = c->cookie = NULL;
    connection_write(c, head, n, body, c->bodiless ? 0 : len);
}

void exchange_cookie(void *request, const char *value)
{
    struct connection *c = request;
    c->cookie = alloc_format("%s=%s", c->scope->config->cookie, value);
}

/* Answers immediately, without waiting for the body, and ends the connection. */
void exchange_refuse(struct connection *c, const struct refusal *no)
{
    size_t len = strlen(no->body);
    engine_refused(c->scope->engine, no->metric);
    if (c->stage == STAGE_BODY)
        engine_gone(c->scope->engine, c, c->sid);
    c->last = true;
    exchange_reply(c, no->status, len ? "application/json" : NULL, no->body, len);
    drop_post(c);
}

static enum metric_id reason(int status)
{
    switch (status) {
    case 404:
        return METRIC_REFUSED_PATH;
    case 408:
        return METRIC_REFUSED_TIMEOUT;
    case 411:
        return METRIC_REFUSED_LENGTH;
    case 413:
        return METRIC_REFUSED_PAYLOAD;
    case 503:
        return METRIC_REFUSED_RECEIVE;
    default:
        return METRIC_REFUSED_MALFORMED;
    }
}

/* why: a static text. */
static void refuse_head(struct connection *c, int status, const char *why)
{
    char body[128];
    snprintf(body, sizeof body, "{\"code\":3,\"message\":\"%s\"}", why);
    exchange_refuse(c, &(struct refusal){status, body, reason(status)});
}

static void refuse(struct connection *c, int status)
{
    exchange_refuse(c, &(struct refusal){status, "", reason(status)});
}

/* --- requests --- */

void exchange_describe(const struct connection *c, struct request *rq)
{
    char forwarded[REQUEST_HEAD_MAX];
    const struct request_head *h = c->head;
    const char *type = request_header(h, HEADER_CONTENT_TYPE);
    rq->method = h->method;
    rq->query = h->text + h->query;
    rq->origin = request_header(h, HEADER_ORIGIN);
    rq->authorization = request_header(h, HEADER_AUTHORIZATION);
    rq->user_agent = request_header(h, HEADER_USER_AGENT);
    rq->octet_stream = type && strncmp(type, "application/octet-stream", 24) == 0;
    rq->from =
        c->trusted
            ? address_behind(&c->scope->proxies, &c->peer,
                             request_values(h, HEADER_FORWARDED_FOR, forwarded, sizeof forwarded))
            : c->peer;
}

/* The request belongs to a session, which answers it later or gets the rest of it. */
static void hold(struct connection *c, const char *query)
{
    struct parameters p = query_parse(query);
    memcpy(c->sid, p.sid, SID_LEN);
}

static void hand_over(struct connection *c, const char *body, size_t len)
{
    struct request rq = {.body = body, .body_len = len};
    exchange_describe(c, &rq);
    c->stage = STAGE_CORE;
    timer_stop(&c->timer);
    engine_request(c->scope->engine, &rq, c, now_of(c));
    if (c->stage != STAGE_CORE)
        return;
    hold(c, rq.query);
    c->origin = alloc_text(origin_of(c));
    connection_limit_leave(c->scope->limit, &c->counted);
}

/* The body will arrive in parts. */
static void begin_body(struct connection *c)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const struct request_head *h = c->head;
    uv_buf_t interim = uv_buf_init((char *)go_on, sizeof go_on - 1);
    struct request rq = {0};
    exchange_describe(c, &rq);
    const struct refusal *no =
        h->length > SMALL ? engine_refuses_post(c->scope->engine, &rq, c, now_of(c)) : NULL;
    if (no) {
        exchange_refuse(c, no);
        return;
    }
    hold(c, rq.query);
    c->post = must(malloc(sizeof *c->post + h->len));
    *c->post = (struct post){.head = *h, .since = now_of(c)};
    memcpy(c->post->text, h->text, h->len);
    c->post->head.text = c->post->text;
    if (h->expects_continue)
        uv_try_write((uv_stream_t *)&c->tcp, &interim, 1);
    connection_wait(c, STAGE_BODY, c->scope->config->request_timeout);
}

static size_t take_body(struct connection *c, const char *data, size_t len)
{
    struct post *post = c->post;
    size_t left = post->head.length - post->body.len, used = len < left ? len : left;
    c->head = &post->head;
    if (is_late(c, post->since, post->body.len)) {
        refuse(c, 408);
    } else if (!store_add(c->scope, &post->body, data, used)) {
        refuse(c, 503);
    } else if (used == left) {
        c->post = NULL;
        hand_over(c, post->body.data, post->body.len);
        store_clear(c->scope, &post->body);
        free(post);
    } else {
        connection_wait(c, STAGE_BODY, c->scope->config->request_timeout);
    }
    c->head = NULL;
    return used;
}

/* Returns how much of what follows the head was used. */
static size_t begin_post(struct connection *c, const char *data, size_t len)
{
    const struct request_head *h = c->head;
    if (!h->has_length) {
        refuse(c, 411);
    } else if (h->length > c->scope->config->max_payload) {
        refuse(c, 413);
    } else if (h->length <= len) {
        hand_over(c, data, h->length);
        return h->length;
    } else {
        begin_body(c);
    }
    return 0;
}

/* Returns how much of what follows the head was used. */
static size_t begin(struct connection *c, char *data, size_t len)
{
    const struct request_head *h = c->head;
    const char *path = c->scope->config->path;
    bool ours = strncmp(h->text + h->path, path, strlen(path)) == 0;
    bool post = h->method == METHOD_POST;
    if (handshake_asked(h)) {
        upgrade_begin(c, ours, data, len);
        return len;
    }
    if (!ours && (h->length > 0 || post)) {
        refuse(c, 404);
    } else if (!ours) {
        engine_refused(c->scope->engine, METRIC_REFUSED_PATH);
        exchange_reply(c, 404, NULL, NULL, 0);
    } else if (post) {
        return begin_post(c, data, len);
    } else if (h->length > 0) {
        refuse(c, 400);
    } else {
        hand_over(c, "", 0);
    }
    return 0;
}

static void wake(struct connection *c)
{
    c->idle = false;
    connection_limit_busy(&c->counted);
    connection_wait(c, STAGE_HEAD, c->scope->config->request_timeout);
}

static size_t take_head(struct connection *c, char *data, size_t len)
{
    struct request_head h;
    int status;
    const char *why;
    size_t used = len;
    if (c->idle)
        wake(c);
    enum head_step step = request_head_read(&h, data, len, c->seen, &status, &why);
    if (step == HEAD_PART) {
        c->seen = len;
        return 0;
    }
    c->seen = 0;
    c->head = &h;
    c->preflight = h.method == METHOD_OPTIONS;
    c->bodiless = h.bodiless;
    c->last = !h.persistent;
    if (step == HEAD_WHOLE) {
        used = h.len + begin(c, data + h.len, len - h.len);
    } else {
        refuse_head(c, status, why);
    }
    c->head = NULL;
    return used;
}

size_t exchange_take(struct connection *c, char *data, size_t len)
{
    return c->stage == STAGE_BODY ? take_body(c, data, len) : take_head(c, data, len);
}

/* --- the end --- */

bool exchange_ended(struct connection *c)
{
    if (c->stage == STAGE_CORE)
        engine_flush(c->scope->engine);
    return c->stage == STAGE_ANSWER || (c->stage == STAGE_HEAD && c->kept && !c->seen);
}

void exchange_late(struct connection *c)
{
    if (c->stage == STAGE_BODY || (c->stage == STAGE_HEAD && !c->idle))
        engine_refused(c->scope->engine, METRIC_REFUSED_TIMEOUT);
}

void exchange_gone(struct connection *c)
{
    if (c->stage == STAGE_CORE || c->stage == STAGE_BODY)
        engine_gone(c->scope->engine, c, c->sid);
    drop_post(c);
    free(c->origin);
    free(c->cookie);
    c->origin = c->cookie = NULL;
}
