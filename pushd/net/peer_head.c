/*
 * peer_head: checks and reads the head of an HTTP request; see peer.h.
 *
 * lws accepts much that it should refuse. If a proxy before us could read a request in another way,
 * it is refused here (request smuggling). Otherwise one client could receive another's answer.
 */
#include <string.h>
#include <strings.h>

#include "base/decimal.h"
#include "net/peer.h"

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

/* lws has split the query at '&' and decoded it. A remaining '&' belongs to a value. */
static void copy_query(struct lws *wsi, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; used + 2 < size; i++) {
        char *part = out + used + (i > 0);
        int n =
            lws_hdr_copy_fragment(wsi, part, (int)(size - used - 1), WSI_TOKEN_HTTP_URI_ARGS, i);
        if (n < 0)
            break;
        for (int k = 0; k < n; k++)
            if (part[k] == '&')
                part[k] = '_';
        if (i > 0)
            out[used++] = '&';
        used += (size_t)n;
    }
    out[used] = '\0';
}

const char *peer_header(struct lws *wsi, enum lws_token_indexes token, char *out, size_t size)
{
    int len = lws_hdr_total_length(wsi, token);
    if (len <= 0)
        return NULL;
    /* One that does not fit cannot be valid. An empty one is refused later if it matters. */
    if (lws_hdr_copy(wsi, out, (int)size, token) < 0)
        out[0] = '\0';
    return out;
}

void peer_request(struct lws *wsi, struct headers *h, struct request *rq)
{
    const char *type = peer_header(wsi, WSI_TOKEN_HTTP_CONTENT_TYPE, h->type, sizeof h->type);
    copy_query(wsi, h->query, sizeof h->query);
    lws_get_peer_simple(wsi, h->peer, sizeof h->peer);
    rq->query = h->query;
    rq->origin = peer_header(wsi, WSI_TOKEN_ORIGIN, h->origin, sizeof h->origin);
    rq->authorization =
        peer_header(wsi, WSI_TOKEN_HTTP_AUTHORIZATION, h->authorization, sizeof h->authorization);
    rq->user_agent =
        peer_header(wsi, WSI_TOKEN_HTTP_USER_AGENT, h->user_agent, sizeof h->user_agent);
    rq->peer = h->peer;
    rq->forwarded_for =
        peer_header(wsi, WSI_TOKEN_X_FORWARDED_FOR, h->forwarded_for, sizeof h->forwarded_for);
    rq->octet_stream = type && strncmp(type, "application/octet-stream", 24) == 0;
}

/* How often the header is present; an empty one counts. */
static int times(struct lws *wsi, enum lws_token_indexes token)
{
    char value[HEADERS_MAX];
    int n = 0;
    while (lws_hdr_copy_fragment(wsi, value, sizeof value, token, n) >= 0)
        n++;
    return n;
}

/* With blanks before the colon, it is another header for lws, but perhaps not for a proxy. */
static bool disguised(struct lws *wsi)
{
    static const char *const names[] = {
        "content-length :",     "content-length\t:", "transfer-encoding :",
        "transfer-encoding\t:", " content-length:",  " transfer-encoding:"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (lws_hdr_custom_length(wsi, names[i], (int)strlen(names[i])) >= 0)
            return true;
    return false;
}

static const char *version(struct lws *wsi, char *out, size_t size)
{
    const char *v = peer_header(wsi, WSI_TOKEN_HTTP, out, size);
    return v ? v : "";
}

bool peer_head_is_plain(struct lws *wsi)
{
    char text[16];
    const char *v = version(wsi, text, sizeof text);
    int hosts = times(wsi, WSI_TOKEN_HOST);
    if (strcmp(v, "HTTP/1.1") != 0 && strcmp(v, "HTTP/1.0") != 0)
        return false;
    if (hosts > 1 || (hosts == 0 && strcmp(v, "HTTP/1.1") == 0))
        return false;
    return !disguised(wsi);
}

bool peer_list_has(struct lws *wsi, enum lws_token_indexes header, const char *token)
{
    char list[1024];
    size_t want = strlen(token);
    const char *at = peer_header(wsi, header, list, sizeof list);
    while (at && *at) {
        at += strspn(at, " \t,");
        size_t len = strcspn(at, " \t,");
        if (len == want && strncasecmp(at, token, len) == 0)
            return true;
        at += len;
    }
    return false;
}

/*
 * A proxy may send the requests of several clients over one connection. Then no request may hide a
 * body from us, but lws can be deceived: a header whose name begins like a known one (X-A, as in
 * X-Auth-Token) makes lws read the next header as a part of it.
 */
static bool is_shared(struct lws *wsi, const struct address_list *proxies)
{
    char text[ADDRESS_TEXT] = "";
    struct address peer;
    lws_get_peer_simple(wsi, text, sizeof text);
    return times(wsi, WSI_TOKEN_X_FORWARDED_FOR) > 0 || times(wsi, WSI_TOKEN_HTTP_VIA) > 0 ||
           (address_parse(text, strlen(text), &peer) && address_list_has(proxies, &peer));
}

bool peer_keeps(struct lws *wsi, const struct address_list *proxies)
{
    char text[16];
    return strcmp(version(wsi, text, sizeof text), "HTTP/1.1") == 0 &&
           !peer_list_has(wsi, WSI_TOKEN_CONNECTION, "close") && !is_shared(wsi, proxies);
}

bool peer_body(struct lws *wsi, long long *length)
{
    char text[20] = "";
    *length = -1;
    if (times(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0)
        return true; /* lws does not decode it */
    if (times(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) == 0)
        return false;
    /* Two are joined by a comma. */
    int n = lws_hdr_copy(wsi, text, sizeof text, WSI_TOKEN_HTTP_CONTENT_LENGTH);
    uint64_t bytes;
    *length = n > 0 && decimal(text, (size_t)n, INT64_MAX, &bytes) ? (long long)bytes : -2;
    return *length != 0;
}
