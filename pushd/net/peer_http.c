/*
 * peer_http: polling requests; see peer.h.
 *
 * A connection has one request at a time. Bytes that arrive before its answer close the connection:
 * lws 4.1 to 4.3 would append them to the head, or take a head for a body and never end. So an
 * answer is written one turn after its request at the earliest, when lws has passed on all that it
 * had read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/alloc.h"
#include "base/log.h"
#include "http/answer_head.h"
#include "net/peer.h"

/* How long writing an answer may take; how long the rest of a refused request is read. */
enum { ANSWER_SECONDS = 30, REST_SECONDS = 2 };
/* The least rate: each further second needs this many bytes. */
enum { BYTES_PER_SECOND = 10000 };

static struct server_scope *scope_of(struct lws *wsi)
{
    return lws_context_user(lws_get_context(wsi));
}

/* --- answers --- */

static void compose(const struct config *config, struct peer *peer, int status, const char *type,
                    const void *body, size_t len)
{
    struct answer a = {
        .status = status,
        .type = type,
        .len = len,
        .origin =
            engine_origin_allowed(config->cors_allowed_origins, peer->origin) ? peer->origin : NULL,
        .preflight = peer->preflighted,
        .request_headers = peer->preflight,
        .cookie = peer->cookie,
        .close = peer->close_after,
    };
    char head[ANSWER_HEAD_MAX];
    size_t n = answer_head(head, &a);
    if (peer->headless)
        len = 0;
    free(peer->answer);
    peer->answer = must(malloc(LWS_PRE + n + len));
    memcpy(peer->answer + LWS_PRE, head, n);
    if (len)
        memcpy(peer->answer + LWS_PRE + n, body, len);
    peer->answer_len = n + len;
}

static void reply(void *request, int status, const char *type, const void *body, size_t len)
{
    struct peer *peer = lws_wsi_user(request);
    struct server_scope *scope = scope_of(request);
    compose(scope->config, peer, status, type, body, len);
    peer->stage = STAGE_ANSWER;
    peer->turn = scope->turn;
    /* For a client that does not read. */
    lws_set_timeout(request, PENDING_TIMEOUT_HTTP_CONTENT,
                    ANSWER_SECONDS + (int)(peer->answer_len / BYTES_PER_SECOND));
    lws_callback_on_writable(request);
}

static void set_cookie(void *request, const char *value)
{
    struct peer *peer = lws_wsi_user(request);
    peer->cookie = alloc_format("%s=%s", scope_of(request)->config->cookie, value);
}

static int write_answer(struct lws *wsi, struct peer *peer)
{
    unsigned char *answer = peer->answer;
    int n = 0;
    peer->answer = NULL;
    if (answer)
        n = lws_write(wsi, answer + LWS_PRE, peer->answer_len, LWS_WRITE_HTTP_HEADERS);
    free(answer);
    return n < 0 ? -1 : 0;
}

static int writeable(struct server_scope *scope, struct lws *wsi, struct peer *peer)
{
    if (peer->stage != STAGE_ANSWER)
        return 0;
    if (peer->turn == scope->turn) {
        lws_callback_on_writable(wsi);
        return 0;
    }
    peer->stage = STAGE_DONE;
    if (write_answer(wsi, peer) != 0 || peer->close_after)
        return -1;
    return lws_http_transaction_completed(wsi) ? -1 : 0;
}

/* --- refusals --- */

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

/*
 * Answers immediately, without waiting for the body. The rest of the body is read and dropped.
 * Otherwise the system would reset the connection, and the client might not receive the answer.
 */
static int refuse_as(struct lws *wsi, struct peer *peer, const struct refusal *no)
{
    struct server_scope *scope = scope_of(wsi);
    size_t len = strlen(no->body);
    engine_refused(scope->engine, no->metric);
    if (peer->stage == STAGE_BODY)
        engine_gone(scope->engine, wsi, peer->query, uv_now(scope->loop));
    peer_drop(scope, peer);
    peer->close_after = true;
    compose(scope->config, peer, no->status, len ? "application/json" : NULL, no->body, len);
    peer->stage = STAGE_REST;
    if (write_answer(wsi, peer) != 0)
        return -1;
    shutdown(lws_get_socket_fd(wsi), SHUT_WR);
    lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, REST_SECONDS);
    peer->since = uv_now(scope->loop);
    return 0;
}

static int refuse(struct lws *wsi, struct peer *peer, int status)
{
    return refuse_as(wsi, peer, &(struct refusal){status, "", reason(status)});
}

/* --- requests --- */

static void hand_over(struct server_scope *scope, struct lws *wsi, struct peer *peer)
{
    struct headers h;
    struct request rq = {.method = peer->method};
    peer_request(wsi, &h, &rq);
    rq.body = peer->data ? peer->data : "";
    rq.body_len = peer->len;
    peer->stage = STAGE_CORE;
    lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
    engine_request(scope->engine, &rq, wsi, uv_now(scope->loop));
    peer_drop(scope, peer);
}

/* Keeps what the peer needs: lws may free the head at any time. */
static void note(struct server_scope *scope, struct lws *wsi, struct peer *peer)
{
    struct headers h;
    struct request rq = {0};
    char *uri;
    int len;
    peer_request(wsi, &h, &rq);
    peer->query = alloc_text(rq.query);
    peer->origin = alloc_text(rq.origin);
    peer->preflighted = peer->method == METHOD_OPTIONS;
    peer->preflight = alloc_text(
        peer_header(wsi, WSI_TOKEN_HTTP_AC_REQUEST_HEADERS, h.preflight, sizeof h.preflight));
    peer->headless = lws_http_get_uri_and_method(wsi, &uri, &len) == LWSHUMETH_HEAD;
    peer->since = peer->arrived = uv_now(scope->loop);
    peer->close_after = !peer_keeps(wsi, &scope->proxies);
}

/* lws waits for the body of these methods, even if there is none. */
static bool is_waited_for(struct lws *wsi)
{
    char *uri;
    int len, method = lws_http_get_uri_and_method(wsi, &uri, &len);
    return method == LWSHUMETH_POST || method == LWSHUMETH_PUT || method == LWSHUMETH_PATCH;
}

static int begin_post(struct server_scope *scope, struct lws *wsi, struct peer *peer,
                      long long length)
{
    enum { SMALL = 4096 }; /* it arrives at once, so errors can be reported afterwards */
    char go_on[LWS_PRE + 32];
    struct headers h;
    struct request rq = {.method = METHOD_POST};
    const struct refusal *no = NULL;
    if (length > (long long)scope->config->max_payload)
        return refuse(wsi, peer, 413);
    peer_request(wsi, &h, &rq);
    if (length > SMALL)
        no = engine_refuses_post(scope->engine, &rq, wsi, uv_now(scope->loop));
    if (no)
        return refuse_as(wsi, peer, no);
    peer->stage = STAGE_BODY;
    if (length > 0 && peer_list_has(wsi, WSI_TOKEN_HTTP_EXPECT, "100-continue")) {
        int n = sprintf(go_on + LWS_PRE, "HTTP/1.1 100 Continue\r\n\r\n");
        if (lws_write(wsi, (unsigned char *)go_on + LWS_PRE, (size_t)n, LWS_WRITE_HTTP_HEADERS) < 0)
            return -1;
    }
    return 0; /* lws reports the end of an empty body itself */
}

static int begin(struct server_scope *scope, struct lws *wsi, struct peer *peer)
{
    long long length;
    if (peer->stage != STAGE_NONE)
        return -1;
    bool ours = peer_path(wsi, scope->config->path, &peer->method);
    note(scope, wsi, peer);
    bool body = peer_body(wsi, &length);
    if (!peer_head_is_plain(wsi) || length == -2)
        return refuse(wsi, peer, 400);
    /* lws reports the end of a POST even without a body, and before an answer is written. */
    if (!ours && (body || peer->method == METHOD_POST))
        return refuse(wsi, peer, 404);
    if (body && peer->method != METHOD_POST)
        return refuse(wsi, peer, 400);
    if (ours && peer->method == METHOD_POST)
        return length == -1 ? refuse(wsi, peer, 411) : begin_post(scope, wsi, peer, length);
    peer->close_after |= is_waited_for(wsi);
    if (ours) {
        hand_over(scope, wsi, peer);
    } else {
        engine_refused(scope->engine, METRIC_REFUSED_PATH);
        reply(wsi, 404, NULL, NULL, 0);
    }
    return 0;
}

static bool is_late(const struct server_scope *scope, const struct peer *peer)
{
    uint64_t more = peer->len * 1000 / BYTES_PER_SECOND;
    return uv_now(scope->loop) - peer->since > scope->config->request_timeout + more;
}

static int body(struct server_scope *scope, struct lws *wsi, struct peer *peer, const void *in,
                size_t len)
{
    peer->arrived = uv_now(scope->loop);
    if (peer->stage == STAGE_REST)
        return is_late(scope, peer) ? -1 : 0;
    if (peer->stage != STAGE_BODY || len == 0)
        return 0;
    if (is_late(scope, peer))
        return refuse(wsi, peer, 408);
    if (peer->len + len > scope->config->max_payload)
        return -1;
    return peer_store(scope, peer, in, len) ? 0 : refuse(wsi, peer, 503);
}

static int complete(struct server_scope *scope, struct lws *wsi, struct peer *peer)
{
    if (peer->stage != STAGE_BODY)
        return -1; /* lws calls again when more arrives */
    hand_over(scope, wsi, peer);
    return 0;
}

static void gone(struct server_scope *scope, struct lws *wsi, struct peer *peer)
{
    uint64_t now = uv_now(scope->loop);
    if (peer->stage == STAGE_CORE || peer->stage == STAGE_BODY)
        engine_gone(scope->engine, wsi, peer->query, now);
    if (peer->stage == STAGE_BODY &&
        now - peer->arrived + TICK_MS >= scope->config->request_timeout)
        engine_refused(scope->engine, METRIC_REFUSED_TIMEOUT);
    peer_clear(scope, peer);
}

int peer_http(struct server_scope *scope, struct lws *wsi, enum lws_callback_reasons reason,
              struct peer *peer, void *in, size_t len)
{
    switch (reason) {
    case LWS_CALLBACK_HTTP:
        return begin(scope, wsi, peer);
    case LWS_CALLBACK_HTTP_BODY:
        return body(scope, wsi, peer, in, len);
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        return complete(scope, wsi, peer);
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return writeable(scope, wsi, peer);
    case LWS_CALLBACK_CLOSED_HTTP:
    case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
        if (peer)
            gone(scope, wsi, peer);
        return 0;
    default:
        return 0;
    }
}

const struct net peer_net = {.reply = reply,
                             .cookie = set_cookie,
                             .send = peer_ws_send,
                             .close = peer_ws_close,
                             .pause = peer_ws_pause};
