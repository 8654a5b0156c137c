/* peer_ws: WebSockets; see peer.h. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uv.h>

#include "http.h"
#include "log.h"
#include "peer.h"

static int refuse(struct server_scope *scope, struct lws *wsi, const struct request *rq,
                  const struct refusal *no)
{
    engine_refused(scope->engine, no->metric);
    struct http_answer a = {
        .status = no->status,
        .type = "application/json",
        .len = strlen(no->body),
        .origin = engine_origin_allowed(scope->config->cors_allowed_origins, rq->origin)
                      ? rq->origin
                      : NULL,
        .close = true,
    };
    unsigned char answer[LWS_PRE + HTTP_HEAD_MAX + 128];
    size_t n = http_head((char *)answer + LWS_PRE, &a);
    memcpy(answer + LWS_PRE + n, no->body, a.len);
    lws_write(wsi, answer + LWS_PRE, n + a.len, LWS_WRITE_HTTP_HEADERS);
    return 1;
}

static int confirm(struct server_scope *scope, struct lws *wsi, const char *protocol)
{
    static const struct refusal not_found = {404, "{\"code\":3,\"message\":\"Not found\"}",
                                             METRIC_REFUSED_PATH};
    static const struct refusal not_websocket = {400, "{\"code\":3,\"message\":\"Bad request\"}",
                                                 METRIC_REFUSED_MALFORMED};
    struct headers h;
    struct request rq = {.websocket = true};
    /* lws frees what it still uses when an upgrade is refused without this header (CVE-2025-11677).
     */
    if (!lws_hdr_total_length(wsi, WSI_TOKEN_UPGRADE))
        return -1;
    bool ours = peer_path(wsi, scope->config->path, &rq.method);
    peer_request(wsi, &h, &rq);
    const struct refusal *no;
    if (!protocol || strcasecmp(protocol, "websocket") != 0)
        no = &not_websocket;
    else if (!ours)
        no = &not_found;
    else
        no = engine_refuses_ws(scope->engine, &rq, uv_now(scope->loop));
    return no ? refuse(scope, wsi, &rq, no) : 0;
}

static int established(struct server_scope *scope, struct lws *wsi, struct peer *peer)
{
    struct headers h;
    struct request rq = {.method = METHOD_GET, .websocket = true};
    peer_clear(peer);
    peer_request(wsi, &h, &rq);
    peer->session = engine_ws(scope->engine, &rq, wsi, uv_now(scope->loop));
    return peer->session ? 0 : -1;
}

static int append(struct server_scope *scope, struct lws *wsi, struct peer *peer, const void *in,
                  size_t len)
{
    size_t need = peer->len + len;
    if (need + lws_remaining_packet_payload(wsi) > scope->config->max_payload) {
        engine_ws_too_large(peer->session, wsi);
        lws_close_reason(wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, NULL, 0);
        return -1;
    }
    if (need > peer->size) {
        peer->size = need + lws_remaining_packet_payload(wsi);
        peer->data = realloc(peer->data, peer->size);
        if (!peer->data)
            abort();
    }
    memcpy(peer->data + peer->len, in, len);
    peer->len = need;
    return 0;
}

static int receive(struct server_scope *scope, struct lws *wsi, struct peer *peer, const char *in,
                   size_t len)
{
    bool complete = lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0;
    uint64_t now = uv_now(scope->loop);
    bool binary = lws_frame_is_binary(wsi);
    if (!peer->session) /* closing: what still comes is not for us */
        return 0;
    if (complete && peer->len == 0 && len <= scope->config->max_payload) {
        engine_ws_message(peer->session, wsi, binary, in, len, now);
        return 0;
    }
    if (append(scope, wsi, peer, in, len) != 0)
        return -1;
    if (!complete)
        return 0;
    char *message = peer->data;
    size_t n = peer->len;
    peer->data = NULL;
    peer->len = peer->size = 0;
    engine_ws_message(peer->session, wsi, binary, message, n, now);
    free(message);
    return 0;
}

static int writable(struct lws *wsi, struct peer *peer)
{
    if (lws_partial_buffered(wsi)) {
        lws_callback_on_writable(wsi);
        return 0;
    }
    if (peer->closing) {
        if (peer->close_code)
            lws_close_reason(wsi, (enum lws_close_status)peer->close_code, NULL, 0);
        return -1;
    }
    if (peer->session)
        engine_writable(peer->session, wsi);
    return 0;
}

int peer_ws(struct server_scope *scope, struct lws *wsi, enum lws_callback_reasons reason,
            struct peer *peer, void *in, size_t len)
{
    switch (reason) {
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return confirm(scope, wsi, in);
    case LWS_CALLBACK_ESTABLISHED:
        return established(scope, wsi, peer);
    case LWS_CALLBACK_RECEIVE:
        return receive(scope, wsi, peer, in, len);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return writable(wsi, peer);
    case LWS_CALLBACK_CLOSED:
        if (peer->session)
            engine_ws_gone(peer->session, wsi, uv_now(scope->loop));
        peer_clear(peer);
        return 0;
    default:
        return 0;
    }
}
