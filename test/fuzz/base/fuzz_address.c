/*
 * Addresses, nets and X-Forwarded-For. An input is lines: trusted proxies, peer, the header. Nets
 * hold what a comparison bit by bit says; who stands behind the proxies is found once more, from
 * the entries in an array.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "fuzz.h"

enum { HOPS_MAX = 32 }; /* as address.c has it */

static bool bit(const struct address *a, unsigned i)
{
    return a->bytes[i / 8] >> (7 - i % 8) & 1;
}

static bool holds(const struct address_net *net, const struct address *a)
{
    bool good = net->address.v4 == a->v4;
    for (unsigned i = 0; i < net->bits; i++)
        good &= bit(&net->address, i) == bit(a, i);
    return good;
}

static bool trusts(const struct address_list *list, const struct address *a)
{
    bool good = false;
    for (size_t i = 0; i < list->n; i++) {
        struct address_net *net = &list->nets[i];
        const struct address_list one = {net, 1};
        expect(net->bits <= (net->address.v4 ? 32 : 128), "a net of %u bits", net->bits);
        expect(address_list_has(&one, a) == holds(net, a), "expected the other answer of the net");
        good |= holds(net, a);
    }
    return good;
}

static bool equal(const struct address *a, const struct address *b)
{
    return a->v4 == b->v4 && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static void check_parse(const char *text)
{
    struct address a, again;
    unsigned char bytes[16];
    char out[ADDRESS_TEXT];
    bool good = address_parse(text, strlen(text), &a);
    bool known = inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
    expect(good == known || strlen(text) >= ADDRESS_TEXT, "%s: expected the other answer", text);
    if (!good)
        return;
    address_print(&a, out);
    expect(address_parse(out, strlen(out), &again) && equal(&a, &again),
           "expected %s to be read as %s", out, text);
    expect(!strchr(out, ':') == a.v4, "expected the family of %s", out);
}

/* An entry without blanks, brackets and port. */
static bool parse_entry(char *entry, struct address *out)
{
    size_t n;
    entry += strspn(entry, " \t");
    for (n = strlen(entry); n && strchr(" \t", entry[n - 1]);)
        entry[--n] = '\0';
    char *first = strchr(entry, ':'), *last = strrchr(entry, ':'), *port = NULL;
    if (*entry == '[') {
        char *close = strchr(entry, ']');
        if (!close || (close[1] && close[1] != ':'))
            return false;
        port = close[1] ? close + 2 : NULL;
        *close = '\0';
        entry++;
    } else if (first && first == last) {
        port = first + 1;
        *first = '\0';
    }
    if (port && (strlen(port) < 1 || strlen(port) > 5 || strspn(port, "0123456789") < strlen(port)))
        return false;
    return address_parse(entry, strlen(entry), out);
}

static struct address behind(const struct address_list *trusted, const struct address *peer,
                             const char *header)
{
    char *copy = strdup(header), *entries[HOPS_MAX * 8], *rest = copy;
    size_t n = 0;
    struct address client = *peer, hop;
    while (n < sizeof entries / sizeof *entries && (entries[n] = strsep(&rest, ",")))
        n++;
    for (size_t hops = 0; n > 0 && hops < HOPS_MAX && trusts(trusted, &client); hops++) {
        if (!parse_entry(entries[--n], &hop))
            break;
        client = hop;
    }
    free(copy);
    return client;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    const uint8_t *line;
    char *texts[3];
    size_t len, commas = 0;
    struct address_list trusted;
    struct address peer;
    for (int i = 0; i < 3; i++)
        texts[i] = take_line(&in, &line, &len) ? text_of(line, len) : strdup("");
    for (const char *p = texts[2]; *p; p++)
        commas += *p == ',';
    address_list_parse(texts[0], &trusted);
    check_parse(texts[1]);
    check_parse(texts[2]);
    if (commas < HOPS_MAX * 8 && address_parse(texts[1], strlen(texts[1]), &peer)) {
        struct address expected = behind(&trusted, &peer, texts[2]);
        struct address found = address_behind(&trusted, &peer, texts[2]);
        char a[ADDRESS_TEXT], b[ADDRESS_TEXT];
        address_print(&expected, a);
        address_print(&found, b);
        expect(equal(&expected, &found), "expected %s, found %s", a, b);
        expect(trusts(&trusted, &peer) || equal(&peer, &found),
               "expected nobody to be believed who is not trusted");
    }
    address_list_free(&trusted);
    for (int i = 0; i < 3; i++)
        free(texts[i]);
    return 0;
}
