/* mock_backend: see mock_backend.h. */
#include "mock_backend.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engineio/frame.h"
#include "expect.h"
#include "socketio/hub.h"

static __attribute__((format(printf, 2, 3))) void ask(struct mock_backend *b, const char *format,
                                                      ...)
{
    size_t used = strlen(b->asked);
    va_list args;
    va_start(args, format);
    vsnprintf(b->asked + used, sizeof b->asked - used, format, args);
    va_end(args);
}

static void *arrive(void *ctx, struct client *c, const struct request *rq, uint64_t now)
{
    struct mock_backend *b = ctx;
    struct mock_client *client = alloc(sizeof *client);
    (void)rq;
    (void)now;
    client->client = c;
    b->clients++;
    return client;
}

static void leave(void *ctx, void *bearer)
{
    struct mock_client *client = bearer;
    expect(client->sockets == 0, "expected its sockets to leave first");
    ((struct mock_backend *)ctx)->clients--;
    free(client);
}

struct mock_socket *mock_backend_socket(struct mock_backend *b, const char *sid)
{
    struct mock_socket *k = b->sockets;
    while (k && strcmp(k->sid, sid) != 0)
        k = k->next;
    return k;
}

/* The socket with this sid, which is the client's. */
static struct mock_socket *owned(struct mock_backend *b, const char *sid, const void *bearer)
{
    struct mock_socket *k = mock_backend_socket(b, sid);
    expect(k && k->client == bearer, "expected a socket that is here");
    return k;
}

struct mock_socket *mock_backend_add(struct mock_backend *b, void *bearer,
                                     const struct socket_info *s)
{
    struct mock_socket *k = mock_backend_socket(b, s->sid);
    expect(!k || s->again || k->resumes, "expected %s to be asked for once", s->sid);
    snprintf(b->sid, sizeof b->sid, "%s", s->sid);
    if (!k) {
        k = alloc(b->socket_size ? b->socket_size : sizeof *k);
        k->client = bearer;
        k->client->sockets++;
        snprintf(k->sid, sizeof k->sid, "%s", s->sid);
        snprintf(k->nsp, sizeof k->nsp, "%s", s->nsp);
        k->next = b->sockets;
        b->sockets = k;
    }
    k->resumes = s->was;
    return k;
}

void mock_backend_connect(void *ctx, void *bearer, const struct socket_info *s, const json_t *auth,
                          uint64_t now)
{
    struct mock_backend *b = ctx;
    struct mock_socket *k = mock_backend_add(b, bearer, s);
    (void)now;
    expect(!auth || json_is_object(auth), "expected an object of a CONNECT");
    ask(b, "connect%s %s %s %s", s->again ? " again" : "", s->nsp,
        s->subject ? s->subject : "(null)", s->transport);
    if (s->was)
        ask(b, " was %s at %s", s->was, s->offset ? s->offset : "its beginning");
    snprintf(b->token, sizeof b->token, "%s", s->token ? s->token : "");
    ask(b, "%s\n", s->expired ? " expired" : "");
    if (s->was)
        return; /* hub_set_rooms() accepts it */
    if (b->refusal) {
        hub_refuse(b->hub, s->sid, b->refusal, auth);
    } else if (!b->silent) {
        k->accepted = true;
        hub_accept(b->hub, s->sid);
    }
}

static void upgraded(void *ctx, void *bearer, const char *sid)
{
    owned(ctx, sid, bearer);
    ask(ctx, "upgraded\n");
}

static void disconnect(void *ctx, void *bearer, const char *sid, const char *reason, bool by_client)
{
    struct mock_backend *b = ctx;
    struct mock_socket **at = &b->sockets, *k = owned(b, sid, bearer);
    expect(*reason, "expected a reason");
    ask(b, "disconnect %s %d\n", reason, by_client);
    while (*at != k)
        at = &(*at)->next;
    *at = k->next;
    k->client->sockets--;
    free(k);
}

static void keep(struct mock_backend *b, const struct attachments *with)
{
    expect(with->n == 0 || with->frames, "expected %u attachments", with->n);
    for (unsigned i = 0; i < with->n; i++) {
        expect(with->frames[i]->binary, "expected a binary frame");
        frame_unref(b->kept);
        b->kept = frame_ref(with->frames[i]);
    }
}

void mock_backend_receive(void *ctx, void *bearer, const struct incoming *e)
{
    struct mock_backend *b = ctx;
    struct mock_socket *k = owned(b, e->sid, bearer);
    const char *name = json_string_value(json_array_get(e->event, 0));
    expect(strcmp(e->nsp, k->nsp) == 0 && json_array_size(e->event) > 0 && e->bytes > 0,
           "expected an event");
    ask(b, "receive %lld %s %s %zu%s%s\n", (long long)e->principal, e->nsp, name ? name : "",
        e->bytes, b->backend.acks ? " ack " : "", b->backend.acks ? e->ack : "");
    keep(b, &e->with);
}

static void acked(void *ctx, void *bearer, const char *sid, int64_t ack, const json_t *args,
                  const struct attachments *with)
{
    char *text = json_dumps(args, JSON_COMPACT);
    owned(ctx, sid, bearer);
    expect(ack >= 0 && json_is_array(args), "expected an ack");
    ask(ctx, "acked %lld %s\n", (long long)ack, text);
    free(text);
    keep(ctx, with);
}

static void ack_report(void *ctx, void *bearer, const char *sid, int64_t principal, int64_t id,
                       bool was_acked)
{
    owned(ctx, sid, bearer);
    ask(ctx, "%s instruction %lld %s %lld\n", was_acked ? "acked" : "sent", (long long)id,
        was_acked ? "of" : "to", (long long)principal);
}

void mock_backend_begin(struct mock_backend *b)
{
    *b = (struct mock_backend){.backend = {.ctx = b,
                                           .arrive = arrive,
                                           .leave = leave,
                                           .connect = mock_backend_connect,
                                           .disconnect = disconnect,
                                           .upgraded = upgraded,
                                           .receive = mock_backend_receive,
                                           .acked = acked,
                                           .ack_report = ack_report}};
}
