/*
 * notice_limit: limits notices to one per address in 10 s.
 */
#ifndef PUSHD_NOTICE_LIMIT_H
#define PUSHD_NOTICE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct notice_limit;

struct notice_limit *notice_limit_new(void);
void notice_limit_free(struct notice_limit *t);

/* True if this address may be notified now. That counts as a notice. */
bool notice_limit_allows(struct notice_limit *t, const char *address, uint64_t now);

#endif
