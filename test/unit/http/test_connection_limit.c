/* Connections without a session, by address. What is not freed when nothing counts any more,
 * AddressSanitizer finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/connection_limit.h"

enum { MOST = 3 };

static bool enter_of(struct connection_limit *l, struct counted *c, const char *text,
                     struct counted **over)
{
    struct address a;
    if (!address_parse(text, strlen(text), &a))
        fail_msg("expected an address, found \"%s\"", text);
    return connection_limit_enter(l, c, &a, over);
}

/* It counts, and no other has to go. */
static void enters(struct connection_limit *l, struct counted *c, const char *text)
{
    struct counted *over;
    if (!enter_of(l, c, text, &over))
        fail_msg("expected that %s has room, found that it is full", text);
    assert_null(over);
    assert_non_null(c->of);
}

static void is_full(struct connection_limit *l, const char *text)
{
    struct counted c = {0}, *over = &c;
    if (enter_of(l, &c, text, &over))
        fail_msg("expected that %s is full, found that it has room", text);
    assert_null(over);
    assert_null(c.of);
}

/* It counts instead of that one. */
static void enters_for(struct connection_limit *l, struct counted *c, const char *text,
                       const struct counted *expected)
{
    struct counted *over;
    assert_true(enter_of(l, c, text, &over));
    assert_ptr_equal(over, expected);
    assert_null(expected->of);
    assert_false(expected->idle);
    assert_non_null(c->of);
}

static void leave(struct connection_limit *l, struct counted *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        connection_limit_leave(l, &c[i]);
}

static void an_address_has_so_many_connections_and_no_more(void **state)
{
    struct connection_limit *l = connection_limit_new(MOST);
    struct counted c[MOST + 1] = {0};
    (void)state;
    for (int i = 0; i < MOST; i++)
        enters(l, &c[i], "192.0.2.1");
    is_full(l, "192.0.2.1");
    is_full(l, "::ffff:192.0.2.1");
    enters(l, &c[MOST], "192.0.2.2");
    connection_limit_leave(l, &c[1]);
    assert_null(c[1].of);
    connection_limit_leave(l, &c[1]); /* it has left already */
    enters(l, &c[1], "192.0.2.1");
    is_full(l, "192.0.2.1");
    leave(l, c, MOST + 1);
    connection_limit_free(l);
}

static void the_one_that_is_idle_longest_makes_room(void **state)
{
    struct connection_limit *l = connection_limit_new(MOST);
    struct counted c[MOST + 3] = {0};
    (void)state;
    for (int i = 0; i < MOST; i++)
        enters(l, &c[i], "192.0.2.1");
    connection_limit_idle(&c[2], true);
    connection_limit_idle(&c[0], true);
    connection_limit_idle(&c[1], true);
    connection_limit_idle(&c[2], true); /* it has been since before the others */
    enters_for(l, &c[3], "192.0.2.1", &c[2]);
    connection_limit_busy(&c[0]); /* a request: it is the last when it waits again */
    connection_limit_idle(&c[0], true);
    enters_for(l, &c[4], "192.0.2.1", &c[1]);
    enters_for(l, &c[5], "192.0.2.1", &c[0]);
    is_full(l, "192.0.2.1");
    leave(l, c, MOST + 3);
    connection_limit_free(l);
}

static void one_that_has_not_served_its_client_makes_room_first(void **state)
{
    struct connection_limit *l = connection_limit_new(MOST);
    struct counted c[MOST + 2] = {0};
    (void)state;
    for (int i = 0; i < MOST; i++)
        enters(l, &c[i], "192.0.2.1");
    connection_limit_idle(&c[0], true);
    connection_limit_idle(&c[1], false);
    connection_limit_idle(&c[2], true);
    enters_for(l, &c[MOST], "192.0.2.1", &c[1]);
    enters_for(l, &c[MOST + 1], "192.0.2.1", &c[0]);
    leave(l, c, MOST + 2);
    connection_limit_free(l);
}

static void idle_ones_stay_while_there_is_room(void **state)
{
    struct connection_limit *l = connection_limit_new(MOST);
    struct counted c[MOST + 2] = {0};
    (void)state;
    for (int i = 0; i < MOST; i++) {
        enters(l, &c[i], "192.0.2.1");
        connection_limit_idle(&c[i], true);
    }
    enters(l, &c[MOST], "192.0.2.2"); /* the room of another address is its own */
    connection_limit_leave(l, &c[0]);
    assert_false(c[0].idle);
    enters(l, &c[0], "192.0.2.1");
    enters_for(l, &c[MOST + 1], "192.0.2.1", &c[1]);
    leave(l, c, MOST + 2);
    connection_limit_free(l);
}

static void one_that_holds_a_poll_does_not_count(void **state)
{
    struct connection_limit *l = connection_limit_new(1);
    struct counted held = {0}, other = {0};
    (void)state;
    for (int i = 0; i < 3; i++) {
        enters(l, &held, "192.0.2.1");
        connection_limit_leave(l, &held);
        connection_limit_idle(&held, true); /* what does not count is not idle either */
        assert_false(held.idle);
        enters(l, &other, "192.0.2.1");
        is_full(l, "192.0.2.1");
        connection_limit_idle(&other, true);
        enters_for(l, &held, "192.0.2.1", &other); /* answered: it waits for its next request */
        connection_limit_leave(l, &held);
    }
    connection_limit_free(l);
}

static void ipv6_is_counted_by_its_net(void **state)
{
    struct connection_limit *l = connection_limit_new(2);
    struct counted c[5] = {0};
    (void)state;
    enters(l, &c[0], "2001:db8:0:1::1");
    enters(l, &c[1], "2001:db8:0:1:ffff:ffff:ffff:ffff");
    is_full(l, "2001:db8:0:1:8000::");
    enters(l, &c[2], "2001:db8:0:2::1");
    connection_limit_idle(&c[1], true);
    enters_for(l, &c[3], "2001:db8:0:1::77", &c[1]); /* whichever of the net */
    is_full(l, "2001:db8:0:1::3");
    enters(l, &c[4], "::1");
    leave(l, c, 5);
    connection_limit_free(l);
}

static void many_addresses_leave_nothing_behind(void **state)
{
    enum { MANY = 5000 };
    struct connection_limit *l = connection_limit_new(2);
    struct counted *c = calloc(2 * (size_t)MANY, sizeof *c);
    char text[32];
    (void)state;
    assert_non_null(c);
    for (unsigned i = 0; i < 2 * MANY; i++) {
        snprintf(text, sizeof text, "192.%u.%u.1", i % MANY >> 8, i % MANY & 255);
        enters(l, &c[i], text);
        if (i % 3 == 0)
            connection_limit_idle(&c[i], true);
    }
    leave(l, c, 2 * (size_t)MANY);
    connection_limit_free(l);
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_so_many_connections_and_no_more),
        cmocka_unit_test(the_one_that_is_idle_longest_makes_room),
        cmocka_unit_test(one_that_has_not_served_its_client_makes_room_first),
        cmocka_unit_test(idle_ones_stay_while_there_is_room),
        cmocka_unit_test(one_that_holds_a_poll_does_not_count),
        cmocka_unit_test(ipv6_is_counted_by_its_net),
        cmocka_unit_test(many_addresses_leave_nothing_behind),
    };
    return cmocka_run_group_tests_name("connection_limit", tests, NULL, NULL);
}
