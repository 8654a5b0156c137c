/*
 * names: which names of namespaces, rooms and events are good.
 *
 * A namespace is "/" or "/" and 1 to 63 of A-Z a-z 0-9 _ . -
 * A room is 1 to 128 of A-Z a-z 0-9 _ . : / -   (no comma: pushd gets a list of them as one text)
 * An event's name is 1 to 128 of the same as a room, so that it needs no escape in JSON.
 * A node room is one that only nodes can be in: node_<id>, or a room ending in "/nodes".
 */
#include "postgres.h"

#include "vantage6_events.h"

static bool plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

bool v6e_namespace_ok(const char *name, size_t len)
{
    if (len < 1 || len > 64 || name[0] != '/')
        return false;
    for (size_t i = 1; i < len; i++)
        if (!plain(name[i]))
            return false;
    return true;
}

bool v6e_room_ok(const char *name, size_t len)
{
    if (len < 1 || len > 128)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!plain(name[i]) && name[i] != ':' && name[i] != '/')
            return false;
    return true;
}

bool v6e_node_room(const char *name, size_t len)
{
    static const char prefix[] = "node_", suffix[] = "/nodes";
    size_t n = sizeof(prefix) - 1, m = sizeof(suffix) - 1;

    if (len > m && memcmp(name + len - m, suffix, m) == 0)
        return true;
    if (len <= n || memcmp(name, prefix, n) != 0)
        return false;
    for (size_t i = n; i < len; i++)
        if (name[i] < '0' || name[i] > '9')
            return false;
    return true;
}

bool v6e_event_ok(const char *name, size_t len)
{
    return v6e_room_ok(name, len);
}

/* Names that Socket.IO's client libraries keep for themselves. */
bool v6e_event_reserved(const char *name, size_t len)
{
    static const char *const reserved[] = {"connect",       "connect_error", "disconnect",
                                           "disconnecting", "newListener",   "removeListener"};

    for (size_t i = 0; i < lengthof(reserved); i++)
        if (len == strlen(reserved[i]) && memcmp(name, reserved[i], len) == 0)
            return true;
    return false;
}
