/*
 * notice: the two lines of the log about a socket whose principal is known: it connected, and why
 * it ended.
 *
 * Nobody without a good token causes one. Beginnings keep client_log_rate, in a bucket of their
 * own. The end of a socket is told if its beginning was.
 */
#ifndef PUSHD_NOTICE_H
#define PUSHD_NOTICE_H

#include <stdint.h>

struct socket;

/* The socket has joined. */
void notice_joined(struct socket *k, uint64_t now);
/* It ends. */
void notice_ended(struct socket *k, const char *reason);

#endif
