/* peer_http: polling requests; see peer.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "http.h"
#include "log.h"
#include "peer.h"

/* How long an answer may take to leave. */
enum { ANSWER_SECONDS = 30 };

static char *copy(const char *s)
{
    char *p = s ? strdup(s) : NULL;
    if (s && !p)
        abort();
    return p;
}

void peer_clear(struct peer *peer)
{
    free(peer->query);
    free(peer->origin);
    free(peer->preflight);
    free(peer->cookie);
    free(peer->data);
    free(peer->answer);
    memset(peer, 0, sizeof *peer);
}

bool peer_path(struct lws *wsi, const char *path, enum method *method)
{
    char *uri = NULL;
    int len = 0;
    size_t want = strlen(path);
    switch (lws_http_get_uri_and_method(wsi, &uri, &len)) {
    case LWSHUMETH_GET:
        *method = METHOD_GET;
        break;
    case LWSHUMETH_POST:
        *method = METHOD_POST;
        break;
    case LWSHUMETH_OPTIONS:
        *method = METHOD_OPTIONS;
        break;
    default:
        *method = METHOD_OTHER;
    }
    return uri && len >= (int)want && memcmp(uri, path, want) == 0;
}

/* lws has split the query at '&'. */
static void copy_query(struct lws *wsi, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; used + 2 < size; i++) {
        int n = lws_hdr_copy_fragment(wsi, out + used + (i > 0), (int)(size - used - 1),
                                      WSI_TOKEN_HTTP_URI_ARGS, i);
        if (n < 0)
            break;
        if (i > 0)
            out[used++] = '&';
        used += (size_t)n;
    }
    out[used] = '\0';
}

static const char *header(struct lws *wsi, enum lws_token_indexes token, char *out, size_t size)
{
    int len = lws_hdr_total_length(wsi, token);
    if (len <= 0)
        return NULL;
    /* One too long for its room cannot be right: an empty one is refused where it matters. */
    if (lws_hdr_copy(wsi, out, (int)size, token) < 0)
        out[0] = '\0';
    return out;
}

void peer_request(struct lws *wsi, struct headers *h, struct request *rq)
{
    const char *type = header(wsi, WSI_TOKEN_HTTP_CONTENT_TYPE, h->type, sizeof h->type);
    copy_query(wsi, h->query, sizeof h->query);
    lws_get_peer_simple(wsi, h->peer, sizeof h->peer);
    rq->query = h->query;
    rq->origin = header(wsi, WSI_TOKEN_ORIGIN, h->origin, sizeof h->origin);
    rq->authorization =
        header(wsi, WSI_TOKEN_HTTP_AUTHORIZATION, h->authorization, sizeof h->authorization);
    rq->peer = h->peer;
    rq->forwarded_for =
        header(wsi, WSI_TOKEN_X_FORWARDED_FOR, h->forwarded_for, sizeof h->forwarded_for);
    rq->octet_stream = type && strncmp(type, "application/octet-stream", 24) == 0;
}

static void compose(const struct config *config, struct peer *peer, int status, const char *type,
                    const void *body, size_t len)
{
    struct http_answer a = {
        .status = status,
        .type = type,
        .len = len,
        .origin =
            engine_origin_allowed(config->cors_allowed_origins, peer->origin) ? peer->origin : NULL,
        .preflight = peer->preflighted,
        .request_headers = peer->preflight,
        .cookie = peer->cookie,
        .close = peer->close_after || peer->close_asked,
    };
    char head[HTTP_HEAD_MAX];
    size_t n = http_head(head, &a);
    peer->answer = malloc(LWS_PRE + n + len);
    if (!peer->answer)
        abort();
    memcpy(peer->answer + LWS_PRE, head, n);
    if (len)
        memcpy(peer->answer + LWS_PRE + n, body, len);
    peer->answer_len = n + len;
}

static const struct config *config_of(struct lws *wsi)
{
    return ((struct server_scope *)lws_context_user(lws_get_context(wsi)))->config;
}

static void reply(void *request, int status, const char *type, const void *body, size_t len)
{
    struct lws *wsi = request;
    struct peer *peer = lws_wsi_user(wsi);
    peer->pending = false;
    compose(config_of(wsi), peer, status, type, body, len);
    /* For a client that reads nothing, or sent more than its request: lws then never lets us write.
     */
    lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, ANSWER_SECONDS);
    lws_callback_on_writable(wsi);
}

static int write_answer(struct lws *wsi, struct peer *peer)
{
    if (!peer->answer)
        return 0;
    unsigned char *answer = peer->answer;
    int n = lws_write(wsi, answer + LWS_PRE, peer->answer_len, LWS_WRITE_HTTP_HEADERS);
    bool close_after = peer->close_after;
    peer->answer = NULL;
    free(answer);
    if (n < 0 || close_after)
        return -1;
    return lws_http_transaction_completed(wsi) ? -1 : 0;
}

static void set_cookie(void *request, const char *value)
{
    struct peer *peer = lws_wsi_user(request);
    if (asprintf(&peer->cookie, "%s=%s", config_of(request)->cookie, value) < 0)
        abort();
}

/* At once: while lws waits for a body it lets nobody write. */
static int refuse(struct lws *wsi, struct peer *peer, int status)
{
    struct server_scope *scope = lws_context_user(lws_get_context(wsi));
    engine_refused(scope->engine, status == 404   ? METRIC_REFUSED_PATH
                                  : status == 413 ? METRIC_REFUSED_PAYLOAD
                                                  : METRIC_REFUSED_MALFORMED);
    peer->close_after = true;
    compose(config_of(wsi), peer, status, NULL, NULL, 0);
    return write_answer(wsi, peer);
}

static void hand_over(struct server_scope *scope, struct lws *wsi, struct peer *peer)
{
    struct headers h;
    struct request rq = {.method = peer->method};
    peer_request(wsi, &h, &rq);
    rq.body = peer->data ? peer->data : "";
    rq.body_len = peer->len;
    peer->awaits_body = false;
    peer->pending = true;
    lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
    engine_request(scope->engine, &rq, wsi, uv_now(scope->loop));
    free(peer->data);
    peer->data = NULL;
    peer->len = peer->size = 0;
}

static bool has_body(struct lws *wsi)
{
    return lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0 ||
           lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) > 0;
}

/* The length of the body; what lws and a proxy before it might read differently is refused. 0 or a
 * status. */
static int read_length(struct lws *wsi, const struct config *config, size_t *length)
{
    char text[24] = "";
    *length = 0;
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0)
        return 411; /* lws does not decode it */
    int given = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH);
    if (given <= 0)
        return 411;
    if (given >= (int)sizeof text ||
        lws_hdr_copy(wsi, text, sizeof text, WSI_TOKEN_HTTP_CONTENT_LENGTH) != given ||
        strspn(text, "0123456789") != (size_t)given)
        return 400;
    unsigned long long n = strtoull(text, NULL, 10); /* ULLONG_MAX if it is more */
    *length = (size_t)n;
    return n > config->max_payload ? 413 : 0;
}

/* The answer has to say it too: some clients use the connection again otherwise. */
static bool asks_to_close(struct lws *wsi)
{
    char text[64] = "";
    lws_hdr_copy(wsi, text, sizeof text, WSI_TOKEN_CONNECTION);
    return strcasestr(text, "close") != NULL;
}

static int begin(struct server_scope *scope, struct lws *wsi, struct peer *peer)
{
    struct headers h;
    struct request rq = {0};
    size_t length;
    peer_clear(peer);
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP) == 0) /* a request line without its version */
        return refuse(wsi, peer, 400);
    if (!peer_path(wsi, scope->config->path, &peer->method))
        return refuse(wsi, peer, 404);
    peer_request(wsi, &h, &rq);
    peer->query = copy(rq.query);
    peer->origin = copy(rq.origin);
    peer->close_asked = asks_to_close(wsi);
    peer->preflighted = peer->method == METHOD_OPTIONS;
    peer->preflight =
        copy(header(wsi, WSI_TOKEN_HTTP_AC_REQUEST_HEADERS, h.preflight, sizeof h.preflight));
    int wrong = read_length(wsi, scope->config, &length);
    if (peer->method == METHOD_POST && wrong)
        return refuse(wsi, peer, wrong);
    if (peer->method != METHOD_POST && (length > 0 || (wrong && has_body(wsi))))
        return refuse(wsi, peer, 400);
    peer->awaits_body = length > 0;
    if (peer->awaits_body)
        return 0;
    hand_over(scope, wsi, peer);
    return 0;
}

static int take_body(struct server_scope *scope, struct peer *peer, const void *in, size_t len)
{
    if (!peer->awaits_body) /* of a request that is refused, or answered */
        return 0;
    if (peer->len + len > scope->config->max_payload)
        return -1;
    if (peer->len + len > peer->size) {
        peer->size = 2 * (peer->len + len);
        peer->data = realloc(peer->data, peer->size);
        if (!peer->data)
            abort();
    }
    memcpy(peer->data + peer->len, in, len);
    peer->len += len;
    return 0;
}

int peer_http(struct server_scope *scope, struct lws *wsi, enum lws_callback_reasons reason,
              struct peer *peer, void *in, size_t len)
{
    switch (reason) {
    case LWS_CALLBACK_HTTP:
        return begin(scope, wsi, peer);
    case LWS_CALLBACK_HTTP_BODY:
        return take_body(scope, peer, in, len);
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        if (peer->awaits_body)
            hand_over(scope, wsi, peer);
        return 0;
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return write_answer(wsi, peer);
    case LWS_CALLBACK_CLOSED_HTTP:
    case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
        if (!peer)
            return 0;
        if (peer->pending)
            engine_gone(scope->engine, wsi, peer->query, uv_now(scope->loop));
        peer_clear(peer);
        return 0;
    default:
        return 0;
    }
}

/* --- the rest of struct net --- */

static bool send_ws(void *ws, const void *data, size_t len)
{
    struct lws *wsi = ws;
    /* LWS_WRITE_HTTP passes the bytes through as they are: the frame is ours, shared and constant.
     * Undocumented for WebSocket; the same code in 4.1.6, 4.3.5 and 4.4. */
    int n = lws_write(wsi, (unsigned char *)data, len, LWS_WRITE_HTTP);
    if (n >= 0 && !lws_partial_buffered(wsi))
        return true;
    if (n < 0)
        lws_set_timeout(wsi, PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_ASYNC);
    else
        lws_callback_on_writable(wsi);
    return false;
}

static void close_ws(void *ws, unsigned code)
{
    enum { CLOSE_SECONDS = 5 }; /* for a client that reads nothing */
    struct lws *wsi = ws;
    struct peer *peer = lws_wsi_user(wsi);
    peer->session = NULL;
    peer->closing = true;
    peer->close_code = code;
    lws_set_timeout(wsi, PENDING_TIMEOUT_CLOSE_SEND, CLOSE_SECONDS);
    lws_callback_on_writable(wsi);
}

static void pause_ws(void *ws, bool paused)
{
    lws_rx_flow_control(ws, !paused);
}

const struct net peer_net = {
    .reply = reply, .cookie = set_cookie, .send = send_ws, .close = close_ws, .pause = pause_ws};
