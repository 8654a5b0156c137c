/*
 * bucket: a rate, kept as a bucket of tokens.
 *
 * A bucket holds what one second brings and is full at first: zero bytes are a full bucket. What is
 * taken beyond its content is a debt, paid off at the same rate: a message is never split. Time is
 * an argument, in milliseconds.
 */
#ifndef PUSHD_BUCKET_H
#define PUSHD_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    uint64_t spent; /* thousandths of a token that a full bucket has more */
    uint64_t at;    /* when that was so */
};

/* Take n tokens, in debt or not. rate: tokens a second, not 0. */
void bucket_take(struct bucket *b, uint64_t rate, uint64_t n, uint64_t now);
/* Are n tokens in it? */
bool bucket_has(const struct bucket *b, uint64_t rate, uint64_t n, uint64_t now);
/* Milliseconds until its debt is paid off; 0 if it has none. */
uint64_t bucket_wait(const struct bucket *b, uint64_t rate, uint64_t now);

#endif
