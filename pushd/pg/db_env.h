/*
 * db_env: what the two links to the database share, and how they notify each other through db.
 *
 * An incarnation is the number that open() gave to the current session of this instance; 0 = none.
 */
#ifndef PUSHD_DB_ENV_H
#define PUSHD_DB_ENV_H

#include <stdint.h>
#include <uv.h>

#include "base/gauges.h"
#include "base/metrics.h"
#include "config/config.h"
#include "socketio/hub.h"

struct db_env {
    const struct config *config;
    uv_loop_t *loop;
    struct hub *hub;
    struct metrics *metrics;
    struct offset_log *offsets;
    struct gauges *gauges;
    char instance[512];
    void *ctx; /* of the calls below */
    /* The log link has opened, or was lost (0). */
    void (*incarnation)(void *ctx, int64_t incarnation);
    /* Sockets have connected or ended. */
    void (*changed)(void *ctx);
    /* The rooms of a socket of this principal have changed, though it stays. */
    void (*moved)(void *ctx, int64_t principal);
    /* The database has ended this incarnation. */
    void (*ended)(void *ctx, int64_t incarnation);
    /* All answers that had arrived on a link were given to the hub. */
    void (*turn)(void *ctx);
};

#endif
