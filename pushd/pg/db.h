/*
 * db: PostgreSQL as the backend of the hub, over two links (log_link, work_link).
 *
 * Call everything on the loop. While the database is away, clients stay connected. Their events are
 * kept, and new and ended sockets are reported when the log link opens again.
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
 * Connects and stays connected. config.conninfo must have passed conninfo_check(). turn is called
 * after each batch of answers for the hub: flush it then.
 */
struct db *db_open(const struct config *config, uv_loop_t *loop, struct hub *hub,
                   struct metrics *metrics, void (*turn)(void *ctx), void *ctx);
const struct backend *db_backend(struct db *db);
/* Why the hub receives no events now; NULL if it does. Valid until the loop continues. */
const char *db_reason(const struct db *db);
/* What an operator should know though it works, or NULL. Valid until the loop continues. */
const char *db_note(const struct db *db);
/* The gauges that it reports for clients. */
struct gauges *db_gauges(const struct db *db);
/* Reports the rest to the database, for at most 2 s, then frees db. Its handles close in the next
 * turns of the loop. done may be NULL. The hub may be called until then. */
void db_close(struct db *db, void (*done)(void *ctx), void *ctx);

#endif
