/* address: see address.h. */
#include "base/address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/decimal.h"
#include "base/words.h"

#define DIGITS "0123456789"
#define BLANKS " \t"

/* A chain of proxies is configured, so it is short. A longer header is made up. */
enum { V4_BITS = 32, V6_BITS = 128, MAPPED_BITS = 96, HOPS_MAX = 32 };

static const unsigned char MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* --- text --- */

static bool is_mapped(const unsigned char bytes[16])
{
    return memcmp(bytes, MAPPED, sizeof MAPPED) == 0;
}

static bool parse(const char *text, size_t len, struct address *out, bool *mapped)
{
    char copy[ADDRESS_TEXT];
    *mapped = false;
    *out = (struct address){0};
    if (len >= sizeof copy || memchr(text, '\0', len))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (inet_pton(AF_INET, copy, out->bytes) == 1) {
        out->v4 = true;
        return true;
    }
    if (inet_pton(AF_INET6, copy, out->bytes) != 1)
        return false;
    if (is_mapped(out->bytes)) {
        memmove(out->bytes, out->bytes + sizeof MAPPED, 4);
        memset(out->bytes + 4, 0, sizeof out->bytes - 4);
        *mapped = out->v4 = true;
    }
    return true;
}

bool address_parse(const char *text, size_t len, struct address *out)
{
    bool mapped;
    return parse(text, len, out, &mapped);
}

void address_print(const struct address *a, char out[ADDRESS_TEXT])
{
    if (!inet_ntop(a->v4 ? AF_INET : AF_INET6, a->bytes, out, ADDRESS_TEXT))
        out[0] = '\0';
}

struct address address_to_count(const struct address *a)
{
    enum { V6_BYTES = 8 };
    struct address counted = {.v4 = a->v4};
    memcpy(counted.bytes, a->bytes, a->v4 ? sizeof counted.bytes : V6_BYTES);
    return counted;
}

/* --- nets --- */

bool address_net_parse(const char *text, size_t len, struct address_net *out)
{
    const char *slash = memchr(text, '/', len);
    size_t head = slash ? (size_t)(slash - text) : len;
    bool mapped;
    if (!parse(text, head, &out->address, &mapped))
        return false;
    uint64_t max = out->address.v4 && !mapped ? V4_BITS : V6_BITS, bits = max;
    if (slash &&
        ((slash[1] == '0' && len - head > 2) || !decimal(slash + 1, len - head - 1, max, &bits)))
        return false;
    if (mapped && bits < MAPPED_BITS)
        return false;
    out->bits = (unsigned)(mapped ? bits - MAPPED_BITS : bits);
    return true;
}

/* The mask of the i-th byte. */
static unsigned char mask(unsigned bits, unsigned i)
{
    return bits >= 8 * (i + 1) ? 0xff : bits <= 8 * i ? 0 : (unsigned char)(0xff << (8 - bits % 8));
}

static bool net_has(const struct address_net *net, const struct address *a)
{
    unsigned char differs = net->address.v4 != a->v4;
    for (unsigned i = 0; i < sizeof a->bytes; i++)
        differs |= (net->address.bytes[i] ^ a->bytes[i]) & mask(net->bits, i);
    return differs == 0;
}

bool address_net_exact(const struct address_net *net)
{
    unsigned char beyond = 0;
    for (unsigned i = 0; i < sizeof net->address.bytes; i++)
        beyond |= net->address.bytes[i] & (unsigned char)~mask(net->bits, i);
    return beyond == 0;
}

void address_list_parse(const char *text, struct address_list *out)
{
    const char *word;
    size_t len;
    *out = (struct address_list){0};
    for (size_t i = 0; (len = words_get(text, i, &word)) > 0; i++) {
        struct address_net net;
        if (!address_net_parse(word, len, &net))
            continue;
        out->nets = alloc_resize(out->nets, (out->n + 1) * sizeof net);
        out->nets[out->n++] = net;
    }
}

void address_list_free(struct address_list *list)
{
    free(list->nets);
    *list = (struct address_list){0};
}

bool address_list_has(const struct address_list *list, const struct address *a)
{
    for (size_t i = 0; i < list->n; i++)
        if (net_has(&list->nets[i], a))
            return true;
    return false;
}

/* --- proxies --- */

static bool is_port(const char *text, size_t len)
{
    return *text == ':' && len >= 2 && len <= 6 && strspn(text + 1, DIGITS) >= len - 1;
}

/* 192.0.2.1, 192.0.2.1:443, 2001:db8::1, [2001:db8::1], [2001:db8::1]:443 */
static bool parse_hop(const char *text, size_t len, struct address *out)
{
    const char *host = text, *end = text + len;
    while (host < end && strchr(BLANKS, *host))
        host++;
    while (host < end && strchr(BLANKS, end[-1]))
        end--;
    const char *stop = end, *rest = end;
    const char *colon = memchr(host, ':', (size_t)(end - host));
    if (host < end && *host == '[') {
        stop = memchr(host, ']', (size_t)(end - host));
        if (!stop)
            return false;
        host++;
        rest = stop + 1;
    } else if (colon && !memchr(colon + 1, ':', (size_t)(end - colon - 1))) {
        stop = rest = colon;
    }
    return (rest == end || is_port(rest, (size_t)(end - rest))) &&
           address_parse(host, (size_t)(stop - host), out);
}

struct address address_behind(const struct address_list *trusted, const struct address *peer,
                              const char *forwarded_for)
{
    struct address client = *peer, hop;
    const char *end = forwarded_for ? forwarded_for + strlen(forwarded_for) : NULL;
    for (int hops = 0; end && hops < HOPS_MAX && address_list_has(trusted, &client); hops++) {
        const char *comma = memrchr(forwarded_for, ',', (size_t)(end - forwarded_for));
        const char *start = comma ? comma + 1 : forwarded_for;
        if (!parse_hop(start, (size_t)(end - start), &hop))
            break;
        client = hop;
        end = comma;
    }
    return client;
}
