/* peer_store: the memory of incomplete requests and messages; see peer.h. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "net/peer.h"

/* The share of each connection in any case. So many clients that fill receive_bytes keep out only
 * large messages. */
enum { SMALL = 4096 };

static void set_size(struct server_scope *scope, struct peer *peer, size_t size)
{
    if (size == peer->size)
        return;
    engine_receiving(scope->engine, (double)size - (double)peer->size);
    scope->stored += size - peer->size;
    peer->size = size;
}

bool peer_store(struct server_scope *scope, struct peer *peer, const void *in, size_t len)
{
    size_t need = peer->len + len;
    if (need > peer->size) {
        /* Grows by what has arrived, never by what was announced. */
        size_t size = need < SMALL / 2 ? SMALL : 2 * need;
        if (size > scope->config->max_payload && need <= scope->config->max_payload)
            size = scope->config->max_payload;
        if (size > SMALL && scope->stored - peer->size + size > scope->config->receive_bytes)
            return false;
        peer->data = alloc_resize(peer->data, size);
        set_size(scope, peer, size);
    }
    if (len)
        memcpy(peer->data + peer->len, in, len);
    peer->len = need;
    return true;
}

void peer_drop(struct server_scope *scope, struct peer *peer)
{
    free(peer->data);
    peer->data = NULL;
    peer->len = 0;
    set_size(scope, peer, 0);
}

void peer_clear(struct server_scope *scope, struct peer *peer)
{
    peer_drop(scope, peer);
    free(peer->query);
    free(peer->origin);
    free(peer->preflight);
    free(peer->cookie);
    free(peer->answer);
    memset(peer, 0, sizeof *peer);
}
