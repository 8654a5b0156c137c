/* Query strings: the last of each name counts, as another way of reading finds it; what is too long
 * for its place equals no legal value. */
#include <stdlib.h>
#include <string.h>

#include "engineio/query.h"
#include "fuzz.h"

/* The value of the last parameter of this name: from the end, without a table. "" if absent. */
static char *last_value(const char *query, const char *name)
{
    size_t len = strlen(name);
    for (const char *p = query + strlen(query);; p--) {
        bool begins = p == query || p[-1] == '&';
        if (begins && strncmp(p, name, len) == 0 && strchr("=&", p[len])) {
            const char *value = p + len + (p[len] == '=');
            return strndup(value, strcspn(value, "&"));
        }
        if (p == query)
            return strdup("");
    }
}

static void check(const char *query, const char *name, const char *found, size_t size)
{
    char *value = last_value(query, name);
    size_t len = strnlen(found, size);
    expect(len < size, "%s has no end", name);
    if (strlen(value) < size)
        expect(strcmp(value, found) == 0, "%s: expected %s, found %s", name, value, found);
    else
        expect(len == size - 1, "%s: cut to %zu bytes", name, len);
    free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *query = text_of(data, size);
    struct parameters p = query_parse(query);
    check(query, "EIO", p.eio, sizeof p.eio);
    check(query, "transport", p.transport, sizeof p.transport);
    check(query, "sid", p.sid, sizeof p.sid);
    free(query);
    return 0;
}
