/*
 * room: which subscriber is in which room, and publishing to several rooms at once.
 *
 * A subscriber is a member of the struct that receives; it knows neither sockets nor the network. A
 * room exists while it has a member. Names belong to a namespace.
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
    uint64_t received; /* number of the last publication that it received */
};

struct rooms *rooms_new(void);
/* All subscribers must have left. */
void rooms_free(struct rooms *r);
/* The number of rooms that have a member. */
size_t rooms_count(const struct rooms *r);

/* Sets the rooms of a subscriber: exactly these (names of namespace nsp, separated by commas). ""
 * leaves all. */
void rooms_set(struct rooms *r, struct subscriber *s, const char *nsp, const char *names);
/* Is it in exactly these rooms? Each is named once. */
bool rooms_are(const struct rooms *r, const struct subscriber *s, const char *nsp,
               const char *names);

/* Calls receive once for each member of any of the rooms. receive must not change memberships. */
void rooms_publish(struct rooms *r, const char *nsp, const char *names,
                   void (*receive)(struct subscriber *s, void *ctx), void *ctx);

#endif
