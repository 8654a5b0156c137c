/* hub: errands of one socket; see hub.h and errand.h. */
#include "hub_state.h"
#include "sio.h"

#include <stdio.h>

static void report(const struct socket *k, int64_t id, bool acked)
{
    const struct backend *backend = k->client->hub->backend;
    if (id > 0 && backend->errand)
        backend->errand(backend->ctx, k->client->visitor, k->sid, k->principal, id, acked);
}

static void tell(void *ctx, int64_t id, int64_t number, const char *payload, size_t len)
{
    struct socket *k = ctx;
    char digits[SIO_ACK_DIGITS + 1] = "";
    if (number >= 0)
        snprintf(digits, sizeof digits, "%lld", (long long)number);
    socket_send(k, sio_pack_event(k->nsp, digits, payload, len, 0), NULL);
    if (number < 0)
        return;
    hub_count(k->client->hub, METRIC_ERRANDS_SENT, 1);
    report(k, id, false);
}

static void silent(void *ctx)
{
    const struct socket *k = ctx;
    hub_count(k->client->hub, METRIC_ERRANDS_SILENT, 1);
}

void hub_errand(struct socket *k, int64_t id, const char *payload, size_t len, uint64_t now)
{
    const struct hub *hub = k->client->hub;
    if (!k->errands)
        k->errands = errands_new(
            &(struct errand_setup){hub->wheel, hub->config->ack_timeout, tell, silent, k});
    errands_add(k->errands, id, payload, len, now);
    if (errands_bytes(k->errands) > hub->config->queue_bytes)
        session_end_soon(k->client->session, END_SLOW);
}

bool hub_errand_acked(struct socket *k, int64_t number, uint64_t now)
{
    int64_t id;
    if (!k->errands || !errands_acked(k->errands, number, now, &id))
        return false;
    hub_count(k->client->hub, METRIC_ERRANDS_ACKED, 1);
    report(k, id, true);
    return true;
}
