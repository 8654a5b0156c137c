/*
 * admission: admission control: may another session begin?
 *
 * It limits all sessions, the polling ones, those of one address, and the handshake rate of an
 * address. Every session enters once and leaves once.
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

/* NULL if a session may begin. Counts nothing. */
const struct refusal *admission_refuses(struct admission *g, const struct address *a, bool polling,
                                        uint64_t now);
/* A session begins. admission_refuses() must just have allowed it. */
void admission_enter(struct admission *g, const struct address *a, bool polling, uint64_t now);
/* A polling session has become a WebSocket. */
void admission_upgrade(struct admission *g);
void admission_leave(struct admission *g, const struct address *a, bool polling);

#endif
