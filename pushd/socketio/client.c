/* client: see client.h. */
#include "base/alloc.h"
#include "base/json_read.h"
#include "base/log.h"
#include "base/printable.h"
#include "socketio/hub_state.h"
#include "socketio/kept.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What is kept of a User-Agent. */
enum { USER_AGENT = 100 };

static void no_namespace(struct timer *t, uint64_t now)
{
    struct client *c = container_of(t, struct client, timeout);
    (void)now;
    session_end(c->session, END_IDLE);
}

/* The handlers of Python clients expect a fixed number of arguments. A client that does not say
 * what it is may be one. */
static bool can_recover(const struct request *rq)
{
    return rq->user_agent && *rq->user_agent && strncasecmp(rq->user_agent, "python", 6) != 0;
}

static char *user_agent_of(const struct request *rq)
{
    char text[USER_AGENT + 1];
    if (!rq->user_agent)
        return NULL;
    printable_cut(rq->user_agent, text, sizeof text);
    return alloc_text(text);
}

void client_opened(void *ctx, struct session *s, const struct request *rq, uint64_t now)
{
    struct hub *hub = ctx;
    struct client *c = alloc(sizeof *c);
    c->hub = hub;
    c->session = s;
    c->recovers = hub->offsets && can_recover(rq);
    c->user_agent = user_agent_of(rq);
    s->user = c;
    timer_start(hub->wheel, &c->timeout, now + hub->config->connect_timeout, no_namespace);
    c->bearer = hub->backend->arrive(hub->backend->ctx, c, rq, now);
}

void client_ended(void *ctx, struct session *s, const char *reason, bool by_client)
{
    struct hub *hub = ctx;
    struct client *c = s->user;
    while (c->sockets)
        socket_close(c->sockets, reason, by_client);
    hub->backend->leave(hub->backend->ctx, c->bearer);
    timer_stop(&c->timeout);
    sio_decoder_clear(&c->decoder);
    kept_drop(c, c->awaiting);
    s->user = NULL;
    free(c->user_agent);
    free(c);
}

void client_room(void *ctx, struct session *s)
{
    const struct client *c = s->user;
    (void)ctx;
    for (struct socket *k = c->sockets; k; k = k->next)
        socket_room(k);
}

void client_upgraded(void *ctx, struct session *s)
{
    const struct client *c = s->user;
    (void)ctx;
    for (struct socket *k = c->sockets; k; k = k->next)
        socket_upgraded(k);
}

static int nsp_index(const struct hub *hub, const char *nsp)
{
    for (unsigned i = 0; i < hub->nsps; i++)
        if (strcmp(hub->nsp[i], nsp) == 0)
            return (int)i;
    return -1;
}

static struct socket *find(const struct client *c, const char *nsp)
{
    for (struct socket *k = c->sockets; k; k = k->next)
        if (strcmp(k->nsp, nsp) == 0)
            return k;
    return NULL;
}

static void connect_nsp(struct client *c, const struct sio_packet *p, uint64_t now)
{
    struct hub *hub = c->hub;
    int index = nsp_index(hub, p->nsp);
    struct socket_info info;
    struct socket *k;
    if (index < 0) {
        struct frame *f = sio_pack_connect_error(p->nsp, "Invalid namespace", NULL);
        session_queue(c->session, f);
        frame_unref(f);
        return;
    }
    if (find(c, p->nsp)) {
        session_end(c->session, END_PACKET);
        return;
    }
    k = socket_new(c, (unsigned)index);
    k->reported_websocket = c->session->websocket;
    socket_info(k, &info);
    hub->backend->connect(hub->backend->ctx, c->bearer, &info, p->data, now);
}

/* Was the client connected to the namespace, so that this packet was sent before it knew? */
static bool has_left(const struct client *c, const char *nsp)
{
    int index = nsp_index(c->hub, nsp);
    return index >= 0 && c->left & 1U << index;
}

/* Must be the last call: it may end the session, and so free the client. */
static void packet(struct client *c, struct sio_packet *p, uint64_t now)
{
    struct socket *k = find(c, p->nsp);
    if (p->type == SIO_CONNECT)
        connect_nsp(c, p, now);
    else if (k && p->type == SIO_DISCONNECT)
        socket_close(k, "client namespace disconnect", true);
    else if (k && k->accepted && p->type == SIO_EVENT)
        socket_receive(k, p);
    else if (k && k->accepted && p->type == SIO_ACK)
        socket_acked(k, p, now);
    else if (k ? !k->accepted : !has_left(c, p->nsp))
        session_end(c->session, END_PACKET);
}

/* Attachments cannot belong to an event that has no effect but the end of the session. */
static bool may_have_attachments(const struct client *c)
{
    const struct socket *k = c->sockets;
    while (k && !k->accepted)
        k = k->next;
    return k || c->left;
}

/* Counts what the decoder keeps now. False if the client is gone. */
static bool count_awaiting(struct client *c)
{
    size_t before = c->awaiting, size = sio_decoder_size(&c->decoder);
    if (size > before && !may_have_attachments(c)) {
        session_end(c->session, END_PACKET);
        return false;
    }
    if (size > before && !kept_add(c, size - before))
        return false;
    if (size < before)
        kept_drop(c, before - size);
    c->awaiting = size;
    return true;
}

static enum end_reason end_of(const char *wrong)
{
    return wrong == json_too_deep   ? END_DEPTH
           : wrong == sio_too_many  ? END_ATTACHMENTS
           : wrong == sio_too_large ? END_PAYLOAD
                                    : END_PACKET;
}

void client_message(void *ctx, struct session *s, bool binary, const char *data, size_t len,
                    uint64_t now)
{
    const struct config *config = ((struct hub *)ctx)->config;
    const struct sio_limits limits = {.attachments = (unsigned)config->max_attachments,
                                      .depth = (unsigned)config->max_depth,
                                      .bytes = config->max_payload};
    struct client *c = s->user;
    struct sio_packet p;
    const char *wrong;
    enum sio_step step = binary ? sio_decode_binary(&c->decoder, &limits, data, len, &p, &wrong)
                                : sio_decode_text(&c->decoder, &limits, data, len, &p, &wrong);
    if (!count_awaiting(c))
        return;
    if (step == SIO_WRONG) {
        log_debug("packet refused: %s address=%s", wrong, s->address);
        session_end(s, end_of(wrong));
    } else if (step == SIO_PACKET) {
        packet(c, &p, now);
        sio_clear(&p);
    }
}
