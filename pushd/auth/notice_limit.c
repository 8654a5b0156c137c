/* notice_limit: see notice_limit.h. */
#include "auth/notice_limit.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* The interval for one address; the number of addresses that are kept. */
enum { TELL_MS = 10000, ADDRESSES_MAX = 1024 };

struct noticed {
    UT_hash_handle hh;
    uint64_t at;
    char text[];
};

struct notice_limit {
    struct noticed *table;
};

struct notice_limit *notice_limit_new(void)
{
    struct notice_limit *t = alloc(sizeof *t);
    return t;
}

/* Forgets those notified before. NOLINT here and below: the analyzer does not follow uthash. */
static void forget(struct notice_limit *t, uint64_t before)
{
    struct noticed *a, *next;
    HASH_ITER (hh, t->table, a, next)
        if (a->at < before) {
            HASH_DEL(t->table, a); // NOLINT
            free(a);
        }
}

void notice_limit_free(struct notice_limit *t)
{
    forget(t, UINT64_MAX);
    free(t);
}

bool notice_limit_allows(struct notice_limit *t, const char *address, uint64_t now)
{
    struct noticed *a;
    size_t len = strlen(address);
    if (HASH_COUNT(t->table) >= ADDRESSES_MAX)
        forget(t, now > TELL_MS ? now - TELL_MS : 0);
    HASH_FIND(hh, t->table, address, len, a); // NOLINT
    if (a && now - a->at < TELL_MS)
        return false;
    if (!a && HASH_COUNT(t->table) >= ADDRESSES_MAX)
        return false;
    if (!a) {
        a = alloc(sizeof *a + len + 1);
        memcpy(a->text, address, len);
        HASH_ADD(hh, t->table, text, len, a);
    }
    a->at = now;
    return true;
}
