/*
 * room: who is in which room, and publishing to several rooms at once.
 *
 * A subscriber is embedded in whatever hears; it knows no socket and no network. A room exists
 * while it has a member. Names are scoped by their namespace.
 */
#ifndef PUSHD_ROOM_H
#define PUSHD_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rooms;

struct subscriber {
    struct membership *list; /* owned by rooms */
    unsigned n;
    uint64_t received; /* number of the last publication that reached it */
};

struct rooms *rooms_new(void);
/* All subscribers must have left. */
void rooms_free(struct rooms *r);
/* Rooms that have a member. */
size_t rooms_count(const struct rooms *r);

/* Be in exactly these rooms (names separated by commas, of namespace nsp); "" leaves all. */
void rooms_set(struct rooms *r, struct subscriber *s, const char *nsp, const char *names);
/* Is it in exactly these, each named once? */
bool rooms_are(const struct rooms *r, const struct subscriber *s, const char *nsp,
               const char *names);

/* Call receive once for each member of any of the rooms. receive must not change memberships. */
void rooms_publish(struct rooms *r, const char *nsp, const char *names,
                   void (*receive)(struct subscriber *s, void *ctx), void *ctx);

#endif
