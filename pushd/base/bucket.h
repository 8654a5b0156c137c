/*
 * bucket: a rate limit, as a token bucket.
 *
 * A bucket holds the tokens of one second and is full at first: zero bytes are a full bucket.
 * Taking more than it holds makes a debt, which is paid off at the same rate. So a message is never
 * split. Time is an argument, in milliseconds.
 */
#ifndef PUSHD_BUCKET_H
#define PUSHD_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    uint64_t spent; /* thousandths of a token that are missing from a full bucket */
    uint64_t at;    /* the time of that */
};

/* Takes n tokens, even if that makes a debt. rate: tokens a second, not 0. */
void bucket_take(struct bucket *b, uint64_t rate, uint64_t n, uint64_t now);
/* Does it hold n tokens? */
bool bucket_has(const struct bucket *b, uint64_t rate, uint64_t n, uint64_t now);
/* Milliseconds until the debt is paid off; 0 if there is none. */
uint64_t bucket_wait(const struct bucket *b, uint64_t rate, uint64_t now);

#endif
