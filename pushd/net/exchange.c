/* exchange: see exchange.h. */
#include "net/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engineio/query.h"
#include "http/handshake.h"
#include "net/reply.h"
#include "net/store.h"
#include "net/upgrade.h"

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

/* --- requests --- */

static void describe(const struct connection *c, struct request *rq)
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
    describe(c, &rq);
    c->stage = STAGE_CORE;
    timer_stop(&c->timer);
    engine_request(c->scope->engine, &rq, c, now_of(c));
    if (c->stage != STAGE_CORE)
        return;
    hold(c, rq.query);
    c->origin = alloc_text(reply_origin(c));
    connection_limit_leave(c->scope->limit, &c->counted);
}

/* The body will arrive in parts; len bytes of it are there. */
static void begin_body(struct connection *c, size_t len)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const struct request_head *h = c->head;
    uv_buf_t interim = uv_buf_init((char *)go_on, sizeof go_on - 1);
    struct request rq = {.body_len = h->length};
    describe(c, &rq);
    const struct refusal *no =
        h->length > SMALL ? engine_refuses_post(c->scope->engine, &rq, c, now_of(c)) : NULL;
    if (no) {
        reply_refuse(c, no);
        return;
    }
    hold(c, rq.query);
    c->post = must(malloc(sizeof *c->post + h->len));
    *c->post = (struct post){.head = *h, .since = now_of(c)};
    memcpy(c->post->text, h->text, h->len);
    c->post->head.text = c->post->text;
    c->body_left = h->length;
    connection_wait(c, STAGE_BODY, c->scope->config->request_timeout);
    /* If it ends from here on, the core forgets the POST. */
    if (h->expects_continue && len == 0 &&
        uv_try_write((uv_stream_t *)&c->tcp, &interim, 1) != (int)interim.len)
        connection_end(c);
}

static size_t take_body(struct connection *c, const char *data, size_t len)
{
    struct post *post = c->post;
    size_t left = post->head.length - post->body.len, used = len < left ? len : left;
    c->head = &post->head;
    if (is_late(c, post->since, post->body.len)) {
        reply_refuse_as(c, 408, NULL);
    } else if (!store_add(c->scope, &post->body, data, used)) {
        reply_refuse_as(c, 503, NULL);
    } else if (used == left) {
        c->post = NULL;
        hand_over(c, post->body.data, post->body.len);
        store_clear(c->scope, &post->body);
        free(post);
    } else {
        c->body_left = left - used;
        connection_wait(c, STAGE_BODY, c->scope->config->request_timeout);
    }
    if (c->stage != STAGE_BODY)
        drop_post(c);
    c->head = NULL;
    return used;
}

/* Returns how much of what follows the head was used. */
static size_t begin_post(struct connection *c, const char *data, size_t len)
{
    const struct request_head *h = c->head;
    if (!h->has_length) {
        reply_refuse_as(c, 411, NULL);
    } else if (h->length > c->scope->config->max_payload) {
        reply_refuse_as(c, 413, NULL);
    } else if (h->length <= len) {
        hand_over(c, data, h->length);
        return h->length;
    } else {
        begin_body(c, len);
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
        struct request rq = {.websocket = true};
        describe(c, &rq);
        upgrade_begin(c, &rq, ours, data, len);
        return len;
    }
    if (!ours && (h->length > 0 || post)) {
        reply_refuse_as(c, 404, NULL);
    } else if (!ours) {
        engine_refused(c->scope->engine, METRIC_REFUSED_PATH);
        reply_send(c, 404, NULL, NULL, 0);
    } else if (post) {
        return begin_post(c, data, len);
    } else if (h->length > 0) {
        reply_refuse_as(c, 400, NULL);
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
    /* The core may advance the wheel. From here on the connection ends, waits anew, or is held. */
    timer_stop(&c->timer);
    if (step == HEAD_WHOLE) {
        used = h.len + begin(c, data + h.len, len - h.len);
    } else {
        reply_refuse_as(c, status, why);
    }
    c->head = NULL;
    return used;
}

static size_t take(struct connection *c, char *data, size_t len)
{
    return c->stage == STAGE_BODY ? take_body(c, data, len) : take_head(c, data, len);
}

/* --- the end --- */

static bool ended(struct connection *c)
{
    if (c->stage == STAGE_CORE)
        engine_flush(c->scope->engine);
    return c->stage == STAGE_ANSWER || (c->stage == STAGE_HEAD && c->kept && !c->seen);
}

static void late(struct connection *c)
{
    if (c->stage == STAGE_BODY || (c->stage == STAGE_HEAD && !c->idle))
        engine_refused(c->scope->engine, METRIC_REFUSED_TIMEOUT);
}

static void gone(struct connection *c)
{
    if (c->stage == STAGE_CORE || c->stage == STAGE_BODY)
        engine_gone(c->scope->engine, c, c->sid);
    drop_post(c);
    free(c->origin);
    free(c->cookie);
    c->origin = c->cookie = NULL;
}

const struct connection_user exchange_user = {
    .take = take, .refuse = reply_refuse, .ended = ended, .late = late, .gone = gone};
