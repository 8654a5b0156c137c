/* admission: see admission.h. */
#include "engineio/admission.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "engineio/address_counts.h"

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

struct admission {
    const struct config *config;
    struct address_counts *counts;
    unsigned sessions, polling;
};

struct admission *admission_new(const struct config *config)
{
    struct admission *g = alloc(sizeof *g);
    g->config = config;
    g->counts = address_counts_new((unsigned)config->max_connections_per_address,
                                   (unsigned)config->handshake_rate);
    return g;
}

void admission_free(struct admission *g)
{
    address_counts_free(g->counts);
    free(g);
}

const struct refusal *admission_refuses(struct admission *g, const struct address *a, bool polling,
                                        uint64_t now)
{
    if (g->sessions >= (unsigned)g->config->max_connections)
        return &FULL;
    if (polling && g->polling >= (unsigned)g->config->max_polling)
        return &FULL_POLLING;
    switch (address_counts_ask(g->counts, a, now)) {
    case ADDRESS_FULL:
        return &FULL_ADDRESS;
    case ADDRESS_FAST:
        return &FAST;
    case ADDRESS_ADMITTED:
        break;
    }
    return NULL;
}

void admission_enter(struct admission *g, const struct address *a, bool polling, uint64_t now)
{
    address_counts_enter(g->counts, a, now);
    g->sessions++;
    g->polling += polling;
}

void admission_upgrade(struct admission *g)
{
    g->polling--;
}

void admission_leave(struct admission *g, const struct address *a, bool polling)
{
    address_counts_leave(g->counts, a);
    g->sessions--;
    g->polling -= polling;
}
