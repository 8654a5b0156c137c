/*
 * All layers of the core under a random program of what clients, the network, the backend and time
 * can do. After each step the counts are those of what is there, and no request and no WebSocket
 * is forgotten; at the end, silence ends all, and nothing is left.
 *
 * The first byte of an input says how the stack is (bits of enum way). Then each line is a step: a
 * letter of STEPS, two characters that choose, and a text.
 */
#include <stdio.h>
#include <string.h>

#include "engineio/frame.h"
#include "engineio/query.h"
#include "fuzz.h"
#include "stack_watch.h"

/* A step, its choices and its text. */
struct step {
    unsigned first, second;
    const char *text;
    size_t len;
};

/* "a,c" for the bits 0 and 2. */
static const char *room_names(unsigned bits)
{
    static char names[2 * ROOMS + 1];
    char *p = names;
    for (int i = 0; i < ROOMS; i++)
        if (bits >> i & 1)
            p += sprintf(p, "%s%c", p > names ? "," : "", 'a' + i);
    *p = '\0';
    return names;
}

/* --- the steps --- */

static void polling_handshake(const struct step *s)
{
    watch_request(&(struct request){.authorization = watch_header(s->first)}, false, s->second);
}

static void ws_handshake(const struct step *s)
{
    watch_request(&(struct request){.authorization = watch_header(s->first), .websocket = true},
                  false, s->second);
}

static void get(const struct step *s)
{
    watch_request(&(struct request){.method = METHOD_GET}, true, s->first);
}

static void post(const struct step *s)
{
    watch_request(&(struct request){.method = METHOD_POST, .body = s->text, .body_len = s->len},
                  true, s->first);
}

static void probe(const struct step *s)
{
    watch_request(&(struct request){.websocket = true}, true, s->first);
}

static void odd_request(const struct step *s)
{
    watch_request(&(struct request){.method = s->first % 4,
                                    .octet_stream = s->second & 1,
                                    .body = s->text,
                                    .body_len = s->len},
                  s->second & 2, s->second);
}

/* The n-th of the open ones, counted round. */
static struct handle *open_handle(bool websocket, unsigned n)
{
    struct handle *found[HANDLES];
    unsigned count = 0;
    for (int i = 0; i < HANDLES; i++)
        if (stack.net.handle[i].state == HANDLE_OPEN && stack.net.handle[i].websocket == websocket)
            found[count++] = &stack.net.handle[i];
    return count ? found[n % count] : NULL;
}

static void message(const struct step *s, bool binary)
{
    struct handle *h = open_handle(true, s->first);
    if (h && !h->paused)
        engine_ws_message(h->session, h, binary, s->text, s->len, stack.now);
}

static void text_message(const struct step *s)
{
    message(s, false);
}

static void binary_message(const struct step *s)
{
    message(s, true);
}

static void ws_gone(const struct step *s)
{
    struct handle *h = open_handle(true, s->first);
    if (!h)
        return;
    h->state = HANDLE_DONE;
    engine_ws_gone(h->session, h, stack.now);
}

static void request_gone(const struct step *s)
{
    struct handle *h = open_handle(false, s->first);
    if (!h)
        return;
    h->state = HANDLE_DONE;
    engine_gone(stack.engine, h, query_parse(h->query).sid);
}

static void stall(const struct step *s)
{
    struct handle *h = open_handle(true, s->first);
    if (h)
        h->stalled = true;
}

static void writable(const struct step *s)
{
    struct handle *h = open_handle(true, s->first);
    if (!h)
        return;
    h->backlog = false;
    engine_writable(h->session, h);
}

static void time_passes(const struct step *s)
{
    static const uint64_t ms[] = {1, 49, 50, 100, 199, 200, 300, 500, 999, 1000, 2000, 5000};
    stack_pass(&stack, ms[s->first % 12]);
}

static struct tracked *tracked(unsigned n)
{
    unsigned count = 0;
    for
        each_tracked(g) count++;
    if (count == 0)
        return NULL;
    n %= count;
    for
        each_tracked(g) if (n-- == 0) return g;
    return NULL;
}

static void accept(const struct step *s)
{
    struct tracked *g = tracked(s->first);
    if (!g)
        return;
    g->socket.accepted = true;
    hub_accept(stack.hub, g->socket.sid);
}

static void refuse(const struct step *s)
{
    struct tracked *g = tracked(s->first);
    char sid[SID_LEN + 1];
    if (!g)
        return;
    bool stays = g->socket.accepted;
    strcpy(sid, g->socket.sid);
    hub_refuse(stack.hub, sid, "No \"entry\"", NULL);
    expect((mock_backend_socket(&stack.mock, sid) != NULL) == stays,
           "expected a socket that is refused to be gone");
}

static void admit(const struct step *s)
{
    struct tracked *g = tracked(s->first);
    char snapshot[32];
    if (!g)
        return;
    unsigned rooms = s->second % (1 << ROOMS), xid = s->len ? (unsigned char)s->text[0] : 0;
    int64_t principal = s->second % 5;
    struct registration a = {.sid = g->socket.sid,
                             .principal = principal,
                             .rooms = room_names(rooms),
                             .snapshot = snapshot};
    snprintf(snapshot, sizeof snapshot, "%u:%u:", xid + 1, xid + 1);
    json_t *greeting = s->second & 32 ? json_pack("[{sssi}{ss}]", "payload", "[\"first\"]", "ack",
                                                  (int)(s->len % 3), "payload", "[\"sync\",1]")
                                      : NULL;
    struct greeting *first = hub_greeting(stack.hub, greeting);
    a.greeting = first;
    if (g->socket.accepted) {
        g->nobody = !principal;
        g->waits = false;
        g->principal = principal;
        g->rooms = principal ? rooms : 0;
        if (principal && !g->welcome) {
            g->welcome = true;
            g->since = xid + 1;
            g->settling = false;
        }
    }
    hub_set_rooms(stack.hub, &a, stack.now);
    greeting_free(first);
    json_decref(greeting);
}

static void mute(const struct step *s)
{
    struct tracked *g = tracked(s->first);
    if (g && (s->second & 1 || !g->nobody))
        hub_mute(stack.hub, g->socket.sid, s->second & 1);
}

static void taken(const struct step *s)
{
    struct tracked *g = tracked(s->first);
    if (!g || !g->untaken)
        return;
    size_t n = s->second % 2 ? g->untaken : 1;
    g->untaken -= n;
    hub_taken(stack.hub, g->socket.sid, n);
}

static void dismiss(const struct step *s)
{
    struct tracked *g = tracked(s->first);
    if (g)
        hub_dismiss(g->socket.client->client);
}

static void broken(const struct step *s)
{
    static const unsigned codes[] = {WS_NOT_UTF8, WS_TOO_LARGE, WS_TRY_LATER};
    struct handle *h = open_handle(true, s->first);
    if (h && !h->paused)
        engine_ws_broken(h->session, h, codes[s->second % 3]);
}

/* To one socket: an event, or the answer to what it asked, with attachments. */
static void emit(const struct step *s)
{
    struct tracked *g = tracked(s->first);
    struct frame *frames[3];
    unsigned n = s->second % 4;
    const struct attachments with = {n, frames};
    if (!g)
        return;
    for (unsigned i = 0; i < n; i++)
        frames[i] = frame_new_binary(s->text, s->len);
    if (s->second & 4)
        hub_emit(stack.hub, g->socket.sid, "[\"hello\"]", 9, s->second & 8 ? s->second : -1, &with);
    else if (g->ack[0])
        hub_ack(stack.hub, g->socket.sid, g->ack, "[1]", 3, n ? &with : NULL);
    for (unsigned i = 0; i < n; i++)
        frame_unref(frames[i]);
}

static void event(const struct step *s)
{
    char payload[3000];
    static const size_t sizes[] = {8, 130, 2900, 1000};
    unsigned rooms = s->first % (1 << ROOMS), xid = s->len ? (unsigned char)s->text[0] : 0;
    struct event e = {.id = 1,
                      .xid = xid,
                      .nsp = s->second & 4 ? "/" : "/tasks",
                      .rooms = room_names(rooms),
                      .except = s->second >> 3 & 3,
                      .payload = payload,
                      .payload_len = sizes[s->second % 4],
                      .instruction = s->second & 64,
                      .instruction_id = s->second >> 5 & 3};
    memset(payload, 'x', sizeof payload);
    memcpy(payload, "[\"", 2);
    memcpy(payload + e.payload_len - 2, "\"]", 2);
    for
        each_tracked(g) deliveries += g->rooms & rooms && strcmp(g->socket.nsp, e.nsp) == 0 &&
                                      (!e.except || g->principal != e.except) && xid >= g->since;
    hub_publish(stack.hub, &e, stack.now);
}

static void read_begin(const struct step *s)
{
    (void)s;
    hub_read_begin(stack.hub);
    for
        each_tracked(g) g->settling = true;
}

static void read_end(const struct step *s)
{
    (void)s;
    hub_read_end(stack.hub);
    for
        each_tracked(g) if (g->settling) g->since = 0;
}

static void renew(const struct step *s)
{
    (void)s;
    hub_renew(stack.hub, stack.now);
    for
        each_tracked(g)
        {
            g->rooms = 0;
            g->waits = g->welcome;
        }
}

static void set_keys(const struct step *s)
{
    if (stack.auth)
        auth_set_keys(stack.auth, s->first & 1 ? stack.keys : NULL, stack.now, stack.now);
}

static void close_some(const struct step *s)
{
    engine_close_some(stack.engine, s->first % 4);
}

static void drain(const struct step *s)
{
    (void)s;
    engine_drain(stack.engine);
}

static void flush(const struct step *s)
{
    (void)s;
    engine_flush(stack.engine);
}

static const struct {
    char letter;
    void (*take)(const struct step *s);
} STEPS[] = {
    {'h', polling_handshake},
    {'w', ws_handshake},
    {'g', get},
    {'p', post},
    {'u', probe},
    {'?', odd_request},
    {'m', text_message},
    {'b', binary_message},
    {'x', ws_gone},
    {'r', request_gone},
    {'l', stall},
    {'y', writable},
    {'t', time_passes},
    {'a', accept},
    {'f', refuse},
    {'j', admit},
    {'s', mute},
    {'k', taken},
    {'D', dismiss},
    {'z', emit},
    {'e', event},
    {'i', read_begin},
    {'o', read_end},
    {'n', renew},
    {'q', set_keys},
    {'c', close_some},
    {'d', drain},
    {'F', flush},
    {'L', broken},
};

static void take_step(const uint8_t *line, size_t len)
{
    struct step s = {.first = len > 1 ? line[1] : 0, .second = len > 2 ? line[2] : 0, .text = ""};
    if (len > 3) {
        s.text = (const char *)line + 3;
        s.len = len - 3;
    }
    for (size_t i = 0; len > 0 && i < sizeof STEPS / sizeof *STEPS; i++)
        if (STEPS[i].letter == line[0])
            STEPS[i].take(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    const uint8_t *line;
    size_t len;
    watch_begin(take_byte(&in));
    while (take_line(&in, &line, &len)) {
        take_step(line, len);
        watch_step();
    }
    watch_end();
    return 0;
}
