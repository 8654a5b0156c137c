/* principal: see principal.h. hub_pause() is in hub.h. */
#include "socketio/principal.h"
#include "base/alloc.h"
#include "socketio/hub_state.h"

#include <stddef.h>
#include <stdlib.h>
#include <utlist.h>

/* It exists as long as it has a socket, or is not read from. */
struct principal {
    UT_hash_handle hh;
    struct hub *hub;
    int64_t id;
    struct socket *sockets; /* the oldest first */
    int n;
    bool paused;
    struct timer pause; /* until pushd reads again */
};

static struct principal *find(struct hub *hub, int64_t id)
{
    struct principal *p;
    HASH_FIND(hh, hub->principals, &id, sizeof id, p);
    return p;
}

static struct principal *get(struct hub *hub, int64_t id)
{
    struct principal *p = find(hub, id);
    if (p)
        return p;
    p = alloc(sizeof *p);
    p->hub = hub;
    p->id = id;
    HASH_ADD(hh, hub->principals, id, sizeof p->id, p);
    return p;
}

static void forget_unused(struct principal *p)
{
    if (p->n || p->paused)
        return;
    HASH_DEL(p->hub->principals, p); // NOLINT: the analyzer does not follow uthash
    free(p);
}

/* Its sockets may be of several principals. */
static void pause_client(const struct client *c)
{
    bool paused = false;
    for (const struct socket *k = c->sockets; k; k = k->next)
        paused |= k->owner && k->owner->paused;
    session_pause(c->session, PAUSE_PRINCIPAL, paused);
}

static void pause_clients(const struct principal *p)
{
    struct socket *k, *next;
    DL_FOREACH_SAFE2(p->sockets, k, next, own_next)
    pause_client(k->client);
}

static void take_out(struct principal *p, struct socket *k)
{
    DL_DELETE2(p->sockets, k, own_prev, own_next); // NOLINT: the analyzer does not follow utlist
    k->owner = NULL;
    p->n--;
    if (p->paused)
        pause_client(k->client);
}

static void leave(struct socket *k)
{
    struct principal *p = k->owner;
    take_out(p, k);
    forget_unused(p);
}

static void enter(struct socket *k, int64_t id)
{
    struct hub *hub = k->client->hub;
    struct principal *p = get(hub, id);
    k->owner = p;
    DL_APPEND2(p->sockets, k, own_prev, own_next);
    p->n++;
    if (p->paused)
        pause_client(k->client);
    struct socket *oldest = p->sockets;
    if (oldest && p->n > hub->config->max_connections_per_principal) {
        session_end_soon(oldest->client->session, END_PRINCIPAL);
        take_out(p, oldest);
    }
}

void principal_set(struct socket *k, int64_t id)
{
    if (k->owner && k->owner->id == id)
        return;
    if (k->owner)
        leave(k);
    if (id && !k->client->session->ending)
        enter(k, id);
}

static void go_on(struct timer *t, uint64_t now)
{
    struct principal *p = container_of(t, struct principal, pause);
    (void)now;
    p->paused = false;
    pause_clients(p);
    forget_unused(p);
}

void hub_pause(struct hub *hub, int64_t principal, uint64_t ms, uint64_t now)
{
    struct principal *p = get(hub, principal);
    p->paused = true;
    timer_start(hub->wheel, &p->pause, now + ms, go_on);
    pause_clients(p);
}

void principals_free(struct hub *hub)
{
    struct principal *p, *next;
    HASH_ITER (hh, hub->principals, p, next) {
        timer_stop(&p->pause);
        HASH_DEL(hub->principals, p); // NOLINT: the analyzer does not follow uthash
        free(p);
    }
}
