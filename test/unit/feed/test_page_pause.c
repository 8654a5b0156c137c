/* Pages of a read that wait for slow clients: which are worth it, and for how long in all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engineio/session.h"
#include "feed/page_pause.h"
#include "mock_stack.h"

/* A GET takes a page of 256 KB. */
enum { FRAME = 16384, PAGE_BYTES = POLL_PACKETS * FRAME, CLIENTS = 100 };

static struct mock_stack m;
static struct page_pause pause;
static char sids[CLIENTS][SID_LEN + 1]; /* of polling clients, which read if they send a GET */

static int setup(void **state)
{
    (void)state;
    stack_setup(&m, NULL);
    stack_start(&m);
    m.net.engine = NULL;
    memset(&pause, 0, sizeof pause);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stack_end(&m);
    return 0;
}

static struct session *session_of(int client)
{
    return session_find(m.engine, sids[client]);
}

static void connect_clients(int n)
{
    for (int i = 0; i < n; i++) {
        memcpy(sids[i], stack_handshake(&m, NULL), sizeof sids[i]);
        session_of(i)->served = true;
    }
}

static void queue(int client, int frames)
{
    static char bytes[FRAME] = "4";
    memset(bytes + 1, 'x', sizeof bytes - 1);
    for (int i = 0; i < frames && session_of(client); i++) {
        struct frame *f = frame_new(1, &(struct frame_part){bytes, sizeof bytes});
        session_queue(session_of(client), f);
        frame_unref(f);
    }
    engine_flush(m.engine);
}

static void fill_just_over_half(int client)
{
    while (session_of(client)->queue.bytes <= m.config.queue_bytes / 2)
        queue(client, 1);
}

static void take(int client)
{
    char query[128];
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sids[client]);
    stack_get(&m, 0, query);
}

/* A page for the first n clients. Client 0 takes as much every take_ms (0 = never). Returns for how
 * long the page waited. */
static uint64_t page(int n, uint64_t take_ms)
{
    uint64_t began = m.now;
    for (int i = 0; i < n; i++)
        queue(i, POLL_PACKETS);
    page_pause_page(&pause, POLL_PACKETS, PAGE_BYTES, m.now);
    while (page_pause_more(&pause, engine_worth_waiting(m.engine, m.now), &m.metrics, m.now)) {
        m.now += PAGE_PAUSE_MS;
        if (take_ms && m.now % take_ms == 0)
            take(0);
    }
    return m.now - began;
}

static int pages_waited(void)
{
    return (int)m.metrics.value[METRIC_PAGES_WAITED];
}

static void clients_that_do_not_read_delay_one_page(int n)
{
    connect_clients(n);
    for (int i = 0; i < n; i++)
        fill_just_over_half(i);
    for (int i = 0; i < 6; i++)
        assert_int_equal(page(n, 0), i == 0 ? HALF_FULL_PATIENCE : 0);
    assert_int_equal(pages_waited(), 1);
    for (int i = 0; i < n; i++)
        assert_non_null(session_of(i));
}

static void one_that_does_not_read_delays_one_page(void **state)
{
    (void)state;
    clients_that_do_not_read_delay_one_page(1);
}

static void ten_that_do_not_read_delay_one_page(void **state)
{
    (void)state;
    clients_that_do_not_read_delay_one_page(10);
}

static void a_hundred_that_do_not_read_delay_one_page(void **state)
{
    (void)state;
    clients_that_do_not_read_delay_one_page(CLIENTS);
}

static void later_reads_do_not_wait_for_it_either(void **state)
{
    (void)state;
    connect_clients(1);
    fill_just_over_half(0);
    page(1, 0);
    m.now += 60000;
    assert_int_equal(page(1, 0), 0);
}

static void it_is_waited_for_again_when_it_reads(void **state)
{
    (void)state;
    connect_clients(1);
    fill_just_over_half(0);
    page(1, 0);
    assert_int_equal(page(1, 0), 0);
    take(0);
    assert_true(page(1, 0) > 0);
}

static void one_that_reads_is_waited_for_until_its_queue_is_less_than_half_full(void **state)
{
    (void)state;
    connect_clients(1);
    fill_just_over_half(0);
    assert_in_range(page(1, 20), 20, 60);
    assert_false(session_of(0)->queue.half_full.listed);
    assert_int_equal(pages_waited(), 1);
}

/* 256 KB in 60 ms are more than PAGE_PAUSE_RATE. */
static void one_that_reads_at_the_rate_gets_a_commit_of_any_size(void **state)
{
    (void)state;
    connect_clients(1);
    for (int i = 0; i < 500; i++) {
        page(1, 60);
        assert_non_null(session_of(0));
    }
    assert_true(pages_waited() > 400);
}

/* Milliseconds that a page of this kind adds to the allowance. */
static uint64_t earned_by(uint64_t events, uint64_t bytes)
{
    return (bytes + events * PAGE_PAUSE_EVENT) * 1000 / PAGE_PAUSE_RATE;
}

static uint64_t waits_of(int pages, uint64_t page_ms)
{
    uint64_t waited = 0;
    for (int i = 0; i < pages; i++) {
        page_pause_page(&pause, POLL_PACKETS, PAGE_BYTES, m.now);
        uint64_t began = m.now;
        while (page_pause_more(&pause, true, &m.metrics, m.now))
            m.now += PAGE_PAUSE_MS;
        waited += m.now - began;
        m.now += page_ms;
    }
    return waited;
}

/* However they read: the worst that they can do is that it is always worth waiting. */
static void what_slow_clients_delay_in_all_is_bounded(void **state)
{
    (void)state;
    uint64_t waited = waits_of(1000, 0);
    assert_in_range(waited, PAGE_PAUSE_MOST,
                    PAGE_PAUSE_MOST + 1000 * (earned_by(POLL_PACKETS, PAGE_BYTES) + 1));
    m.now += 200000;
    assert_in_range(waits_of(1, 0), PAGE_PAUSE_MOST - PAGE_PAUSE_MS, PAGE_PAUSE_MOST);
}

/* A frame has more than its payload: a namespace, an offset. */
static void small_events_earn_what_their_frames_take(void **state)
{
    enum { EVENTS = 1000, PAYLOAD = 35 };
    (void)state;
    waits_of(1000, 0);
    page_pause_page(&pause, EVENTS, (size_t)EVENTS * PAYLOAD, m.now);
    uint64_t began = m.now;
    while (page_pause_more(&pause, true, &m.metrics, m.now))
        m.now += PAGE_PAUSE_MS;
    uint64_t most = earned_by(EVENTS, EVENTS * PAYLOAD) + PAGE_PAUSE_MS;
    assert_in_range(m.now - began, 40, most);
}

/* It falls below the half just before it would be waited for no more, again and again. */
static void one_that_takes_as_late_as_it_can_gains_little(void **state)
{
    uint64_t waited = 0;
    (void)state;
    connect_clients(1);
    fill_just_over_half(0);
    for (int i = 0; i < 100; i++)
        waited += page(1, HALF_FULL_PATIENCE - PAGE_PAUSE_MS);
    assert_in_range(waited, 1, PAGE_PAUSE_MOST + 100 * (earned_by(POLL_PACKETS, PAGE_BYTES) + 1));
}

static void the_allowance_is_full_again_after_a_while(void **state)
{
    (void)state;
    waits_of(1000, 0);
    m.now += 1000;
    assert_in_range(waits_of(1, 0), 0, 20 + 70);
    m.now += 100000;
    assert_in_range(waits_of(1, 0), PAGE_PAUSE_MOST - PAGE_PAUSE_MS, PAGE_PAUSE_MOST);
    m.now += 1000000000;
    assert_in_range(waits_of(1, 0), PAGE_PAUSE_MOST - PAGE_PAUSE_MS, PAGE_PAUSE_MOST);
}

static void a_pause_that_takes_longer_costs_as_much(void **state)
{
    (void)state;
    page_pause_page(&pause, 0, 0, m.now);
    assert_true(page_pause_more(&pause, true, &m.metrics, m.now));
    m.now += PAGE_PAUSE_MOST;
    assert_false(page_pause_more(&pause, true, &m.metrics, m.now));
}

static void a_read_that_was_lost_in_a_pause_costs_nothing(void **state)
{
    (void)state;
    page_pause_page(&pause, 0, 0, m.now);
    assert_true(page_pause_more(&pause, true, &m.metrics, m.now));
    m.now += 100000;
    page_pause_page(&pause, 0, 0, m.now);
    assert_true(page_pause_more(&pause, true, &m.metrics, m.now));
}

static void nothing_waits_for_nobody(void **state)
{
    (void)state;
    connect_clients(1);
    page(1, 0);
    assert_int_equal(pages_waited(), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(one_that_does_not_read_delays_one_page),
        TEST(ten_that_do_not_read_delay_one_page),
        TEST(a_hundred_that_do_not_read_delay_one_page),
        TEST(later_reads_do_not_wait_for_it_either),
        TEST(it_is_waited_for_again_when_it_reads),
        TEST(one_that_reads_is_waited_for_until_its_queue_is_less_than_half_full),
        TEST(one_that_reads_at_the_rate_gets_a_commit_of_any_size),
        TEST(what_slow_clients_delay_in_all_is_bounded),
        TEST(small_events_earn_what_their_frames_take),
        TEST(one_that_takes_as_late_as_it_can_gains_little),
        TEST(the_allowance_is_full_again_after_a_while),
        TEST(a_pause_that_takes_longer_costs_as_much),
        TEST(a_read_that_was_lost_in_a_pause_costs_nothing),
        TEST(nothing_waits_for_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
