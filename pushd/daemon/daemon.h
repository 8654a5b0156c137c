/*
 * daemon: the life of vantage6-pushd: opens everything in order, runs the loop, and ends orderly.
 *
 * Ready means that there are keys for tokens, and that the database delivers events. Draining
 * closes the clients over drain_time, so that they do not all reconnect at the same time.
 */
#ifndef PUSHD_DAEMON_H
#define PUSHD_DAEMON_H

#include "config/config.h"

/* Exit statuses. 78 is EX_CONFIG of sysexits.h: a restart cannot help. */
enum { DAEMON_OK = 0, DAEMON_CONFIG = 78 };

/* Serves until SIGTERM or SIGINT. Returns the exit status. */
int daemon_run(const struct config *config);

#endif
