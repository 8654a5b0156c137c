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
/* PQconnectStartParams(); name is the fallback for application_name. */
PGconn *conninfo_start(const char *conninfo, const char *name);
/* Milliseconds that connecting may take, over all hosts named. */
uint64_t conninfo_patience(PGconn *conn);

#endif
