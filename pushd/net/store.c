/* store: see store.h. */
#include "net/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "net/scope.h"

/* The least that is allocated. */
enum { SMALL = 4096 };

bool store_add(struct server_scope *scope, struct store *store, const void *in, size_t len)
{
    size_t need = store->len + len;
    if (need > store->size) {
        /* Grows by what has arrived, never by what was announced. */
        size_t size = need < SMALL / 2 ? SMALL : 2 * need;
        if (size > scope->config->max_payload && need <= scope->config->max_payload)
            size = scope->config->max_payload;
        if (!engine_keep(scope->engine, store->size, size))
            return false;
        store->data = alloc_resize(store->data, size);
        store->size = size;
    }
    if (len)
        memcpy(store->data + store->len, in, len);
    store->len = need;
    return true;
}

void store_clear(struct server_scope *scope, struct store *store)
{
    free(store->data);
    store->data = NULL;
    store->len = 0;
    engine_keep(scope->engine, store->size, 0);
    store->size = 0;
}
