/*
 * address: IP addresses, nets (CIDR), and the client's address behind trusted proxies
 * (X-Forwarded-For).
 *
 * An IPv4 address that is written as IPv6 (::ffff:192.0.2.1) is the IPv4 address. A net is an
 * address and the number of bits that count (192.0.2.0/24). It holds addresses of its own family
 * only.
 */
#ifndef PUSHD_ADDRESS_H
#define PUSHD_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

enum { ADDRESS_TEXT = 46 }; /* with the zero byte: INET6_ADDRSTRLEN */

struct address {
    bool v4;
    unsigned char bytes[16]; /* an IPv4 address uses the first four; the rest is zero */
};

/* Only the address: no port, no brackets, no zone, no blanks. */
bool address_parse(const char *text, size_t len, struct address *out);
void address_print(const struct address *a, char out[ADDRESS_TEXT]);

/*
 * The address by which the limits of one address count a.
 *
 * Of an IPv6 address only the first 64 bits count, the net that a site gives to one link. A host
 * may use any address of it and changes it daily (privacy extensions), so counting whole addresses
 * would limit nobody.
 */
struct address address_to_count(const struct address *a);

struct address_net {
    struct address address;
    unsigned bits;
};

/* A single address is a net of one. */
bool address_net_parse(const char *text, size_t len, struct address_net *out);
/* False if bits are set that do not count, as in 192.0.2.1/24: the meaning is ambiguous. */
bool address_net_exact(const struct address_net *net);

/* The nets of a list that is separated by blanks or commas. */
struct address_list {
    struct address_net *nets;
    size_t n;
};

/* Skips words that are not nets: option_check has refused them. Free with address_list_free(). */
void address_list_parse(const char *text, struct address_list *out);
void address_list_free(struct address_list *list);
bool address_list_has(const struct address_list *list, const struct address *a);

/*
 * The address of the client behind a connection from peer. forwarded_for is X-Forwarded-For (NULL =
 * none; several headers are joined by commas).
 *
 * Each proxy appends the address from which it received the request. So the client is the first
 * address from the right that is not a trusted proxy: the client may have written the rest itself.
 * An entry that is not an address ends the search at the last address before it. If all are
 * trusted, the leftmost is the client. Entries may have brackets and a port.
 */
struct address address_behind(const struct address_list *trusted, const struct address *peer,
                              const char *forwarded_for);

#endif
