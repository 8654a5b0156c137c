/* Pages of events: for whom they wait, and for how many of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mock_stack.h"

/* An event is more than one send takes with others, so each is sent by itself. */
enum { EVENT = 70000, QUEUE = 40 * EVENT };

static struct mock_stack m;
static char payload[EVENT + 1];

static int setup(void **state)
{
    (void)state;
    memset(payload, 'x', EVENT);
    memcpy(payload, "[\"", 2);
    memcpy(payload + EVENT - 2, "\"]", 2);
    stack_setup(&m, NULL);
    m.config.queue_bytes = QUEUE;
    stack_start(&m);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stack_end(&m);
    return 0;
}

/* Whether the next page waits, after one of so many events. */
static bool page(int events)
{
    while (events--)
        stack_event(&m, 20, "a", payload);
    bool waits = hub_page_waits(m.hub, 0);
    engine_flush(m.engine);
    return waits;
}

/* The client receives one event. */
static void drain(int n)
{
    struct handle *h = &m.net.handle[n];
    h->backlog = false;
    h->stalled = true;
    engine_writable(h->session, h);
    engine_flush(m.engine);
}

static int waited(void)
{
    return (int)m.metrics.value[METRIC_PAGES_WAITED];
}

static void a_page_waits_until_clients_have_received(void **state)
{
    (void)state;
    stack_client(&m, 0, "a", 1);
    assert_false(page(10));
    assert_true(page(30));
    assert_false(hub_page_waits(m.hub, 10)); /* the turn has sent all */
    m.net.handle[0].stalled = true;
    assert_true(page(30));
    assert_true(hub_page_waits(m.hub, 10));
    stack_writable(&m, 0);
    assert_false(hub_page_waits(m.hub, 20));
    assert_int_equal(waited(), 2);
    assert_false(m.net.handle[0].closed);
}

static void it_waits_for_a_limited_time(void **state)
{
    (void)state;
    stack_client(&m, 0, "a", 1);
    m.net.handle[0].stalled = true;
    assert_true(page(30));
    assert_true(hub_page_waits(m.hub, PAGE_WAIT - 1));
    assert_false(hub_page_waits(m.hub, PAGE_WAIT));
}

/* Each has stopped at another page. */
static void nobody_who_has_stopped_is_waited_for(void **state)
{
    static const int slow[] = {1, 10, 40};
    (void)state;
    for (size_t i = 0; i < sizeof slow / sizeof *slow; i++) {
        stack_client(&m, 0, "a", 1);
        for (int n = 1; n <= slow[i]; n++)
            stack_client(&m, n, "a", n + 1);
        for (int n = 1; n <= 38 + slow[i] / 2; n++) {
            if (n <= slow[i])
                m.net.handle[n].stalled = true;
            assert_false(page(1));
        }
        assert_int_equal(waited(), 0);
        stack_stop(&m);
        stack_start(&m);
    }
}

static void who_receives_too_little_is_waited_for_by_a_few_pages(void **state)
{
    (void)state;
    stack_client(&m, 0, "a", 1);
    m.net.handle[0].stalled = true;
    for (int n = 0; n < 100; n++) {
        page(n < 25 ? 1 : 0);
        if (n < 25)
            continue;
        drain(0);
        stack_event(&m, 20, "a", payload);
    }
    assert_false(m.net.handle[0].closed);
    assert_int_equal(waited(), 8);
    stack_writable(&m, 0);
    m.net.handle[0].stalled = true;
    assert_true(page(30)); /* it has caught up */
    assert_int_equal(waited(), 9);
}

static void who_is_gone_is_not_waited_for(void **state)
{
    (void)state;
    stack_client(&m, 0, "a", 1);
    m.net.handle[0].stalled = true;
    assert_true(page(30));
    page(30);
    assert_true(m.net.handle[0].closed);
    assert_false(hub_page_waits(m.hub, 10));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_page_waits_until_clients_have_received),
        TEST(it_waits_for_a_limited_time),
        TEST(nobody_who_has_stopped_is_waited_for),
        TEST(who_receives_too_little_is_waited_for_by_a_few_pages),
        TEST(who_is_gone_is_not_waited_for),
    };
    return cmocka_run_group_tests_name("engine_page_waits", tests, NULL, NULL);
}
