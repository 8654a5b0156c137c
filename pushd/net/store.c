/* store: see store.h. */
#include "net/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "net/scope.h"

/* The share of each connection in any case. So many clients that fill receive_bytes keep out only
 * large messages. */
enum { SMALL = 4096 };

static void set_size(struct server_scope *scope, struct store *store, size_t size)
{
    if (size == store->size)
        return;
    engine_receiving(scope->engine, (double)size - (double)store->size);
    scope->stored += size - store->size;
    store->size = size;
}

bool store_add(struct server_scope *scope, struct store *store, const void *in, size_t len)
{
    size_t need = store->len + len;
    if (need > store->size) {
        /* Grows by what has arrived, never by what was announced. */
        size_t size = need < SMALL / 2 ? SMALL : 2 * need;
        if (size > scope->config->max_payload && need <= scope->config->max_payload)
            size = scope->config->max_payload;
        if (size > SMALL && scope->stored - store->size + size > scope->config->receive_bytes)
            return false;
        store->data = alloc_resize(store->data, size);
        set_size(scope, store, size);
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
    set_size(scope, store, 0);
}
