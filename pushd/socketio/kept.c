/* kept: see kept.h. */
#include "socketio/kept.h"

#include "socketio/hub_state.h"

static bool is_known(const struct client *c)
{
    const struct backend *backend = c->hub->backend;
    return !backend->knows || backend->knows(backend->ctx, c->bearer);
}

bool kept_for_known(void *ctx, const struct session *s)
{
    (void)ctx;
    return is_known(s->user);
}

bool kept_add(struct client *c, size_t bytes)
{
    size_t kept = c->kept + bytes;
    bool strange = kept > c->hub->config->stranger_bytes && !is_known(c);
    if (strange || !engine_keep(c->hub->engine, c->kept, kept)) {
        session_end(c->session, strange ? END_STRANGER : END_RECEIVE);
        return false;
    }
    c->kept = kept;
    return true;
}

void kept_drop(struct client *c, size_t bytes)
{
    engine_keep(c->hub->engine, c->kept, c->kept - bytes);
    c->kept -= bytes;
}
