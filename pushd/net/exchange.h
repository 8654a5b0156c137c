/*
 * exchange: a request on a connection: what the core gets of it, and what is refused here.
 */
#ifndef PUSHD_EXCHANGE_H
#define PUSHD_EXCHANGE_H

#include "net/connection.h"

extern const struct connection_user exchange_user;

#endif
