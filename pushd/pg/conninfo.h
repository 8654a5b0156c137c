/*
 * conninfo: how a connection to PostgreSQL is begun: the user's settings, by all of libpq's own
 * means, over the defaults of pushd, over those of libpq.
 */
#ifndef PUSHD_CONNINFO_H
#define PUSHD_CONNINFO_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False, with a line in err, if no server could ever make sense of it. Says nothing of a password.
 */
bool conninfo_check(const char *conninfo, char *err, size_t len);

/* The settings of a connection string as key=value pairs, to be shown: *** stands for each secret,
 * and for all of a string that libpq does not understand. malloc'd. */
char *conninfo_mask(const char *conninfo);

/* The servers of a connection string that names several, in the order in which they are tried; all
 * NULL: as it has them. The strings belong to it. */
struct conninfo_order {
    char *host, *hostaddr, *port;
};

/* PQconnectStartParams(); name is the fallback for application_name. */
PGconn *conninfo_start(const char *conninfo, const struct conninfo_order *order, const char *name);
/* Milliseconds that connecting may take. */
uint64_t conninfo_patience(PGconn *conn);
/* The next server comes first from now on: libpq goes on to it when one refuses, but waits for ever
 * for one that hangs. */
void conninfo_turn(struct conninfo_order *order, PGconn *conn);
void conninfo_order_free(struct conninfo_order *order);

#endif
