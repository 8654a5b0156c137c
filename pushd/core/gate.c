/* gate: see gate.h. */
#include "gate.h"

#include <stdlib.h>
#include <string.h>

#include "census.h"

static const struct refusal FULL = {503, "{\"code\":4,\"message\":\"Too many connections\"}",
                                    METRIC_REFUSED_CONNECTIONS};
static const struct refusal FULL_POLLING = {
    503, "{\"code\":4,\"message\":\"Too many polling connections\"}", METRIC_REFUSED_POLLING};
static const struct refusal FULL_ADDRESS = {
    503, "{\"code\":4,\"message\":\"Too many connections from this address\"}",
    METRIC_REFUSED_ADDRESS};
static const struct refusal FAST = {
    429, "{\"code\":4,\"message\":\"Too many new connections from this address\"}",
    METRIC_REFUSED_RATE};

struct gate {
    const struct config *config;
    struct census *census;
    struct address_list trusted;
    unsigned sessions, polling;
};

struct gate *gate_new(const struct config *config)
{
    struct gate *g = calloc(1, sizeof *g);
    if (!g)
        abort();
    g->config = config;
    g->census =
        census_new((unsigned)config->max_connections_per_address, (unsigned)config->handshake_rate);
    address_list_parse(config->trusted_proxies, &g->trusted);
    return g;
}

void gate_free(struct gate *g)
{
    census_free(g->census);
    address_list_free(&g->trusted);
    free(g);
}

struct address gate_address(const struct gate *g, const struct request *rq)
{
    struct address peer = {0};
    if (!rq->peer || !address_parse(rq->peer, strlen(rq->peer), &peer))
        return (struct address){0};
    return address_behind(&g->trusted, &peer, rq->forwarded_for);
}

const struct refusal *gate_refuses(struct gate *g, const struct address *a, bool polling,
                                   uint64_t now)
{
    if (g->sessions >= (unsigned)g->config->max_connections)
        return &FULL;
    if (polling && g->polling >= (unsigned)g->config->max_polling)
        return &FULL_POLLING;
    switch (census_asks(g->census, a, now)) {
    case CENSUS_FULL:
        return &FULL_ADDRESS;
    case CENSUS_FAST:
        return &FAST;
    case CENSUS_ADMITTED:
        break;
    }
    return NULL;
}

void gate_enter(struct gate *g, const struct address *a, bool polling, uint64_t now)
{
    census_enter(g->census, a, now);
    g->sessions++;
    g->polling += polling;
}

void gate_upgrade(struct gate *g)
{
    g->polling--;
}

void gate_leave(struct gate *g, const struct address *a, bool polling)
{
    census_leave(g->census, a);
    g->sessions--;
    g->polling -= polling;
}
