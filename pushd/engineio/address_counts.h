/*
 * address_counts: how many sessions each address has, and how fast it asks for new ones.
 *
 * An address is remembered as long as it has a session, and for the second after its last handshake
 * that its bucket needs: memory is bounded by the sessions and by what one second brings.
 *
 * IPv6 is counted by /64, the net that a site gives to one link: a host takes any address of it, as
 * privacy extensions do every day, so that counting whole addresses would bind nobody.
 */
#ifndef PUSHD_ADDRESS_COUNTS_H
#define PUSHD_ADDRESS_COUNTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

struct address_counts;

enum address_answer {
    ADDRESS_ADMITTED,
    ADDRESS_FULL, /* the address has as many sessions as it may have */
    ADDRESS_FAST  /* it has had its handshakes of this second */
};

/* most: sessions of one address. rate: handshakes a second and address, 0 = any. */
struct address_counts *address_counts_new(unsigned most, unsigned rate);
void address_counts_free(struct address_counts *c);

/* What address_counts_enter() would answer; counts nothing. */
enum address_answer address_counts_ask(struct address_counts *c, const struct address *a,
                                       uint64_t now);
/* A session of this address begins, if it is admitted. */
enum address_answer address_counts_enter(struct address_counts *c, const struct address *a,
                                         uint64_t now);
/* A session that was admitted has ended. */
void address_counts_leave(struct address_counts *c, const struct address *a);

/* Addresses remembered. */
size_t address_counts_size(const struct address_counts *c);

#endif
