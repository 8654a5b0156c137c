/*
 * address_counts: counts the sessions and limits the handshake rate of each client address.
 *
 * An address is kept while it has a session, and for one second after its last handshake, until its
 * bucket is full again. So memory is bounded by the sessions and by the handshakes of a second.
 *
 * IPv6 is counted by /64: see address_to_count().
 */
#ifndef PUSHD_ADDRESS_COUNTS_H
#define PUSHD_ADDRESS_COUNTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

struct address_counts;

enum address_answer {
    ADDRESS_ADMITTED,
    ADDRESS_FULL, /* the address has its maximum of sessions */
    ADDRESS_FAST  /* the address has used up its handshakes of this second */
};

/* most: sessions of one address. rate: handshakes a second of one address, 0 = no limit. */
struct address_counts *address_counts_new(unsigned most, unsigned rate);
void address_counts_free(struct address_counts *c);

/* The answer of address_counts_enter(), without counting. */
enum address_answer address_counts_ask(struct address_counts *c, const struct address *a,
                                       uint64_t now);
/* A session of this address begins if the answer is ADDRESS_ADMITTED. */
enum address_answer address_counts_enter(struct address_counts *c, const struct address *a,
                                         uint64_t now);
/* An admitted session has ended. */
void address_counts_leave(struct address_counts *c, const struct address *a);

/* The number of addresses that are kept; for tests. */
size_t address_counts_size(const struct address_counts *c);

#endif
