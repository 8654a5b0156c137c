/* house: see house.h. */
#include "house.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engineio/engine_state.h"
#include "fuzz.h"
#include "socketio/hub_state.h"

enum { UNIX_START = 1700000000, SILENCE_MS = 20000 };

static const char SECRET[] = "a secret of the fuzz targets";
struct house house;

const char *house_header(unsigned n)
{
    static const char header[] = "{\"alg\":\"HS256\"}";
    static const char *const claims[] = {"{\"sub\":7,\"exp\":4102444800}",
                                         "{\"sub\":7,\"exp\":1000000000}"};
    static char *texts[4];
    for (int i = 1; i < 4 && !texts[3]; i++) {
        size_t len;
        char *token = sign_token(i < 3 ? SECRET : "another secret, not known", header, 15,
                                 claims[i == 2], strlen(claims[i == 2]), &len);
        texts[i] = malloc(len + 8);
        strcpy(texts[i], "Bearer ");
        memcpy(texts[i] + 7, token, len);
        texts[i][len + 7] = '\0';
        free(token);
    }
    return texts[n % 4];
}

/* --- building --- */

static void set_up(void)
{
    static const char *const argv[] = {"fuzz",
                                       "--config=/dev/null",
                                       "--jwks-file=unused",
                                       "--namespaces=/ /tasks",
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
    char err[512];
    int argc = sizeof argv / sizeof *argv - 1;
    expect(!config_load(&house.config, argc, (char **)argv, NULL, err, sizeof err), "%s", err);
    house.keys = keyset_from_secret(SECRET, strlen(SECRET), err, sizeof err);
    log_setup(LOG_ERROR, false);
}

void house_build(unsigned way)
{
    bool authenticated = way & WAY_GUARD;
    if (!house.keys)
        set_up();
    house.way = way;
    house.now = 1000;
    house.deliveries = 0;
    memset(&house.metrics, 0, sizeof house.metrics);
    paper_begin(authenticated || way & WAY_ACCEPTS, way & WAY_ACKS);
    house.wheel = wheel_new(house.now);
    house.engine = engine_new(&house.config, &house.metrics, house.wheel);
    paper.engine = house.engine;
    engine_set_net(house.engine, &paper_net);
    paper.hub = house.hub = hub_new(&house.config, &house.metrics, house.wheel, house.engine);
    house.auth =
        authenticated ? auth_new(&house.config, &house.metrics, house.wheel, house.hub) : NULL;
    if (!authenticated) {
        hub_set_backend(house.hub, &paper.backend);
        return;
    }
    hub_set_backend(house.hub, auth_backend(house.auth));
    auth_set_backend(house.auth, &paper.backend);
    auth_set_clock(house.auth, (int64_t)UNIX_START * 1000, house.now);
    auth_set_keys(house.auth, house.keys, house.now, house.now);
}

/* --- looking --- */

static unsigned holders(const struct handle *h)
{
    unsigned n = 0;
    for (const struct session *s = house.engine->sessions; s; s = s->hh.next)
        n += (s->poll == h) + (s->post == h) + (s->ws == h) + (s->probe == h);
    return n;
}

/* No request and no WebSocket is forgotten, or kept once it is done. */
static void check_handles(void)
{
    for (int i = 0; i < HANDLES; i++) {
        const struct handle *h = &paper.handles[i];
        bool open = h->state == HANDLE_OPEN;
        expect(holders(h) == open, "expected %s to hold %s %d", open ? "one session" : "nobody",
               h->websocket ? "WebSocket" : "request", i);
    }
}

static void check_client(const struct client *c)
{
    const struct config *config = &house.config;
    const struct session *s = c->session;
    const struct handle *ws = s->ws;
    size_t inbox = 0;
    for (const struct socket *k = c->sockets; k; k = k->next)
        inbox += k->inbox;
    expect(inbox == c->inbox, "expected %zu bytes in the inbox, found %zu", inbox, c->inbox);
    expect(inbox <= config->inbox_bytes || s->paused & PAUSE_INBOX, "expected it to be paused");
    expect(s->paused || !s->post, "expected a POST to be answered once it may send again");
    expect(!ws || ws->paused == (s->paused != 0), "expected the WebSocket paused as its session");
    expect(s->queue.bytes <= config->queue_bytes, "expected a queue of %zu bytes, found %zu",
           config->queue_bytes, s->queue.bytes);
}

static void check_count(enum metric_id id, const char *what, size_t n)
{
    expect((size_t)house.metrics.value[id] == n, "expected %zu %s, found %g", n, what,
           house.metrics.value[id]);
}

static void check_sessions(void)
{
    size_t n = 0, websockets = 0, bytes = 0, full = 0;
    for (const struct session *s = house.engine->sessions; s; s = s->hh.next) {
        n++;
        websockets += s->websocket;
        bytes += s->queue.bytes;
        full += s->queue.full;
        check_client(s->user);
    }
    check_count(METRIC_SESSIONS, "sessions", n);
    check_count(METRIC_WEBSOCKETS, "WebSockets", websockets);
    expect(paper.visits == n, "expected %zu visits, found %u", n, paper.visits);
    if (house.way & WAY_TURNS)
        return; /* what has ended in this turn is freed at its end */
    check_count(METRIC_QUEUED_BYTES, "bytes queued", bytes);
    expect(house.engine->full == full, "expected %zu full queues, found %zu", full,
           house.engine->full);
}

static void check_sockets(void)
{
    size_t n = 0, joined = 0;
    for (const struct socket *k = house.hub->sockets; k; k = k->hh.next) {
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
    for (int i = 0; i < SOCKETS; i++) {
        const struct guest *g = &paper.guests[i];
        if (!g->here)
            continue;
        rooms[strcmp(g->nsp, "/tasks") == 0] |= g->rooms;
        joined += g->welcome;
        waits += g->waits;
        sockets++;
    }
    for (int i = 0; i < 2 * ROOMS; i++)
        n += rooms[i / ROOMS] >> i % ROOMS & 1;
    check_count(METRIC_ROOMS, "rooms", n);
    check_count(METRIC_JOINED, "sockets joined", joined);
    check_count(METRIC_DELIVERIES, "deliveries", house.deliveries);
    expect(hub_waiting(house.hub) == waits, "expected %zu waiting, found %zu", waits,
           hub_waiting(house.hub));
    if (!house.auth) /* which keeps those without a good token to itself */
        check_count(METRIC_SOCKETS, "sockets", sockets);
}

void house_stepped(void)
{
    if (!(house.way & WAY_TURNS))
        engine_flush(house.engine);
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
    for (const struct session *s = house.engine->sessions; s; s = s->hh.next) {
        n++;
        polling += !s->websocket;
        same += strcmp(s->address, address) == 0;
    }
    return !house.engine->draining && n < house.config.max_connections &&
           (websocket || polling < house.config.max_polling) &&
           same < house.config.max_connections_per_address;
}

/* A session begins just if there is room for it. */
static void check_room(const struct handle *h, const struct request *rq, bool room, bool begun)
{
    expect(begun == room, "expected a %s handshake from %s to be %s",
           h->websocket ? "WebSocket" : "polling", rq->forwarded_for, room ? "taken" : "refused");
}

static void send_ws_request(const struct request *rq, struct handle *h)
{
    if (engine_refuses_ws(house.engine, rq, house.now)) {
        h->state = HANDLE_DONE;
        return;
    }
    h->session = engine_ws(house.engine, rq, h, house.now);
    if (!h->session && h->state == HANDLE_OPEN)
        h->state = HANDLE_DONE; /* the network closes what the engine will not have */
}

void house_request(const struct request *from, bool known, unsigned which)
{
    static const char *const clients[] = {"192.0.2.1", "192.0.2.2", "2001:db8::1"};
    struct request rq = *from;
    struct handle *h = paper_handle(rq.websocket);
    if (!h)
        return;
    snprintf(h->query, sizeof h->query, "EIO=4&transport=%s%s%s",
             rq.websocket ? "websocket" : "polling", known ? "&sid=" : "",
             known ? paper.sids[which % 8] : "");
    rq.query = h->query;
    rq.peer = "10.0.0.1";
    rq.forwarded_for = clients[which % 3];
    bool room = has_room(rq.forwarded_for, rq.websocket);
    if (rq.websocket)
        send_ws_request(&rq, h);
    else
        engine_request(house.engine, &rq, h, house.now);
    if (!known && rq.method == METHOD_GET)
        check_room(h, &rq, room, rq.websocket ? h->session != NULL : h->status == 200);
}

/* --- time, and the end --- */

void house_pass(uint64_t ms)
{
    uint64_t end = house.now + ms;
    int64_t wait;
    while ((wait = wheel_next(house.wheel, house.now)) >= 0 && house.now + (uint64_t)wait < end) {
        house.now += (uint64_t)wait;
        wheel_advance(house.wheel, house.now);
        engine_flush(house.engine);
    }
    house.now = end;
    wheel_advance(house.wheel, house.now);
    engine_flush(house.engine);
}

static void take_all(void)
{
    for (int i = 0; i < SOCKETS; i++) {
        struct guest *g = &paper.guests[i];
        if (g->here && g->untaken)
            hub_taken(house.hub, g->sid, g->untaken);
        g->untaken = 0;
        if (g->here)
            hub_mute(house.hub, g->sid, true);
    }
}

/* Nobody says anything any more, and nothing keeps a client from being read: each is found silent.
 */
static void fall_silent(void)
{
    if (house.auth)
        auth_set_keys(house.auth, house.keys, house.now, house.now);
    take_all();
    engine_flush(house.engine);
    house_pass(SILENCE_MS);
    expect(engine_sessions(house.engine) == 0, "expected no session after the silence, found %zu",
           engine_sessions(house.engine));
}

void house_end(void)
{
    if (house.way & WAY_CLOSE)
        engine_close_some(house.engine, SIZE_MAX);
    else
        fall_silent();
    engine_flush(house.engine);
    house.way &= ~(unsigned)WAY_TURNS;
    house_stepped();
    expect(engine_sessions(house.engine) == 0 && paper.visits == 0, "expected nobody to be here");
    check_count(METRIC_ROOMS, "rooms", 0);
    check_count(METRIC_QUEUED_BYTES, "bytes queued", 0);
    engine_free(house.engine);
    if (house.auth)
        auth_free(house.auth);
    hub_free(house.hub);
    expect(wheel_next(house.wheel, house.now) == -1, "expected no timer to run");
    wheel_free(house.wheel);
}
