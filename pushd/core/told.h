/*
 * told: which addresses were told something lately: each is told at most once in 10 s.
 */
#ifndef PUSHD_TOLD_H
#define PUSHD_TOLD_H

#include <stdbool.h>
#include <stdint.h>

struct told;

struct told *told_new(void);
void told_free(struct told *t);

/* May this address be told now? If so, it has been. */
bool told_may(struct told *t, const char *address, uint64_t now);

#endif
