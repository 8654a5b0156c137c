/* Sessions and handshakes of each address; nobody is remembered longer than needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engineio/address_counts.h"

enum { MOST = 3, RATE = 5, ANY = 1000000 };

static struct address at(const char *text)
{
    struct address a;
    if (!address_parse(text, strlen(text), &a))
        fail_msg("expected an address, found \"%s\"", text);
    return a;
}

static enum address_answer enter(struct address_counts *c, const char *text, uint64_t now)
{
    struct address a = at(text);
    enum address_answer asked = address_counts_ask(c, &a, now);
    enum address_answer answer = address_counts_enter(c, &a, now);
    assert_int_equal(asked, answer);
    return answer;
}

static void leave(struct address_counts *c, const char *text)
{
    struct address a = at(text);
    address_counts_leave(c, &a);
}

static void an_address_has_so_many_sessions_and_no_more(void **state)
{
    struct address_counts *c = address_counts_new(MOST, 0);
    (void)state;
    for (int i = 0; i < MOST; i++)
        assert_int_equal(enter(c, "192.0.2.1", 0), ADDRESS_ADMITTED);
    assert_int_equal(enter(c, "192.0.2.1", 0), ADDRESS_FULL);
    assert_int_equal(enter(c, "::ffff:192.0.2.1", 0), ADDRESS_FULL);
    assert_int_equal(enter(c, "192.0.2.2", 0), ADDRESS_ADMITTED);
    leave(c, "192.0.2.1");
    assert_int_equal(enter(c, "192.0.2.1", 0), ADDRESS_ADMITTED);
    assert_int_equal(enter(c, "192.0.2.1", 0), ADDRESS_FULL);
    address_counts_free(c);
}

static void an_address_has_so_many_handshakes_a_second(void **state)
{
    struct address_counts *c = address_counts_new(ANY, RATE);
    (void)state;
    for (int i = 0; i < RATE; i++)
        assert_int_equal(enter(c, "192.0.2.1", 1000), ADDRESS_ADMITTED);
    assert_int_equal(enter(c, "192.0.2.1", 1000), ADDRESS_FAST);
    assert_int_equal(enter(c, "192.0.2.2", 1000), ADDRESS_ADMITTED);
    /* Neither its ends nor those refused count. */
    for (int i = 0; i < RATE; i++)
        leave(c, "192.0.2.1");
    for (int i = 0; i < 100; i++)
        assert_int_equal(enter(c, "192.0.2.1", 1199), ADDRESS_FAST);
    assert_int_equal(enter(c, "192.0.2.1", 1200), ADDRESS_ADMITTED);
    assert_int_equal(enter(c, "192.0.2.1", 1200), ADDRESS_FAST);
    address_counts_free(c);
}

static void asking_counts_nothing(void **state)
{
    struct address_counts *c = address_counts_new(1, 1);
    struct address a = at("192.0.2.1");
    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(address_counts_ask(c, &a, 0), ADDRESS_ADMITTED);
    assert_int_equal(address_counts_size(c), 0);
    assert_int_equal(address_counts_enter(c, &a, 0), ADDRESS_ADMITTED);
    assert_int_equal(address_counts_ask(c, &a, 0), ADDRESS_FULL);
    address_counts_leave(c, &a);
    assert_int_equal(address_counts_ask(c, &a, 999), ADDRESS_FAST);
    assert_int_equal(address_counts_ask(c, &a, 1000), ADDRESS_ADMITTED);
    address_counts_free(c);
}

static void ipv6_is_counted_by_its_net(void **state)
{
    struct address_counts *c = address_counts_new(2, 0);
    (void)state;
    assert_int_equal(enter(c, "2001:db8:0:1::1", 0), ADDRESS_ADMITTED);
    assert_int_equal(enter(c, "2001:db8:0:1:ffff:ffff:ffff:ffff", 0), ADDRESS_ADMITTED);
    assert_int_equal(enter(c, "2001:db8:0:1:8000::", 0), ADDRESS_FULL);
    assert_int_equal(enter(c, "2001:db8:0:2::1", 0), ADDRESS_ADMITTED);
    leave(c, "2001:db8:0:1::77"); /* whichever of the net */
    assert_int_equal(enter(c, "2001:db8:0:1::3", 0), ADDRESS_ADMITTED);
    /* The first bytes of an IPv4 address are no net of IPv6. */
    assert_int_equal(enter(c, "c000:201::", 0), ADDRESS_ADMITTED);
    assert_int_equal(enter(c, "192.0.2.1", 0), ADDRESS_ADMITTED);
    assert_int_equal(enter(c, "192.0.2.1", 0), ADDRESS_ADMITTED);
    assert_int_equal(enter(c, "c000:201::", 0), ADDRESS_ADMITTED);
    assert_int_equal(address_counts_size(c), 4);
    address_counts_free(c);
}

static void who_is_gone_is_forgotten(void **state)
{
    struct address_counts *c = address_counts_new(ANY, RATE);
    char text[32];
    (void)state;
    /* A million addresses, 100 a ms, each for a moment: what is remembered is what a second brings.
     */
    for (unsigned i = 0; i < 1000000; i++) {
        snprintf(text, sizeof text, "%u.%u.%u.1", i >> 16, i >> 8 & 255, i & 255);
        enter(c, text, i / 100);
        leave(c, text);
        assert_true(address_counts_size(c) <= 100 * 1000 + 100);
    }
    enter(c, "192.0.2.1", 20000);
    assert_int_equal(address_counts_size(c), 1);
    enter(c, "192.0.2.2", 50000); /* one who has a session stays */
    assert_int_equal(address_counts_size(c), 2);
    leave(c, "192.0.2.1");
    leave(c, "192.0.2.2");
    enter(c, "192.0.2.3", 51000);
    leave(c, "192.0.2.3");
    assert_int_equal(address_counts_size(c), 1);
    address_counts_free(c);
    c = address_counts_new(ANY, 0); /* without a rate, at once */
    enter(c, "192.0.2.1", 0);
    leave(c, "192.0.2.1");
    assert_int_equal(address_counts_size(c), 0);
    address_counts_free(c);
}

static void who_left_and_comes_back_has_the_same_bucket(void **state)
{
    struct address_counts *c = address_counts_new(1, 2);
    (void)state;
    assert_int_equal(enter(c, "192.0.2.1", 0), ADDRESS_ADMITTED);
    leave(c, "192.0.2.1");
    assert_int_equal(enter(c, "192.0.2.1", 100), ADDRESS_ADMITTED);
    leave(c, "192.0.2.1");
    assert_int_equal(enter(c, "192.0.2.1", 200), ADDRESS_FAST);
    leave(c, "192.0.2.9"); /* never came */
    leave(c, "192.0.2.1"); /* left already */
    assert_int_equal(enter(c, "192.0.2.1", 500), ADDRESS_ADMITTED);
    assert_int_equal(enter(c, "192.0.2.1", 500), ADDRESS_FULL);
    assert_int_equal(enter(c, "192.0.2.2", 9000), ADDRESS_ADMITTED); /* who is gone is forgotten */
    assert_int_equal(enter(c, "192.0.2.1", 9000), ADDRESS_FULL);     /* and it is not */
    address_counts_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_so_many_sessions_and_no_more),
        cmocka_unit_test(an_address_has_so_many_handshakes_a_second),
        cmocka_unit_test(asking_counts_nothing),
        cmocka_unit_test(ipv6_is_counted_by_its_net),
        cmocka_unit_test(who_is_gone_is_forgotten),
        cmocka_unit_test(who_left_and_comes_back_has_the_same_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
