/* reply: see reply.h. */
#include "net/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "http/answer_head.h"

const char *reply_origin(const struct connection *c)
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

void reply_send(void *request, int status, const char *type, const void *body, size_t len)
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
        .origin = reply_origin(c),
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

void reply_cookie(void *request, const char *value)
{
    struct connection *c = request;
    c->cookie = alloc_format("%s=%s", c->scope->config->cookie, value);
}

void reply_refuse(struct connection *c, const struct refusal *no)
{
    size_t len = strlen(no->body);
    engine_refused(c->scope->engine, no->metric);
    if (c->stage == STAGE_BODY)
        engine_gone(c->scope->engine, c, c->sid);
    c->last = true;
    reply_send(c, no->status, len ? "application/json" : NULL, no->body, len);
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

void reply_refuse_as(struct connection *c, int status, const char *why)
{
    char body[128] = "";
    if (why)
        snprintf(body, sizeof body, "{\"code\":3,\"message\":\"%s\"}", why);
    reply_refuse(c, &(struct refusal){status, body, reason(status)});
}
