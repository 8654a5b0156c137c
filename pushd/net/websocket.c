/* websocket: see websocket.h. The settings of lws below were measured; the reasons are next to
 * them. */
#include "net/websocket.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/log.h"
#include "base/utf8.h"
#include "net/store.h"

/* How long the client may take to read that it is closed; one without a session counts nowhere. */
enum { CLOSE_SECONDS = 5, REFUSED_SECONDS = 1 };

/* lws' data of one WebSocket. */
struct websocket {
    struct session *session; /* NULL: it is being closed */
    struct store store;      /* a fragmented message */
    bool closing;
    unsigned close_code;
};

/* --- messages --- */

/* The client broke a rule of WebSocket. We close the connection: lws would misread the frames that
 * follow, and reset the connection before the client has read the reason. */
static int broken(struct lws *wsi, struct websocket *ws, unsigned code)
{
    engine_ws_broken(ws->session, wsi, code);
    ws->close_code = code;
    return 0;
}

static int message(struct server_scope *scope, struct lws *wsi, struct websocket *ws,
                   const char *data, size_t len)
{
    bool binary = lws_frame_is_binary(wsi);
    /* The check of lws accepts half a character before an empty fragment, and it checks pongs. */
    if (!binary && !utf8_valid(data, len))
        return broken(wsi, ws, WS_NOT_UTF8);
    engine_ws_message(ws->session, wsi, binary, data, len, uv_now(scope->loop));
    return 0;
}

static int receive(struct server_scope *scope, struct lws *wsi, struct websocket *ws,
                   const char *in, size_t len)
{
    size_t announced = lws_remaining_packet_payload(wsi);
    bool complete = lws_is_final_fragment(wsi) && announced == 0;
    if (!ws->session) /* it is being closed: ignore what still arrives */
        return 0;
    if (ws->store.len + len + announced > scope->config->max_payload)
        return broken(wsi, ws, WS_TOO_LARGE);
    if (complete && ws->store.len == 0)
        return message(scope, wsi, ws, in, len);
    if (!engine_ws_may_wait(ws->session, wsi, ws->store.len + len + announced)) {
        ws->close_code = WS_TRY_LATER;
        return 0;
    }
    if (!store_add(scope, &ws->store, in, len))
        return broken(wsi, ws, WS_TRY_LATER);
    if (!complete)
        return 0;
    int result = message(scope, wsi, ws, ws->store.data, ws->store.len);
    store_clear(scope, &ws->store);
    return result;
}

/*
 * lws sends no close frame without a code. Nothing is written after it, but what the client sends
 * is read: otherwise the system would reset the connection and lose the frame. The timeout of
 * websocket_shut() ends it.
 */
static int say_close(struct lws *wsi, struct websocket *ws)
{
    unsigned char frame[] = {0x88, 0, (unsigned char)(ws->close_code >> 8),
                             (unsigned char)ws->close_code};
    ws->closing = false;
    frame[1] = ws->close_code ? 2 : 0;
    if (lws_write(wsi, frame, 2U + frame[1], LWS_WRITE_HTTP) < 0)
        return -1;
    shutdown(lws_get_socket_fd(wsi), SHUT_WR);
    return 0;
}

static int writable(struct lws *wsi, struct websocket *ws)
{
    if (lws_partial_buffered(wsi)) {
        lws_callback_on_writable(wsi);
        return 0;
    }
    if (ws->closing)
        return say_close(wsi, ws);
    if (ws->session)
        engine_writable(ws->session, wsi);
    return 0;
}

/* --- the beginning and the end --- */

static void shut(struct lws *wsi, unsigned code, int seconds)
{
    struct websocket *ws = lws_wsi_user(wsi);
    ws->session = NULL;
    ws->closing = true;
    ws->close_code = code;
    lws_set_timeout(wsi, PENDING_TIMEOUT_CLOSE_SEND, seconds);
    lws_callback_on_writable(wsi);
}

static int established(struct server_scope *scope, struct lws *wsi, struct websocket *ws)
{
    if (!scope->upgrading)
        return -1;
    ws->session = engine_ws(scope->engine, scope->upgrading->rq, wsi, uv_now(scope->loop));
    if (!ws->session)
        shut(wsi, 0, REFUSED_SECONDS);
    return 0;
}

/* lws would end the connection if it read a subprotocol in the request. */
static int add_headers(const struct server_scope *scope, struct lws_process_html_args *args)
{
    const char *protocol = scope->upgrading ? scope->upgrading->protocol : NULL;
    if (!protocol)
        return 0;
    int n = snprintf(args->p, (size_t)args->max_len, "Sec-WebSocket-Protocol: %s\r\n", protocol);
    if (n < 0 || n >= args->max_len)
        return -1;
    args->p += n;
    return 0;
}

/* Also called when lws begins to close, which may take seconds: nothing may follow its close frame.
 */
static void gone(struct server_scope *scope, struct lws *wsi, struct websocket *ws)
{
    struct session *s = ws->session;
    ws->session = NULL;
    if (s)
        engine_ws_gone(s, wsi, uv_now(scope->loop));
    store_clear(scope, &ws->store);
}

/* The client's close frame, which lws answers. */
static int closed_by_client(struct server_scope *scope, struct lws *wsi, struct websocket *ws,
                            const unsigned char *in, size_t len)
{
    unsigned code = len >= 2 ? (unsigned)in[0] << 8 | in[1] : 0;
    bool text = len < 2 || utf8_valid((const char *)in + 2, len - 2);
    gone(scope, wsi, ws);
    if (len != 1 && code < 5000 && text)
        return 0;
    lws_close_reason(wsi, text ? LWS_CLOSE_STATUS_PROTOCOL_ERR : LWS_CLOSE_STATUS_INVALID_PAYLOAD,
                     NULL, 0);
    return -1;
}

/* lws' user data says whether this connection counts as open. */
static void count(struct server_scope *scope, struct lws *wsi, bool open)
{
    if (open == (lws_get_opaque_user_data(wsi) != NULL))
        return;
    scope_count(scope, open ? 1 : -1);
    lws_set_opaque_user_data(wsi, open ? scope : NULL);
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    struct lws_context *context = lws_get_context(wsi);
    struct server_scope *scope = context ? lws_context_user(context) : NULL;
    if (!scope) /* the context is being created */
        return 0;
    switch (reason) {
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
        count(scope, wsi, true);
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        count(scope, wsi, false);
        return 0;
    case LWS_CALLBACK_HTTP: /* our head asks for an upgrade */
        return -1;
    case LWS_CALLBACK_ADD_HEADERS:
        return add_headers(scope, in);
    case LWS_CALLBACK_ESTABLISHED:
        return established(scope, wsi, user);
    case LWS_CALLBACK_RECEIVE:
        return receive(scope, wsi, user, in, len);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return writable(wsi, user);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        return closed_by_client(scope, wsi, user, in, len);
    case LWS_CALLBACK_WS_SERVER_DROP_PROTOCOL:
    case LWS_CALLBACK_CLOSED:
        gone(scope, wsi, user);
        return 0;
    default:
        return 0;
    }
}

/* --- functions of struct net --- */

bool websocket_send(void *ws, const void *data, size_t len)
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

void websocket_shut(void *handle, unsigned code)
{
    shut(handle, code, CLOSE_SECONDS);
}

void websocket_pause(void *ws, bool paused)
{
    lws_rx_flow_control(ws, !paused);
}

/* --- libwebsockets --- */

/* One warning a minute: strangers cause most of them. And it says of each adoption that it calls
 * its service. */
static void lws_line(int level, const char *line)
{
    enum { QUIET_SECONDS = 60 };
    static time_t last;
    int len = (int)strcspn(line, "\n");
    if (strstr(line, "calling service"))
        return;
    bool loud = level & LLL_ERR && (last == 0 || time(NULL) - last >= QUIET_SECONDS);
    if (loud)
        last = time(NULL);
    log_write(loud ? LOG_WARNING : LOG_DEBUG, "libwebsockets: %.*s", len, line);
}

/* At the start: we report a failure ourselves, once. */
static void lws_line_opening(int level, const char *line)
{
    lws_line(level & ~LLL_ERR, line);
}

static void fill(struct lws_context_creation_info *info)
{
    enum {
        /* The receive buffer of each WebSocket. lws reads no more in one turn. A larger one would
         * make long messages cheaper, but clients send little. */
        RECEIVE_ROOM = 256,
        SEND_MAX = 65536, /* bytes of one write */
        HEAD_ROOM = 1024  /* it reads only heads of ours */
    };
    static const struct lws_protocols protocols[] = {
        {"socket.io", callback, sizeof(struct websocket), RECEIVE_ROOM, 0, NULL, SEND_MAX},
        {NULL, NULL, 0, 0, 0, NULL, 0}};
    static const lws_retry_bo_t no_pings; /* the session sends heartbeats */
    info->port = CONTEXT_PORT_NO_LISTEN_SERVER;
    info->protocols = protocols;
    info->retry_and_idle_policy = &no_pings;
    info->alpn = "http/1.1";
    info->max_http_header_data2 = HEAD_ROOM;
    /* As many as the limit of files: of a lower number it would search its table each time. */
    info->fd_limit_per_thread = 0;
    info->options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
}

bool websocket_open(struct server_scope *scope, struct lws_context **context)
{
    struct lws_context_creation_info info = {0};
    void *loops[] = {scope->loop};
    fill(&info);
    info.foreign_loops = loops;
    info.user = scope;
    info.pcontext = context; /* becomes NULL when everything has been freed */
    lws_set_log_level(LLL_ERR | LLL_WARN, lws_line_opening);
    *context = lws_create_context(&info);
    scope->vhost = *context ? lws_create_vhost(*context, &info) : NULL;
    lws_set_log_level(LLL_ERR | LLL_WARN, lws_line);
    return scope->vhost;
}

void websocket_close(struct lws_context *context)
{
    if (context)
        lws_context_destroy(context);
}

void websocket_adopt(struct server_scope *scope, int fd, const struct websocket_request *request,
                     const char *text, size_t len)
{
    scope->upgrading = request;
    /* What it returns must not be used: the WebSocket may have ended already. */
    lws_adopt_socket_vhost_readbuf(scope->vhost, fd, text, len);
    scope->upgrading = NULL;
}
