/*
 * principal: the sockets of one user or node, over all its connections to this process.
 *
 * It may have max_connections_per_principal of them: the oldest makes room. If the backend finds
 * that it sends too much, pushd reads from none of them for a while, nor from a new one.
 */
#ifndef PUSHD_PRINCIPAL_H
#define PUSHD_PRINCIPAL_H

#include <stdint.h>

struct hub;
struct socket;

/* The socket is one of this principal now; 0 = of nobody. It may end other sessions, soon. */
void principal_set(struct socket *k, int64_t id);
/* Forgets all pauses. All sockets must have ended. */
void principals_free(struct hub *hub);

#endif
