/*
 * admission: whether another session may begin: how many there are, in all, polling and of one
 * address, and how fast an address makes new ones.
 *
 * Every session enters once and leaves once. Which address a client has, behind a proxy or not, is
 * decided here too.
 */
#ifndef PUSHD_ADMISSION_H
#define PUSHD_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "config/config.h"
#include "engineio/net.h"

struct admission;

/* config is borrowed. */
struct admission *admission_new(const struct config *config);
/* All sessions must have left. */
void admission_free(struct admission *g);

/* Whose request this is. One whose peer has no IP address has the address ::. */
struct address admission_address(const struct admission *g, const struct request *rq);

/* May a session begin, polling or not? NULL if so. Counts nothing. */
const struct refusal *admission_refuses(struct admission *g, const struct address *a, bool polling,
                                        uint64_t now);
/* It begins: admission_refuses() has just said that it may. */
void admission_enter(struct admission *g, const struct address *a, bool polling, uint64_t now);
/* One that polled has become a WebSocket. */
void admission_upgrade(struct admission *g);
void admission_leave(struct admission *g, const struct address *a, bool polling);

#endif
