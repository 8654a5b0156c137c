/* stack_watch: see stack_watch.h. */
#include "stack_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/log.h"
#include "engineio/engine_state.h"
#include "fuzz.h"
#include "socketio/hub_state.h"

enum { SILENCE_MS = 20000 };

struct mock_stack stack;
size_t deliveries;
static unsigned way;

const char *watch_header(unsigned n)
{
    static char *texts[4];
    if (!texts[1]) {
        texts[1] = strdup(stack_bearer(&stack, 7, 1000000000, ""));
        texts[2] = strdup(stack_bearer(&stack, 7, -100000000, ""));
        texts[3] = strdup(texts[1]);
        char *digit = texts[3] + strlen(texts[3]) - 10; /* in the signature */
        *digit = *digit == 'A' ? 'B' : 'A';
    }
    return texts[n % 4];
}

/* --- the backend --- */

static void connect_tracked(void *ctx, void *bearer, const struct socket_info *s,
                            const json_t *auth, uint64_t now)
{
    struct mock_socket *k = mock_backend_socket(ctx, s->sid);
    if (k) /* hub_renew() */
        ((struct tracked *)k)->rooms = 0;
    mock_backend_connect(ctx, bearer, s, auth, now);
}

static void receive(void *ctx, void *bearer, const struct incoming *e)
{
    mock_backend_receive(ctx, bearer, e);
    struct tracked *g = (struct tracked *)mock_backend_socket(ctx, e->sid);
    expect(g->welcome && e->principal == g->principal && e->principal != 0,
           "expected an event of a socket that was admitted");
    g->untaken += e->bytes;
    snprintf(g->ack, sizeof g->ack, "%s", e->ack);
}

void watch_begin(unsigned how)
{
    static const char *const options[] = {"--namespaces=/ /tasks",
                                          "--max-connections=8",
                                          "--max-connections-per-address=5",
                                          "--max-polling=3",
                                          "--handshake-rate=0",
                                          "--event-rate=50",
                                          "--byte-rate=2000",
                                          "--max-payload=5000",
                                          "--trusted-proxies=10.0.0.0/8",
                                          "--cookie=io",
                                          "--max-attachments=3",
                                          "--max-depth=8",
                                          "--ping-interval=300ms",
                                          "--ping-timeout=200ms",
                                          "--connect-timeout=1s",
                                          "--upgrade-timeout=1s",
                                          "--refused-grace=500ms",
                                          "--queue-bytes=10000",
                                          "--inbox-bytes=1000",
                                          NULL};
    if (!stack.keys) {
        stack_setup(&stack, options);
        log_setup(LOG_ERROR, false);
    }
    way = how;
    deliveries = 0;
    stack.now = STACK_START;
    stack.without_auth = !(way & WAY_AUTH);
    stack_start(&stack);
    stack.mock.silent = !(way & (WAY_AUTH | WAY_ACCEPTS));
    stack.mock.socket_size = sizeof(struct tracked);
    stack.mock.backend.acks = way & WAY_ACKS;
    stack.mock.backend.connect = connect_tracked;
    stack.mock.backend.receive = receive;
}

/* --- looking --- */

static unsigned holders(const struct handle *h)
{
    unsigned n = 0;
    for (const struct session *s = stack.engine->sessions; s; s = s->hh.next)
        n += (s->poll == h) + (s->post == h) + (s->ws == h) + (s->probe == h);
    return n;
}

/* No request and no WebSocket is forgotten, or kept once it is done. */
static void check_handles(void)
{
    for (int i = 0; i < HANDLES; i++) {
        const struct handle *h = &stack.net.handle[i];
        bool open = h->state == HANDLE_OPEN;
        expect(holders(h) == open, "expected %s to hold %s %d", open ? "one session" : "nobody",
               h->websocket ? "WebSocket" : "request", i);
    }
}

static void check_client(const struct client *c)
{
    const struct config *config = &stack.config;
    const struct session *s = c->session;
    const struct handle *ws = s->ws;
    size_t inbox = 0;
    for (const struct socket *k = c->sockets; k; k = k->next)
        inbox += k->inbox;
    expect(inbox == c->inbox, "expected %zu bytes in the inbox, found %zu", inbox, c->inbox);
    expect(inbox <= config->inbox_bytes || s->paused & PAUSE_INBOX, "expected it to be paused");
    expect(s->paused || !s->post, "expected a POST to be answered once it may send again");
    expect(!ws || ws->paused == (s->paused != 0), "expected the WebSocket paused as its session");
    expect(s->queue.bytes + s->waiting <= config->queue_bytes || s->ending,
           "expected a queue of %zu bytes, found %zu", config->queue_bytes,
           s->queue.bytes + s->waiting);
}

static void check_count(enum metric_id id, const char *what, size_t n)
{
    expect((size_t)stack.metrics.value[id] == n, "expected %zu %s, found %g", n, what,
           stack.metrics.value[id]);
}

static void check_sessions(void)
{
    size_t n = 0, websockets = 0, bytes = 0, full = 0;
    for (const struct session *s = stack.engine->sessions; s; s = s->hh.next) {
        n++;
        websockets += s->websocket;
        bytes += s->queue.bytes + s->waiting;
        full += s->queue.half_full.listed;
        check_client(s->user);
    }
    check_count(METRIC_SESSIONS, "sessions", n);
    check_count(METRIC_WEBSOCKETS, "WebSockets", websockets);
    expect(stack.mock.clients == n, "expected %zu clients, found %u", n, stack.mock.clients);
    if (way & WAY_TURNS)
        return; /* what has ended in this turn is freed at its end */
    check_count(METRIC_QUEUED_BYTES, "bytes queued", bytes);
    size_t listed = 0;
    const struct half_full *h;
    DL_COUNT(stack.engine->half_full, h, listed);
    expect(listed == full, "expected %zu queues that are half full, found %zu", full, listed);
}

static void check_sockets(void)
{
    size_t n = 0, joined = 0;
    for (const struct socket *k = stack.hub->sockets; k; k = k->hh.next) {
        n++;
        joined += k->joined;
    }
    check_count(METRIC_SOCKETS, "sockets", n);
    check_count(METRIC_JOINED, "sockets joined", joined);
}

/* The same, by the book that the backend keeps. */
static void check_book(void)
{
    unsigned rooms[2] = {0, 0};
    size_t n = 0, sockets = 0, joined = 0, waits = 0;
    for
        each_tracked(g)
        {
            rooms[strcmp(g->socket.nsp, "/tasks") == 0] |= g->rooms;
            joined += g->welcome;
            waits += g->waits;
            sockets++;
        }
    for (int i = 0; i < 2 * ROOMS; i++)
        n += rooms[i / ROOMS] >> i % ROOMS & 1;
    check_count(METRIC_ROOMS, "rooms", n);
    check_count(METRIC_JOINED, "sockets joined", joined);
    check_count(METRIC_DELIVERIES, "deliveries", deliveries);
    expect(hub_waiting(stack.hub) == waits, "expected %zu waiting, found %zu", waits,
           hub_waiting(stack.hub));
    if (!stack.auth) /* which keeps those without a good token to itself */
        check_count(METRIC_SOCKETS, "sockets", sockets);
}

void watch_step(void)
{
    if (!(way & WAY_TURNS))
        engine_flush(stack.engine);
    check_handles();
    check_sessions();
    check_sockets();
    check_book();
}

/* --- requests --- */

/* Is there room for another session, by counting? */
static bool has_room(const char *address, bool websocket)
{
    int n = 0, polling = 0, same = 0;
    for (const struct session *s = stack.engine->sessions; s; s = s->hh.next) {
        n++;
        polling += !s->websocket;
        same += strcmp(s->address, address) == 0;
    }
    return !stack.engine->draining && n < stack.config.max_connections &&
           (websocket || polling < stack.config.max_polling) &&
           same < stack.config.max_connections_per_address;
}

/* A session begins just if there is room for it. */
static void check_room(const struct handle *h, const char *from, bool room, bool begun)
{
    expect(begun == room, "expected a %s handshake from %s to be %s",
           h->websocket ? "WebSocket" : "polling", from, room ? "taken" : "refused");
}

void watch_request(const struct request *from, bool known, unsigned which)
{
    static const char *const clients[] = {"192.0.2.1", "192.0.2.2", "2001:db8::1"};
    char query[64];
    int n = 0;
    while (n < HANDLES && stack.net.handle[n].state == HANDLE_OPEN)
        n++;
    if (n == HANDLES)
        return;
    struct request rq = *from;
    snprintf(query, sizeof query, "EIO=4&transport=%s%s%s", rq.websocket ? "websocket" : "polling",
             known ? "&sid=" : "", known ? stack.net.sids[which % SIDS] : "");
    rq.query = query;
    const char *client = clients[which % 3];
    address_parse(client, strlen(client), &rq.from);
    bool room = has_room(client, rq.websocket);
    struct handle *h = mock_net_open(&stack.net, n, &rq);
    if (rq.websocket)
        stack_upgrade(&stack, h, &rq);
    else
        engine_request(stack.engine, &rq, h, stack.now);
    if (!known && rq.method == METHOD_GET)
        check_room(h, client, room, rq.websocket ? h->session != NULL : h->status == 200);
}

/* --- the end --- */

static void take_all(void)
{
    for
        each_tracked(g)
        {
            if (g->untaken)
                hub_taken(stack.hub, g->socket.sid, g->untaken);
            g->untaken = 0;
            hub_mute(stack.hub, g->socket.sid, true);
        }
}

/* Nobody says anything any more, and nothing keeps a client from being read: each is found silent.
 */
static void fall_silent(void)
{
    if (stack.auth)
        auth_set_keys(stack.auth, stack.keys, stack.now, stack.now);
    take_all();
    engine_flush(stack.engine);
    stack_pass(&stack, SILENCE_MS);
    expect(engine_sessions(stack.engine) == 0, "expected no session after the silence, found %zu",
           engine_sessions(stack.engine));
}

void watch_end(void)
{
    if (way & WAY_CLOSE)
        engine_close_some(stack.engine, SIZE_MAX);
    else
        fall_silent();
    engine_flush(stack.engine);
    way &= ~(unsigned)WAY_TURNS;
    watch_step();
    stack_stop(&stack);
}
