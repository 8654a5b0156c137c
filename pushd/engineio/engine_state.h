/*
 * engine_state: the fields of struct engine, shared by engine, session and transport.
 */
#ifndef PUSHD_ENGINE_STATE_H
#define PUSHD_ENGINE_STATE_H

#include "engineio/admission.h"
#include "engineio/engine.h"
#include "engineio/session.h"

struct engine {
    const struct config *config;
    struct metrics *metrics;
    struct wheel *wheel;
    const struct net *net;
    struct engine_user user;
    struct admission *admission;
    struct session *sessions;      /* by sid */
    struct session *dirty, *ended; /* to be sent to, to be freed, at the end of the turn */
    struct half_full *half_full;   /* queues that are */
    size_t kept;                   /* bytes that wait for the rest of them, or for their turn */
    bool draining;
};

static inline void engine_count(struct engine *e, enum metric_id id, double n)
{
    metrics_add(e->metrics, id, n);
}

#endif
