/* Addresses to listen on, from vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "base/listen.h"
#include "vectors.h"

static void print(const struct sockaddr_storage *a, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "";
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    memcpy(&v4, a, sizeof v4);
    memcpy(&v6, a, sizeof v6);
    bool is_v4 = a->ss_family == AF_INET;
    if (!is_v4 && a->ss_family != AF_INET6)
        fail_msg("expected an address of IPv4 or IPv6, found family %d", a->ss_family);
    inet_ntop(a->ss_family, is_v4 ? (void *)&v4.sin_addr : (void *)&v6.sin6_addr, host,
              sizeof host);
    snprintf(out, size, "%s %u", host, ntohs(is_v4 ? v4.sin_port : v6.sin6_port));
}

static void check(const struct vector *v)
{
    struct sockaddr_storage a;
    char found[64] = "-";
    assert_int_equal(v->n, 2);
    memset(&a, 0xff, sizeof a);
    if (listen_parse(v->field[0].text, &a))
        print(&a, found, sizeof found);
    if (strcmp(found, v->field[1].text) != 0)
        fail_msg("%s: found %s", v->line, found);
}

static void addresses_are_read(void **state)
{
    (void)state;
    vectors_each("base/listen.txt", 30, check);
}

/* What bind() reads of it beyond address and port is zero. */
static void nothing_else_is_set(void **state)
{
    struct sockaddr_in6 expected = {
        .sin6_family = AF_INET6, .sin6_port = htons(7602), .sin6_addr = in6addr_loopback};
    struct sockaddr_storage found;
    (void)state;
    memset(&found, 0xff, sizeof found);
    assert_true(listen_parse("[::1]:7602", &found));
    assert_memory_equal(&found, &expected, sizeof expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(nothing_else_is_set),
    };
    return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
