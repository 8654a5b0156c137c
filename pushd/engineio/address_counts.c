/* address_counts: see address_counts.h. */
#include "engineio/address_counts.h"

#include <stdbool.h>
#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

#include "base/alloc.h"
#include "base/bucket.h"

/* A bucket without debt is full again after a second. */
enum { FULL_MS = 1000 };

struct entry {
    UT_hash_handle hh;
    struct address key;
    unsigned sessions;
    struct bucket handshakes;
    struct entry *prev, *next; /* in the list of those without a session */
};

struct address_counts {
    unsigned most, rate;
    struct entry *entries;
    struct entry *idle; /* ordered by the time of the last handshake, the oldest first */
};

struct address_counts *address_counts_new(unsigned most, unsigned rate)
{
    struct address_counts *c = alloc(sizeof *c);
    c->most = most;
    c->rate = rate;
    return c;
}

static void drop(struct address_counts *c, struct entry *e)
{
    HASH_DEL(c->entries, e); // NOLINT: the analyzer does not follow uthash
    free(e);
}

void address_counts_free(struct address_counts *c)
{
    struct entry *e, *next;
    if (!c)
        return;
    HASH_ITER (hh, c->entries, e, next)
        drop(c, e);
    free(c);
}

/* Removes the entries whose bucket is full again. One may wait here behind a later handshake, for a
 * second. */
static void forget(struct address_counts *c, uint64_t now)
{
    struct entry *e;
    while ((e = c->idle) != NULL && now - e->handshakes.at >= FULL_MS) {
        DL_DELETE(c->idle, e);
        drop(c, e);
    }
}

static struct entry *find(struct address_counts *c, const struct address *key)
{
    struct entry *e;
    HASH_FIND(hh, c->entries, key, sizeof *key, e);
    return e;
}

static enum address_answer judge(const struct address_counts *c, const struct entry *e,
                                 uint64_t now)
{
    if (e && e->sessions >= c->most)
        return ADDRESS_FULL;
    if (e && c->rate && !bucket_has(&e->handshakes, c->rate, 1, now))
        return ADDRESS_FAST;
    return ADDRESS_ADMITTED;
}

enum address_answer address_counts_ask(struct address_counts *c, const struct address *a,
                                       uint64_t now)
{
    struct address key = address_to_count(a);
    return judge(c, find(c, &key), now);
}

enum address_answer address_counts_enter(struct address_counts *c, const struct address *a,
                                         uint64_t now)
{
    struct address key = address_to_count(a);
    forget(c, now);
    struct entry *e = find(c, &key);
    enum address_answer answer = judge(c, e, now);
    if (answer != ADDRESS_ADMITTED)
        return answer;
    if (!e) {
        e = alloc(sizeof *e);
        e->key = key;
        HASH_ADD(hh, c->entries, key, sizeof key, e);
    } else if (e->sessions == 0) {
        DL_DELETE(c->idle, e);
    }
    e->sessions++;
    if (c->rate)
        bucket_take(&e->handshakes, c->rate, 1, now);
    return answer;
}

void address_counts_leave(struct address_counts *c, const struct address *a)
{
    struct address key = address_to_count(a);
    struct entry *e = find(c, &key);
    if (!e || e->sessions == 0 || --e->sessions > 0)
        return;
    if (c->rate)
        DL_APPEND(c->idle, e);
    else
        drop(c, e);
}

size_t address_counts_size(const struct address_counts *c)
{
    return HASH_COUNT(c->entries);
}
