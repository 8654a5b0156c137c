/* connection: see connection.h. */
#include "net/connection.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <utlist.h>

#include "base/alloc.h"
#include "base/log.h"

/* How long an answer may take; how long one that leaves is read without a byte from the client. */
enum { ANSWER_MS = 30000, LEAVE_MS = 2000 };
/* How long a proxy's idle connection stays: longer than nginx keeps it (60 s), so that the proxy
 * closes it. If we did, a POST might be under way, which a proxy must not repeat. */
enum { PROXY_IDLE_MS = 75000 };
/* Refused connections that may leave slowly, and how often that is logged. */
enum { LEAVING_MAX = 32, LOG_MS = 60000 };
/* Requests of a connection that are read in one turn; others are to have theirs. */
enum { REQUESTS_MAX = 16 };

static const struct refusal FULL_ADDRESS = {
    503, "{\"code\":4,\"message\":\"Too many connections from this address\"}",
    METRIC_REFUSED_ADDRESS};

/* What is left of an answer that the system does not take at once. */
struct rest {
    uv_write_t write;
    char data[];
};

/* --- the end --- */

static void on_closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;
    scope_count(c->scope, -1);
    free(c->kept); /* not before: what is being read may lie there */
    free(c);
}

static void forget_ready(struct connection *c)
{
    if (c->ready)
        DL_DELETE2(c->scope->ready, c, prev_ready, next_ready);
    c->ready = false;
}

void connection_end(struct connection *c)
{
    if (c->stage == STAGE_CLOSED)
        return;
    c->scope->user->gone(c);
    c->stage = STAGE_CLOSED;
    timer_stop(&c->timer);
    connection_limit_leave(c->scope->limit, &c->counted);
    forget_ready(c);
    c->scope->leaving -= c->refused;
    DL_DELETE(c->scope->connections, c);
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

static void on_late(struct timer *timer, uint64_t now)
{
    struct connection *c = container_of(timer, struct connection, timer);
    (void)now;
    c->scope->user->late(c);
    connection_end(c);
}

void connection_wait(struct connection *c, enum stage stage, uint64_t ms)
{
    c->stage = stage;
    timer_start(c->scope->wheel, &c->timer, uv_now(c->scope->loop) + ms, on_late);
}

/* --- reading --- */

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct connection *c = handle->data;
    /* One byte more than a head may have shows that there is more. */
    size_t room = REQUEST_HEAD_MAX + 1 - c->kept_len;
    (void)suggested;
    if (c->stage == STAGE_BODY)
        room = c->body_left + REQUEST_HEAD_MAX + 1;
    if (c->stage == STAGE_LEAVING || room > READ_ROOM)
        room = READ_ROOM;
    *buf = uv_buf_init(c->scope->room, (unsigned)room);
}

static void read_on(struct connection *c)
{
    if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0)
        connection_end(c);
}

/* data may lie in kept. */
static void keep(struct connection *c, const char *data, size_t len)
{
    char *kept = c->kept;
    if (!data || len == 0) {
        free(kept);
        c->kept = NULL;
    } else if (kept && data >= kept && data < kept + c->kept_len) {
        memmove(kept, data, len);
    } else {
        c->kept = must(malloc(len));
        memcpy(c->kept, data, len);
        free(kept);
    }
    c->kept_len = len;
}

static bool takes(const struct connection *c)
{
    return c->stage == STAGE_HEAD || c->stage == STAGE_BODY;
}

/* Nothing of its next request is there. */
static void become_idle(struct connection *c)
{
    if (c->trusted)
        connection_wait(c, STAGE_HEAD, PROXY_IDLE_MS);
    c->idle = true;
    connection_limit_idle(&c->counted, c->served);
}

static void on_again(uv_idle_t *again);

/* Its next request has arrived already. It is read in a turn of its own, since the core is at work,
 * or since others wait. */
static void make_ready(struct connection *c)
{
    if (!c->ready)
        DL_APPEND2(c->scope->ready, c, prev_ready, next_ready);
    c->ready = true;
    uv_idle_start(&c->scope->again, on_again);
}

/* Stops reading if too much is kept, or goes on. */
static void read_or_stop(struct connection *c)
{
    bool full = (!takes(c) || c->ready) && c->kept_len >= REQUEST_HEAD_MAX;
    if (full && !c->full)
        uv_read_stop((uv_stream_t *)&c->tcp);
    else if (!full && c->full && !c->ended)
        read_on(c);
    c->full = full;
}

/* Takes what can be taken in this turn, and keeps the rest. */
static void take(struct connection *c, char *data, size_t len)
{
    size_t used = 1;
    c->working = true;
    for (int n = 0; n < REQUESTS_MAX && len > 0 && used > 0 && takes(c); n++) {
        used = c->scope->user->take(c, data, len);
        data += used;
        len -= used;
    }
    c->working = false;
    if (c->stage == STAGE_CLOSED)
        return;
    keep(c, data, c->stage == STAGE_LEAVING ? 0 : len);
    if (c->stage == STAGE_HEAD && c->kept_len == 0)
        become_idle(c);
    else if (takes(c) && used > 0)
        make_ready(c);
    read_or_stop(c);
    if (c->ended && !c->scope->user->ended(c))
        connection_end(c);
}

static void more(struct connection *c, char *data, size_t len)
{
    if (!c->kept) {
        take(c, data, len);
        return;
    }
    c->kept = alloc_resize(c->kept, c->kept_len + len);
    memcpy(c->kept + c->kept_len, data, len);
    c->kept_len += len;
    if (c->ready)
        read_or_stop(c);
    else
        take(c, c->kept, c->kept_len);
}

/* What it still sends is dropped. */
static void read_leaving(struct connection *c)
{
    if (uv_now(c->scope->loop) - c->since > c->scope->config->request_timeout)
        connection_end(c);
    else
        connection_wait(c, STAGE_LEAVING, LEAVE_MS);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct connection *c = stream->data;
    if (n == UV_EOF && c->scope->user->ended(c)) {
        c->ended = true;
        uv_read_stop(stream);
    } else if (n < 0) {
        connection_end(c);
    } else if (n > 0 && c->stage == STAGE_LEAVING) {
        read_leaving(c);
    } else if (n > 0) {
        more(c, buf->base, (size_t)n);
    }
}

static void on_again(uv_idle_t *again)
{
    struct server_scope *scope = again->data;
    struct connection *c;
    int n;
    DL_COUNT2(scope->ready, c, n, next_ready);
    while (n-- > 0 && (c = scope->ready)) {
        forget_ready(c);
        take(c, c->kept, c->kept_len);
    }
    if (!scope->ready)
        uv_idle_stop(again);
}

void connection_start(struct server_scope *scope)
{
    uv_idle_init(scope->loop, &scope->again);
    scope->again.data = scope;
}

/* --- writing --- */

static void leave(struct connection *c)
{
    uv_os_fd_t fd;
    /* One that counts nowhere must not stay. */
    bool counts = c->trusted || c->counted.of || c->refused;
    if (!c->working)
        keep(c, NULL, 0);
    if (c->ended || !counts || uv_fileno((uv_handle_t *)&c->tcp, &fd) != 0 ||
        shutdown(fd, SHUT_WR) != 0) {
        connection_end(c);
        return;
    }
    c->since = uv_now(c->scope->loop);
    connection_wait(c, STAGE_LEAVING, LEAVE_MS);
    if (c->full)
        read_on(c);
    c->full = false;
}

static void answered(struct connection *c)
{
    if (c->last) {
        leave(c);
        return;
    }
    connection_wait(c, STAGE_HEAD, c->scope->config->request_timeout);
    if (c->working)
        return;
    if (c->kept)
        make_ready(c);
    else if (c->ended)
        connection_end(c);
    else
        become_idle(c);
}

static void on_written(uv_write_t *write, int status)
{
    struct connection *c = write->handle->data;
    free(container_of(write, struct rest, write));
    if (c->stage != STAGE_ANSWER)
        return;
    if (status == 0)
        answered(c);
    else
        connection_end(c);
}

/* Copies what is left after the first done bytes, and writes it. */
static void write_rest(struct connection *c, const uv_buf_t parts[2], size_t done)
{
    size_t first = parts[0].len > done ? parts[0].len - done : 0;
    size_t skip = done > parts[0].len ? done - parts[0].len : 0;
    size_t len = first + parts[1].len - skip;
    struct rest *rest = must(malloc(sizeof *rest + len));
    memcpy(rest->data, parts[0].base + parts[0].len - first, first);
    if (parts[1].len > skip)
        memcpy(rest->data + first, parts[1].base + skip, parts[1].len - skip);
    uv_buf_t buf = uv_buf_init(rest->data, (unsigned)len);
    connection_wait(c, STAGE_ANSWER, ANSWER_MS + len * 1000 / BYTES_PER_SECOND);
    if (uv_write(&rest->write, (uv_stream_t *)&c->tcp, &buf, 1, on_written) != 0) {
        free(rest);
        connection_end(c);
    }
}

void connection_write(struct connection *c, const char *head, size_t head_len, const void *body,
                      size_t len)
{
    uv_buf_t parts[] = {uv_buf_init((char *)head, (unsigned)head_len),
                        uv_buf_init((char *)body, (unsigned)len)};
    int n = uv_try_write((uv_stream_t *)&c->tcp, parts, len > 0 ? 2 : 1);
    c->stage = STAGE_ANSWER;
    if (n < 0 && n != UV_EAGAIN)
        connection_end(c);
    else if (n >= 0 && (size_t)n == head_len + len)
        answered(c);
    else
        write_rest(c, parts, n > 0 ? (size_t)n : 0);
}

/* --- the beginning --- */

static struct address peer_of(const uv_tcp_t *tcp)
{
    struct sockaddr_storage from = {0};
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&from;
    struct address peer = {.v4 = true};
    int len = sizeof from;
    uv_tcp_getpeername(tcp, (struct sockaddr *)&from, &len);
    if (from.ss_family != AF_INET6)
        memcpy(peer.bytes, &((const struct sockaddr_in *)&from)->sin_addr, 4);
    else if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
        memcpy(peer.bytes, v6->sin6_addr.s6_addr + 12, 4);
    else {
        peer.v4 = false;
        memcpy(peer.bytes, &v6->sin6_addr, 16);
    }
    return peer;
}

static void warn(const struct server_scope *scope)
{
    static uint64_t last;
    uint64_t now = uv_now(scope->loop);
    if (last && now - last < LOG_MS)
        return;
    last = now;
    log_warning("connections are refused: %zu are open, as many as the limit of open files allows: "
                "raise LimitNOFILE, or max_connections if that is less",
                scope->most_open);
}

/* NULL if the connection may stay. */
static const struct refusal *judge(struct connection *c)
{
    struct server_scope *scope = c->scope;
    struct counted *over = NULL;
    if (scope->open > scope->most_open) {
        warn(scope);
        return &scope_full;
    }
    if (c->trusted)
        return NULL;
    if (!connection_limit_enter(scope->limit, &c->counted, &c->peer, &over))
        return &FULL_ADDRESS;
    if (over)
        connection_end(container_of(over, struct connection, counted));
    return NULL;
}

static void refuse(struct connection *c, const struct refusal *no)
{
    struct server_scope *scope = c->scope;
    bool many = scope->leaving >= LEAVING_MAX;
    c->refused = true;
    scope->leaving++;
    scope->user->refuse(c, no);
    if (many)
        connection_end(c);
}

void connection_accept(struct server_scope *scope, uv_stream_t *listener)
{
    struct connection *c = alloc(sizeof *c);
    c->scope = scope;
    uv_tcp_init(scope->loop, &c->tcp);
    c->tcp.data = c;
    scope_count(scope, 1);
    DL_APPEND(scope->connections, c);
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0 || scope->draining) {
        connection_end(c);
        return;
    }
    c->peer = peer_of(&c->tcp);
    c->trusted = address_list_has(&scope->proxies, &c->peer);
    connection_wait(c, STAGE_HEAD, scope->config->request_timeout);
    const struct refusal *no = judge(c);
    if (no)
        refuse(c, no);
    if (c->stage != STAGE_CLOSED)
        read_on(c);
}
