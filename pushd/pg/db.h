/*
 * db: PostgreSQL as the backend of the hub, over two links (log_link, work_link).
 *
 * Everything is called on the loop. While the database is away clients stay: events they send are
 * kept, sockets that come and go are told when the log link opens again.
 */
#ifndef PUSHD_DB_H
#define PUSHD_DB_H

#include <uv.h>

#include "base/gauges.h"
#include "base/metrics.h"
#include "config/config.h"
#include "socketio/backend.h"
#include "socketio/hub.h"

struct db;

/*
 * Connect, and stay connected; config.conninfo has passed conninfo_check(). turn is called after
 * each batch of answers given to the hub: flush it.
 */
struct db *db_open(const struct config *config, uv_loop_t *loop, struct hub *hub,
                   struct metrics *metrics, void (*turn)(void *ctx), void *ctx);
const struct backend *db_backend(struct db *db);
/* Why the hub does not get its events now; NULL if it does. Valid until the loop goes on. */
const char *db_reason(const struct db *db);
/* What it reports of clients. */
struct gauges *db_gauges(const struct db *db);
/* Tell the database what it has still to be told, for 2 s at most, then free db; its handles end
 * with the next turns of the loop. done may be NULL; the hub may be called until then. */
void db_close(struct db *db, void (*done)(void *ctx), void *ctx);

#endif
