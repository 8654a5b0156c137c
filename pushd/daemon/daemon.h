/*
 * daemon: the life of vantage6-pushd: everything opened in order, the loop, and an orderly end.
 *
 * Ready means: keys to judge tokens by, and events flowing from the database. To drain is to close
 * the clients spread over drain_time, so that they do not all come back at once.
 */
#ifndef PUSHD_DAEMON_H
#define PUSHD_DAEMON_H

#include "config/config.h"

/* Exit statuses; 78 is EX_CONFIG of sysexits.h: it will not heal by trying again. */
enum { DAEMON_OK = 0, DAEMON_CONFIG = 78 };

/* Serve until SIGTERM or SIGINT; returns the exit status. */
int daemon_run(const struct config *config);

#endif
