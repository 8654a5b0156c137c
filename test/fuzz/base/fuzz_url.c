/*
 * Addresses of the web: host and port of one that is accepted make an address with the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/url.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    char *text = take_text(&in), *again;
    struct url u, v;
    if (url_parse(text, &u)) {
        bool v6 = strchr(u.host, ':');
        expect(is_one_line(text) && !strpbrk(text, " #\\"), "accepted %s", text);
        expect(*u.host && !strpbrk(u.host, "@/?[]"), "the host %s of %s", u.host, text);
        if (asprintf(&again, "http://%s%s%s:%s", v6 ? "[" : "", u.host, v6 ? "]" : "", u.port) < 0)
            abort();
        expect(url_parse(again, &v), "expected %s as %s", text, again);
        expect(strcmp(u.host, v.host) == 0 && strcmp(u.port, v.port) == 0 && u.numeric == v.numeric,
               "expected the same of %s and %s", text, again);
        free(again);
    }
    free(text);
    return 0;
}
