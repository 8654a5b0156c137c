/*
 * census: how many sessions each address has, and how fast it asks for new ones.
 *
 * An address is remembered as long as it has a session, and for the second after its last handshake
 * that its bucket needs: memory is bounded by the sessions and by what one second brings.
 *
 * IPv6 is counted by /64, the net that a site gives to one link: a host takes any address of it, as
 * privacy extensions do every day, so that counting whole addresses would bind nobody.
 */
#ifndef PUSHD_CENSUS_H
#define PUSHD_CENSUS_H

#include <stddef.h>
#include <stdint.h>

#include "address.h"

struct census;

enum census_answer {
    CENSUS_ADMITTED,
    CENSUS_FULL, /* the address has as many sessions as it may have */
    CENSUS_FAST  /* it has had its handshakes of this second */
};

/* most: sessions of one address. rate: handshakes a second and address, 0 = any. */
struct census *census_new(unsigned most, unsigned rate);
void census_free(struct census *c);

/* What census_enter() would answer; counts nothing. */
enum census_answer census_asks(struct census *c, const struct address *a, uint64_t now);
/* A session of this address begins, if it is admitted. */
enum census_answer census_enter(struct census *c, const struct address *a, uint64_t now);
/* A session that was admitted has ended. */
void census_leave(struct census *c, const struct address *a);

/* Addresses remembered. */
size_t census_size(const struct census *c);

#endif
