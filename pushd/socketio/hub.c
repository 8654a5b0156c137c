/* hub: see hub.h. */
#include "base/alloc.h"
#include "base/words.h"
#include "socketio/hub_state.h"
#include "socketio/kept.h"
#include "socketio/notice.h"
#include "socketio/principal.h"
#include "socketio/sio.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hub *hub_new(const struct config *config, struct metrics *metrics, struct wheel *wheel,
                    struct engine *engine)
{
    struct hub *hub = alloc(sizeof *hub);
    const char *word;
    size_t len;
    hub->rooms = rooms_new();
    hub->texts = shared_texts_new(metrics, METRIC_INSTRUCTION_BYTES);
    hub->config = config;
    hub->metrics = metrics;
    hub->wheel = wheel;
    log_limit_init(&hub->lines, config->client_log_rate, metrics);
    hub->engine = engine;
    for (; hub->nsps < CONFIG_NAMESPACES_MAX &&
           (len = words_get(config->namespaces, hub->nsps, &word));
         hub->nsps++)
        hub->nsp[hub->nsps] = alloc_text_of(word, len);
    engine_set_user(engine, &(struct engine_user){hub, client_opened, client_message, client_ended,
                                                  client_upgraded, kept_for_known, client_room});
    return hub;
}

void hub_set_backend(struct hub *hub, const struct backend *backend)
{
    hub->backend = backend;
}

void hub_set_offsets(struct hub *hub, struct offset_log *offsets)
{
    hub->offsets = offsets;
}

void hub_free(struct hub *hub)
{
    hub_read_marks(hub, NULL, NULL);
    principals_free(hub);
    rooms_free(hub->rooms);
    shared_texts_free(hub->texts);
    for (unsigned i = 0; i < hub->nsps; i++)
        free(hub->nsp[i]);
    free(hub);
}

/* --- answers of the backend for one socket --- */

static struct socket *find(struct hub *hub, const char *sid)
{
    struct socket *k = NULL;
    if (strlen(sid) == SID_LEN)
        HASH_FIND(hh, hub->sockets, sid, SID_LEN, k);
    return k;
}

static struct socket *find_accepted(struct hub *hub, const char *sid)
{
    struct socket *k = find(hub, sid);
    return k && k->accepted ? k : NULL;
}

/* The answer to the CONNECT ends the resume. */
static void accept_socket(struct socket *k, bool recovered)
{
    if (k->resume)
        hub_count(k->client->hub, recovered ? METRIC_RECOVERED : METRIC_NOT_RECOVERED, 1);
    free(k->resume);
    k->resume = NULL;
    k->accepted = true;
    timer_stop(&k->client->timeout);
    socket_send(k, sio_pack_connect(k->nsp, k->sid, k->pid[0] ? k->pid : NULL), NULL);
}

void hub_accept(struct hub *hub, const char *sid)
{
    struct socket *k = find(hub, sid);
    if (k && !k->accepted)
        accept_socket(k, false);
}

/* An offset that is too long is not ours, but it is one. */
static struct resume *resume_new(const char *was, const char *offset)
{
    size_t len = offset ? strlen(offset) : 0;
    if (len > OFFSET_MAX)
        len = 0;
    struct resume *resume = alloc(sizeof *resume + len + 1);
    memcpy(resume->was, was, sizeof resume->was);
    resume->has_offset = offset;
    if (offset)
        memcpy(resume->offset, offset, len);
    return resume;
}

bool hub_resume(struct hub *hub, const char *sid, const char *was, const char *offset)
{
    struct socket *k = find(hub, sid);
    if (!k || k->accepted || k->resume || !k->pid[0] || !sid_plausible(was))
        return false;
    k->resume = resume_new(was, offset);
    timer_stop(&k->client->timeout);
    return true;
}

void hub_refuse(struct hub *hub, const char *sid, const char *message, const json_t *data)
{
    struct socket *k = find(hub, sid);
    if (!k || k->accepted)
        return;
    char *more = data ? json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    socket_send(k, sio_pack_connect_error(k->nsp, message, more), NULL);
    free(more);
    socket_close(k, "refused", false);
}

void hub_mute(struct hub *hub, const char *sid, bool mute)
{
    struct socket *k = find(hub, sid);
    if (!k)
        return;
    k->muted = mute;
    if (mute)
        socket_release(k);
}

struct greeting *hub_greeting(struct hub *hub, const json_t *events)
{
    return greeting_new(hub->texts, events);
}

static void join(struct socket *k, const struct registration *a, uint64_t now)
{
    k->joined = true;
    hub_count(k->client->hub, METRIC_JOINED, 1);
    notice_joined(k, now);
    socket_fresh(k, a->snapshot);
    for (size_t i = 0; a->greeting && i < a->greeting->n; i++)
        socket_instruct(k, a->greeting->events[i].ack, a->greeting->events[i].payload, now);
}

/* The missed events, each with its offset: first those that cur sees, then the others, which belong
 * to the read of the admission's snapshot. */
static void replay(struct socket *k, const struct registration *a)
{
    struct offset_log *log = k->client->hub->offsets;
    const char *prev = json_string_value(json_object_get(a->missed, "prev"));
    const char *cur = json_string_value(json_object_get(a->missed, "cur"));
    const json_t *event;
    size_t i;
    json_array_foreach (json_object_get(a->missed, "events"), i, event) {
        int64_t id = json_integer_value(json_array_get(event, 0));
        const json_t *payload = json_array_get(event, 1);
        bool later = json_is_true(json_array_get(event, 2));
        if (json_string_length(payload) > 2)
            socket_send(k,
                        sio_pack_event_at(k->nsp, json_string_value(payload),
                                          json_string_length(payload),
                                          later ? offset_make(log, cur, a->snapshot, id)
                                                : offset_make(log, prev, cur, id)),
                        NULL);
    }
}

/* Answers a CONNECT that resumes an earlier socket. The pid tells the client that it is resumed. */
static void answer_resume(struct socket *k, const struct registration *a)
{
    bool recovered = a->missed && a->principal;
    if (recovered) {
        memcpy(k->pid, k->resume->was, sizeof k->pid);
        replay(k, a);
    }
    accept_socket(k, recovered);
}

/* An event that was read meanwhile may have been for the socket. So its client must reconnect: it
 * recovers, or learns that it cannot. */
static void end_doubt(struct socket *k)
{
    if (k->doubted && k->joined && !k->muted && k->doubted_at != k->client->hub->events)
        session_end_soon(k->client->session, END_DOUBT);
    k->doubted = false;
}

void hub_set_rooms(struct hub *hub, const struct registration *a, uint64_t now)
{
    struct socket *k = find(hub, a->sid);
    /* The missed events of a resume that was given up are too late: the backend was asked again. */
    if (!k || (!k->resume && (!k->accepted || a->missed)))
        return;
    if (a->principal)
        k->client->session->served = true;
    if (!k->accepted)
        answer_resume(k, a);
    if (k->principal != a->principal)
        socket_forget_instructions(k);
    /* later registrations do not say it */
    k->offsets =
        k->pid[0] && a->principal && (a->recovers || (k->offsets && k->principal == a->principal));
    k->principal = a->principal;
    principal_set(k, a->principal);
    k->muted = a->principal == 0;
    socket_ready(k);
    socket_rooms(k, a->principal ? a->rooms : "");
    if (hub->backend->identified)
        hub->backend->identified(hub->backend->ctx, k->client->bearer, k->sid, k->principal, now);
    end_doubt(k);
    if (!k->muted && !k->joined)
        join(k, a, now);
    socket_upgraded(k);
    socket_release(k);
}

bool hub_differs(struct hub *hub, const struct registration *a)
{
    const struct socket *k = find_accepted(hub, a->sid);
    return k && k->joined &&
           (k->principal != a->principal ||
            !rooms_are(hub->rooms, &k->subscriber, k->nsp, a->principal ? a->rooms : ""));
}

static void ask_again(struct socket *k, uint64_t now)
{
    const struct backend *backend = k->client->hub->backend;
    struct socket_info info;
    socket_info(k, &info);
    k->reported_websocket = k->client->session->websocket;
    info.again = true;
    info.known = k->joined;
    backend->connect(backend->ctx, k->client->bearer, &info, NULL, now);
}

void hub_doubt(struct hub *hub, const char *sid, uint64_t now)
{
    struct socket *k = find_accepted(hub, sid);
    if (!k)
        return;
    if (!k->doubted)
        k->doubted_at = hub->events;
    k->doubted = true;
    socket_rooms(k, "");
    ask_again(k, now);
}

void hub_kick(struct hub *hub, const char *sid)
{
    struct socket *k = find(hub, sid);
    if (!k)
        return;
    socket_rooms(k, "");
    hub_mute(hub, sid, true);
    session_end_soon(k->client->session, END_KICKED);
}

void hub_emit(struct hub *hub, const char *sid, const char *payload, size_t len, int64_t ack,
              const struct attachments *with)
{
    struct socket *k = find_accepted(hub, sid);
    char digits[SIO_ACK_DIGITS + 1] = "";
    if (!k)
        return;
    if (ack >= 0)
        snprintf(digits, sizeof digits, "%lld", (long long)ack);
    socket_send(k, sio_pack_event(k->nsp, digits, payload, len, with ? with->n : 0), with);
}

void hub_ack(struct hub *hub, const char *sid, const char *ack, const char *args, size_t len,
             const struct attachments *with)
{
    struct socket *k = find_accepted(hub, sid);
    if (k)
        socket_ack(k, ack, args, len, with);
}

void hub_taken(struct hub *hub, const char *sid, size_t bytes)
{
    struct socket *k = find(hub, sid);
    if (k)
        socket_taken(k, bytes);
}

bool hub_has(struct hub *hub, const char *sid)
{
    return find(hub, sid) != NULL;
}

/* --- one client --- */

void hub_dismiss(struct client *c)
{
    session_end_soon(c->session, END_DISMISSED);
}

const char *hub_address(const struct client *c)
{
    return c->session->address;
}

void hub_each_socket(struct client *c, void (*f)(void *ctx, const struct socket_info *s), void *ctx)
{
    struct socket_info info;
    for (struct socket *k = c->sockets, *next; k; k = next) {
        next = k->next;
        socket_info(k, &info);
        f(ctx, &info);
    }
}

/* --- all clients --- */

static void forget_rooms(struct socket *k)
{
    struct hub *hub = k->client->hub;
    socket_rooms(k, "");
    hub->waiting += k->joined && !k->waits;
    k->waits = k->joined;
}

void hub_renew(struct hub *hub, uint64_t now)
{
    struct socket *k, *next;
    HASH_ITER (hh, hub->sockets, k, next)
        forget_rooms(k);
    HASH_ITER (hh, hub->sockets, k, next)
        ask_again(k, now);
}

size_t hub_waiting(const struct hub *hub)
{
    return hub->waiting;
}
