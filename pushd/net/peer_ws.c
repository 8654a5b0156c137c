/* peer_ws: WebSockets: handshake, messages and close; see peer.h. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/base64.h"
#include "base/log.h"
#include "base/utf8.h"
#include "http/answer_head.h"
#include "net/peer.h"

/* --- the handshake --- */

static int refuse(struct server_scope *scope, struct lws *wsi, const struct request *rq,
                  const struct refusal *no)
{
    engine_refused(scope->engine, no->metric);
    struct answer a = {
        .status = no->status,
        .type = "application/json",
        .len = strlen(no->body),
        .origin = engine_origin_allowed(scope->config->cors_allowed_origins, rq->origin)
                      ? rq->origin
                      : NULL,
        .close = true,
    };
    unsigned char answer[LWS_PRE + ANSWER_HEAD_MAX + 128];
    size_t n = answer_head((char *)answer + LWS_PRE, &a);
    memcpy(answer + LWS_PRE + n, no->body, a.len);
    lws_write(wsi, answer + LWS_PRE, n + a.len, LWS_WRITE_HTTP_HEADERS);
    return -1;
}

/* RFC 6455 (4.2.1) requires a key of 16 bytes in base64. */
static bool key_is_good(struct lws *wsi)
{
    char key[32];
    const char *k = peer_header(wsi, WSI_TOKEN_KEY, key, sizeof key);
    return k && strlen(k) == 24 && strspn(k, base64_digits[BASE64]) == 22 &&
           strcmp(k + 22, "==") == 0;
}

/* lws would not check this, or would close the connection without an answer. */
static bool is_websocket(struct lws *wsi, const char *protocol)
{
    enum { CONNECTION_MAX = 127, /* lws examines no more */ };
    char v[8];
    long long length;
    const char *version = peer_header(wsi, WSI_TOKEN_VERSION, v, sizeof v);
    return protocol && strcasecmp(protocol, "websocket") == 0 && peer_head_is_plain(wsi) &&
           lws_hdr_total_length(wsi, WSI_TOKEN_HOST) > 0 &&
           lws_hdr_total_length(wsi, WSI_TOKEN_CONNECTION) < CONNECTION_MAX &&
           peer_list_has(wsi, WSI_TOKEN_CONNECTION, "upgrade") && !peer_body(wsi, &length) &&
           version && strcmp(version, "13") == 0 && key_is_good(wsi) &&
           lws_hdr_total_length(wsi, WSI_TOKEN_PROTOCOL) == 0; /* it has none to choose from */
}

static int confirm(struct server_scope *scope, struct lws *wsi, const char *protocol)
{
    static const struct refusal not_found = {404, "{\"code\":3,\"message\":\"Not found\"}",
                                             METRIC_REFUSED_PATH};
    static const struct refusal not_websocket = {400, "{\"code\":3,\"message\":\"Bad request\"}",
                                                 METRIC_REFUSED_MALFORMED};
    struct headers h;
    struct request rq = {.websocket = true};
    /* If an upgrade without this header is refused, lws frees what it still uses (CVE-2025-11677).
     */
    if (!lws_hdr_total_length(wsi, WSI_TOKEN_UPGRADE))
        return -1;
    bool ours = peer_path(wsi, scope->config->path, &rq.method);
    peer_request(wsi, &h, &rq);
    const struct refusal *no;
    if (!is_websocket(wsi, protocol) || (ours && rq.method != METHOD_GET))
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
    peer_clear(scope, peer);
    peer_request(wsi, &h, &rq);
    peer->session = engine_ws(scope->engine, &rq, wsi, uv_now(scope->loop));
    if (!peer->session)
        peer_ws_close(wsi, 0);
    return 0;
}

/* --- messages --- */

/* The client broke a rule of WebSocket. We close the connection: lws would misread the frames that
 * follow, and reset the connection before the client has read the reason. */
static int broken(struct lws *wsi, struct peer *peer, unsigned code)
{
    engine_ws_broken(peer->session, wsi, code);
    peer->close_code = code;
    return 0;
}

static int message(struct server_scope *scope, struct lws *wsi, struct peer *peer, const char *data,
                   size_t len)
{
    bool binary = lws_frame_is_binary(wsi);
    /* The check of lws accepts half a character before an empty fragment, and it checks pongs. */
    if (!binary && !utf8_valid(data, len))
        return broken(wsi, peer, WS_NOT_UTF8);
    engine_ws_message(peer->session, wsi, binary, data, len, uv_now(scope->loop));
    return 0;
}

static int receive(struct server_scope *scope, struct lws *wsi, struct peer *peer, const char *in,
                   size_t len)
{
    size_t announced = lws_remaining_packet_payload(wsi);
    bool complete = lws_is_final_fragment(wsi) && announced == 0;
    if (!peer->session) /* it is being closed: ignore what still arrives */
        return 0;
    if (peer->len + len + announced > scope->config->max_payload)
        return broken(wsi, peer, WS_TOO_LARGE);
    if (complete && peer->len == 0)
        return message(scope, wsi, peer, in, len);
    if (!peer_store(scope, peer, in, len))
        return broken(wsi, peer, WS_TRY_LATER);
    if (!complete)
        return 0;
    int result = message(scope, wsi, peer, peer->data, peer->len);
    peer_drop(scope, peer);
    return result;
}

/*
 * lws sends no close frame without a code. Nothing is written after it, but what the client sends
 * is read: otherwise the system would reset the connection and lose the frame. The timeout of
 * peer_ws_close() ends it.
 */
static int say_close(struct lws *wsi, struct peer *peer)
{
    unsigned char frame[] = {0x88, 0, (unsigned char)(peer->close_code >> 8),
                             (unsigned char)peer->close_code};
    peer->closing = false;
    frame[1] = peer->close_code ? 2 : 0;
    if (lws_write(wsi, frame, 2U + frame[1], LWS_WRITE_HTTP) < 0)
        return -1;
    shutdown(lws_get_socket_fd(wsi), SHUT_WR);
    return 0;
}

static int writable(struct lws *wsi, struct peer *peer)
{
    if (lws_partial_buffered(wsi)) {
        lws_callback_on_writable(wsi);
        return 0;
    }
    if (peer->closing)
        return say_close(wsi, peer);
    if (peer->session)
        engine_writable(peer->session, wsi);
    return 0;
}

/* Also called when lws begins to close, which may take seconds: nothing may follow its close frame.
 */
static void gone(struct server_scope *scope, struct lws *wsi, struct peer *peer)
{
    struct session *s = peer->session;
    peer->session = NULL;
    if (s)
        engine_ws_gone(s, wsi, uv_now(scope->loop));
    peer_drop(scope, peer);
}

/* The client's close frame, which lws answers. */
static int closed_by_client(struct server_scope *scope, struct lws *wsi, struct peer *peer,
                            const unsigned char *in, size_t len)
{
    unsigned code = len >= 2 ? (unsigned)in[0] << 8 | in[1] : 0;
    bool text = len < 2 || utf8_valid((const char *)in + 2, len - 2);
    gone(scope, wsi, peer);
    if (len != 1 && code < 5000 && text)
        return 0;
    lws_close_reason(wsi, text ? LWS_CLOSE_STATUS_PROTOCOL_ERR : LWS_CLOSE_STATUS_INVALID_PAYLOAD,
                     NULL, 0);
    return -1;
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
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        return closed_by_client(scope, wsi, peer, in, len);
    case LWS_CALLBACK_WS_SERVER_DROP_PROTOCOL:
    case LWS_CALLBACK_CLOSED:
        gone(scope, wsi, peer);
        return 0;
    default:
        return 0;
    }
}

/* --- functions of struct net --- */

bool peer_ws_send(void *ws, const void *data, size_t len)
{
    struct lws *wsi = ws;
    /* LWS_WRITE_HTTP passes the bytes unchanged: the frame is ours, shared and constant. This is
     * not documented for WebSocket; the code is the same in 4.1.6, 4.3.5 and 4.4. */
    int n = lws_write(wsi, (unsigned char *)data, len, LWS_WRITE_HTTP);
    if (n >= 0 && !lws_partial_buffered(wsi))
        return true;
    if (n < 0)
        lws_set_timeout(wsi, PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_ASYNC);
    else
        lws_callback_on_writable(wsi);
    return false;
}

void peer_ws_close(void *ws, unsigned code)
{
    enum { CLOSE_SECONDS = 5 }; /* for a client that does not read */
    struct lws *wsi = ws;
    struct peer *peer = lws_wsi_user(wsi);
    peer->session = NULL;
    peer->closing = true;
    peer->close_code = code;
    lws_set_timeout(wsi, PENDING_TIMEOUT_CLOSE_SEND, CLOSE_SECONDS);
    lws_callback_on_writable(wsi);
}

void peer_ws_pause(void *ws, bool paused)
{
    lws_rx_flow_control(ws, !paused);
}
