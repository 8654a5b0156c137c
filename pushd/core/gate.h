/*
 * gate: whether another session may begin: how many there are, in all, polling and of one address,
 * and how fast an address makes new ones.
 *
 * Every session enters once and leaves once. Which address a client has, behind a proxy or not, is
 * decided here too.
 */
#ifndef PUSHD_GATE_H
#define PUSHD_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "address.h"
#include "config.h"
#include "net.h"

struct gate;

/* config is borrowed. */
struct gate *gate_new(const struct config *config);
/* All sessions must have left. */
void gate_free(struct gate *g);

/* Whose request this is. One whose peer has no IP address has the address ::. */
struct address gate_address(const struct gate *g, const struct request *rq);

/* May a session begin, polling or not? NULL if so. Counts nothing. */
const struct refusal *gate_refuses(struct gate *g, const struct address *a, bool polling,
                                   uint64_t now);
/* It begins: gate_refuses() has just said that it may. */
void gate_enter(struct gate *g, const struct address *a, bool polling, uint64_t now);
/* One that polled has become a WebSocket. */
void gate_upgrade(struct gate *g);
void gate_leave(struct gate *g, const struct address *a, bool polling);

#endif
