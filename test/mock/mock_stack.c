/* mock_stack: see mock_stack.h. */
#include "mock_stack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "mock_token.h"

static const char SECRET[] = "a secret of the tests, long enough";

/* --- building --- */

void stack_setup(struct mock_stack *m, const char *const *options)
{
    char err[256];
    const char *argv[32] = {"test", "--jwks-file=/dev/null", "--config=/dev/null"};
    char *env[] = {NULL};
    int argc = 3;
    while (options && *options)
        argv[argc++] = *options++;
    memset(m, 0, sizeof *m);
    m->now = STACK_START;
    m->peer = "192.0.2.1";
    expect(config_load(&m->config, argc, (char **)argv, env, err, sizeof err) == 0, "%s", err);
    m->keys = stack_keys();
}

void stack_start(struct mock_stack *m)
{
    memset(&m->metrics, 0, sizeof m->metrics);
    m->wheel = wheel_new(m->now);
    m->engine = engine_new(&m->config, &m->metrics, m->wheel);
    mock_net_begin(&m->net, m->engine);
    engine_set_net(m->engine, &mock_net_functions);
    m->hub = hub_new(&m->config, &m->metrics, m->wheel, m->engine);
    hub_set_offsets(m->hub, &m->offsets);
    mock_backend_begin(&m->mock);
    m->mock.hub = m->hub;
    m->auth = NULL;
    if (m->without_auth) {
        hub_set_backend(m->hub, &m->mock.backend);
        return;
    }
    m->auth = auth_new(&m->config, &m->metrics, m->wheel, m->hub);
    hub_set_backend(m->hub, auth_backend(m->auth));
    auth_set_backend(m->auth, &m->mock.backend);
    auth_set_clock(m->auth, (int64_t)STACK_UNIX * 1000, m->now);
    auth_set_keys(m->auth, m->keys, 0, m->now);
}

void stack_stop(struct mock_stack *m)
{
    static const enum metric_id counts[] = {
        METRIC_SESSIONS,   METRIC_SOCKETS,      METRIC_JOINED,    METRIC_ROOMS,
        METRIC_WEBSOCKETS, METRIC_QUEUED_BYTES, METRIC_RECEIVING, METRIC_INSTRUCTION_BYTES};
    engine_close_some(m->engine, SIZE_MAX);
    engine_flush(m->engine);
    expect(engine_sessions(m->engine) == 0 && m->mock.clients == 0, "expected nobody to be here");
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        expect(m->metrics.value[counts[i]] == 0, "expected metric %d to be 0 at the end, found %g",
               (int)counts[i], m->metrics.value[counts[i]]);
    frame_unref(m->mock.kept);
    engine_free(m->engine);
    if (m->auth)
        auth_free(m->auth);
    hub_free(m->hub);
    expect(wheel_next(m->wheel, m->now) == -1, "expected no timer to run");
    wheel_free(m->wheel);
    offset_close(&m->offsets);
}

void stack_end(struct mock_stack *m)
{
    stack_stop(m);
    config_free(&m->config);
    keyset_free(m->keys);
}

/* --- requests --- */

void stack_request(struct mock_stack *m, int n, const struct request *rq)
{
    engine_request(m->engine, rq, mock_net_open(&m->net, n, rq), m->now);
    engine_flush(m->engine);
}

/* As the network finds it. */
static struct address from(const struct mock_stack *m)
{
    struct address_list trusted;
    struct address peer = {0};
    if (!m->peer || !address_parse(m->peer, strlen(m->peer), &peer))
        return peer;
    address_list_parse(m->config.trusted_proxies, &trusted);
    struct address client = address_behind(&trusted, &peer, m->forwarded_for);
    address_list_free(&trusted);
    return client;
}

static struct request get(struct mock_stack *m, const char *query, const char *authorization)
{
    return (struct request){.method = METHOD_GET,
                            .query = query,
                            .authorization = authorization,
                            .user_agent = m->user_agent,
                            .from = from(m)};
}

void stack_get_as(struct mock_stack *m, int n, const char *query, const char *authorization)
{
    struct request rq = get(m, query, authorization);
    stack_request(m, n, &rq);
}

void stack_get(struct mock_stack *m, int n, const char *query)
{
    stack_get_as(m, n, query, NULL);
}

void stack_post(struct mock_stack *m, int n, const char *query, const char *body)
{
    struct request rq = {
        .method = METHOD_POST, .query = query, .body = body, .body_len = strlen(body)};
    stack_request(m, n, &rq);
}

bool stack_upgrade(struct mock_stack *m, struct handle *h, const struct request *rq)
{
    const struct refusal *no = engine_refuses_ws(m->engine, rq, m->now);
    if (no) {
        engine_refused(m->engine, no->metric);
        h->state = HANDLE_DONE;
        h->status = no->status;
        snprintf(h->text, sizeof h->text, "%s", no->body);
        return false;
    }
    h->session = engine_ws(m->engine, rq, h, m->now);
    if (!h->session && h->state == HANDLE_OPEN)
        h->state = HANDLE_DONE; /* the network closes what the engine will not have */
    return h->session != NULL;
}

bool stack_ws(struct mock_stack *m, int n, const char *query, const char *authorization)
{
    struct request rq = get(m, query, authorization);
    rq.websocket = true;
    struct handle *h = mock_net_open(&m->net, n, &rq);
    stack_upgrade(m, h, &rq);
    engine_flush(m->engine);
    return h->session != NULL;
}

void stack_writable(struct mock_stack *m, int n)
{
    struct handle *h = &m->net.handle[n];
    h->stalled = h->backlog = false;
    engine_writable(h->session, h);
    engine_flush(m->engine);
}

static void message(struct mock_stack *m, int n, bool binary, const char *data, size_t len)
{
    struct handle *h = &m->net.handle[n];
    expect(h->session != NULL, "expected an open WebSocket %d", n);
    engine_ws_message(h->session, h, binary, data, len, m->now);
    engine_flush(m->engine);
}

void stack_say(struct mock_stack *m, int n, const char *text)
{
    message(m, n, false, text, strlen(text));
}

void stack_say_binary(struct mock_stack *m, int n, const char *bytes, size_t len)
{
    message(m, n, true, bytes, len);
}

/* --- clients --- */

const char *stack_handshake(struct mock_stack *m, const char *authorization)
{
    static char sid[32];
    const struct handle *h = &m->net.handle[HANDLES - 1];
    stack_get_as(m, HANDLES - 1, "EIO=4&transport=polling", authorization);
    expect(h->status == 200 && sscanf(h->text, "0{\"sid\":\"%20[^\"]\"", sid) == 1,
           "expected a session, found %d %s", h->status, h->text);
    return sid;
}

const char *stack_connect_as(struct mock_stack *m, int n, const char *authorization)
{
    static const char answer[] = "40/tasks,{\"sid\":\"";
    expect(stack_ws(m, n, "EIO=4&transport=websocket", authorization), "expected a WebSocket");
    stack_received(m, n);
    stack_say(m, n, "40/tasks,{}");
    const char *received = stack_received(m, n);
    expect(memcmp(received, answer, sizeof answer - 1) == 0, "expected %s, found %s", answer,
           received);
    return strchr(received, '\n') + 1;
}

void stack_client(struct mock_stack *m, int n, const char *rooms, int64_t principal)
{
    stack_connect_as(m, n, stack_bearer(m, 7, 3600, ""));
    stack_set_rooms(m, m->mock.sid, rooms, principal, "10:10:");
    hub_read_begin(m->hub);
    hub_read_end(m->hub);
    stack_received(m, n);
}

void stack_set_rooms(struct mock_stack *m, const char *sid, const char *rooms, int64_t principal,
                     const char *snapshot)
{
    struct registration a = {
        .sid = sid, .principal = principal, .rooms = rooms, .snapshot = snapshot};
    hub_set_rooms(m->hub, &a, m->now);
    engine_flush(m->engine);
}

void stack_event(struct mock_stack *m, uint64_t xid, const char *rooms, const char *payload)
{
    struct event e = {.id = (int64_t)xid,
                      .xid = xid,
                      .nsp = "/tasks",
                      .rooms = rooms,
                      .payload = payload,
                      .payload_len = strlen(payload)};
    hub_publish(m->hub, &e, m->now);
}

const char *stack_received(struct mock_stack *m, int n)
{
    static char text[sizeof m->net.handle[0].text];
    memcpy(text, m->net.handle[n].text, sizeof text);
    m->net.handle[n].text[0] = '\0';
    return text;
}

/* --- time --- */

void stack_pass(struct mock_stack *m, uint64_t ms)
{
    uint64_t end = m->now + ms;
    int64_t wait;
    while ((wait = wheel_next(m->wheel, m->now)) >= 0 && m->now + (uint64_t)wait <= end) {
        m->now += (uint64_t)wait;
        wheel_advance(m->wheel, m->now);
        engine_flush(m->engine);
    }
    m->now = end;
    wheel_advance(m->wheel, m->now);
    engine_flush(m->engine);
}

void stack_closed_after(struct mock_stack *m, int n, uint64_t ms)
{
    stack_pass(m, ms - 1);
    expect(!m->net.handle[n].closed, "expected WebSocket %d to be open yet", n);
    stack_pass(m, 1);
    expect(m->net.handle[n].closed, "expected WebSocket %d to be closed", n);
}

/* --- tokens --- */

struct keyset *stack_keys(void)
{
    char err[256];
    struct keyset *keys = keyset_from_secret(SECRET, sizeof SECRET - 1, err, sizeof err);
    expect(keys != NULL, "%s", err);
    return keys;
}

const char *stack_bearer(struct mock_stack *m, int subject, int exp, const char *extra)
{
    static char header[1024];
    char claims[512];
    size_t len;
    int n = snprintf(claims, sizeof claims, "{\"sub\":%d,\"exp\":%lld%s}", subject,
                     (long long)STACK_UNIX + (long long)(m->now - STACK_START) / 1000 + exp, extra);
    char *token = sign_token(SECRET, "{\"alg\":\"HS256\"}", 15, claims, (size_t)n, &len);
    snprintf(header, sizeof header, "Bearer %.*s", (int)len, token);
    free(token);
    return header;
}
