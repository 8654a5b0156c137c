/* room: see room.h. Both sides of a membership know their index in the other, so leaving takes
 * constant time. */
#include "socketio/room.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { KEY_MAX = 512 };

struct member {
    struct subscriber *subscriber;
    unsigned back; /* index in subscriber->list */
};

struct room {
    UT_hash_handle hh;
    struct member *members;
    unsigned n, cap;
    char key[]; /* "<namespace>,<room>" */
};

struct membership {
    struct room *room;
    unsigned at; /* index in room->members */
};

struct rooms {
    struct room *table;
    uint64_t publications;
};

struct rooms *rooms_new(void)
{
    return alloc(sizeof(struct rooms));
}

void rooms_free(struct rooms *r)
{
    free(r);
}

size_t rooms_count(const struct rooms *r)
{
    return HASH_COUNT(r->table);
}

static size_t make_key(char *key, const char *nsp, const char *name, size_t len)
{
    size_t n = strlen(nsp);
    if (n + 1 + len > KEY_MAX)
        return 0;
    memcpy(key, nsp, n);
    key[n] = ',';
    memcpy(key + n + 1, name, len);
    return n + 1 + len;
}

static struct room *find_or_make(struct rooms *r, const char *key, size_t len)
{
    struct room *room;
    HASH_FIND(hh, r->table, key, len, room);
    if (room)
        return room;
    room = must(alloc(sizeof *room + len + 1));
    memcpy(room->key, key, len);
    HASH_ADD_KEYPTR(hh, r->table, room->key, len, room);
    return room;
}

static void join(struct subscriber *s, struct room *room)
{
    if (room->n == room->cap) {
        room->cap = room->cap ? 2 * room->cap : 2;
        room->members = must(alloc_resize(room->members, room->cap * sizeof *room->members));
    }
    room->members[room->n] = (struct member){s, s->n};
    s->list[s->n++] = (struct membership){room, room->n++};
}

static void leave_all(struct rooms *r, struct subscriber *s)
{
    while (s->n) {
        struct membership m = s->list[--s->n];
        struct room *room = m.room;
        struct member last = room->members[--room->n];
        if (m.at != room->n) {
            room->members[m.at] = last;
            last.subscriber->list[last.back].at = m.at;
        }
        if (room->n == 0) {
            HASH_DEL(r->table, room); // NOLINT: the analyzer does not follow uthash
            free(room->members);
            free(room);
        }
    }
    free(s->list);
    s->list = NULL;
}

/* The next name of a list that is separated by commas; NULL after the last. */
static const char *next_name(const char **list, size_t *len)
{
    while (**list == ',')
        (*list)++;
    const char *name = *list;
    *len = strcspn(name, ",");
    *list += *len;
    return *len ? name : NULL;
}

static int is_member(const struct subscriber *s, const struct room *room)
{
    for (unsigned i = 0; i < s->n; i++)
        if (s->list[i].room == room)
            return 1;
    return 0;
}

void rooms_set(struct rooms *r, struct subscriber *s, const char *nsp, const char *names)
{
    char key[KEY_MAX];
    size_t len, n = 1;
    leave_all(r, s);
    for (const char *p = names; *p; p++)
        n += *p == ',';
    if (!*names)
        return;
    s->list = must(calloc(n, sizeof *s->list));
    for (const char *name; (name = next_name(&names, &len));) {
        size_t k = make_key(key, nsp, name, len);
        struct room *room = k ? find_or_make(r, key, k) : NULL;
        if (room && !is_member(s, room))
            join(s, room);
    }
}

bool rooms_are(const struct rooms *r, const struct subscriber *s, const char *nsp,
               const char *names)
{
    char key[KEY_MAX];
    size_t len;
    unsigned n = 0;
    for (const char *name; (name = next_name(&names, &len)); n++) {
        size_t k = make_key(key, nsp, name, len);
        struct room *room = NULL;
        if (k)
            HASH_FIND(hh, r->table, key, k, room);
        if (!room || !is_member(s, room))
            return false;
    }
    return n == s->n;
}

void rooms_publish(struct rooms *r, const char *nsp, const char *names,
                   void (*receive)(struct subscriber *s, void *ctx), void *ctx)
{
    char key[KEY_MAX];
    size_t len;
    uint64_t number = ++r->publications;
    for (const char *name; (name = next_name(&names, &len));) {
        size_t k = make_key(key, nsp, name, len);
        struct room *room = NULL;
        if (k)
            HASH_FIND(hh, r->table, key, k, room);
        for (unsigned i = 0; room && i < room->n; i++) {
            struct subscriber *s = room->members[i].subscriber;
            if (s->received == number)
                continue;
            s->received = number;
            receive(s, ctx);
        }
    }
}
