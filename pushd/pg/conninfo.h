/*
 * conninfo: connection strings of PostgreSQL: checks them, masks their secrets and begins
 * connections.
 *
 * The user's settings, by all means of libpq, override pushd's defaults, which override those of
 * libpq.
 */
#ifndef PUSHD_CONNINFO_H
#define PUSHD_CONNINFO_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False, with one line in err, if no server could accept it. Shows no password. */
bool conninfo_check(const char *conninfo, char *err, size_t len);

/* False, with one line in text, if libpq would connect to another host without encryption. Connects
 * to nothing. */
bool conninfo_is_safe(const char *conninfo, char *text, size_t len);

/* The settings of a connection string as key=value pairs, for output. *** replaces each secret, and
 * the whole string if libpq does not understand it. malloc'd. */
char *conninfo_mask(const char *conninfo);

/* The servers of a connection string that names several, in the order of attempts. All NULL: the
 * order of the string. Owns the strings. */
struct conninfo_order {
    char *host, *hostaddr, *port;
};

/* PQconnectStartParams(). name is the fallback for application_name. */
PGconn *conninfo_start(const char *conninfo, const struct conninfo_order *order, const char *name);
/* The time limit for connecting in ms. */
uint64_t conninfo_patience(PGconn *conn);
/* Tries the next server first from now on. libpq itself goes on if one refuses, but waits without
 * end if one hangs. */
void conninfo_turn(struct conninfo_order *order, PGconn *conn);
void conninfo_order_free(struct conninfo_order *order);

#endif
