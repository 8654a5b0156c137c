/* All sockets of one principal: how many there may be, and when none of them is read from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mock_stack.h"

static struct mock_stack m;

static int setup(void **state)
{
    (void)state;
    stack_setup(&m, NULL);
    m.config.ping_interval = m.config.ping_timeout = 100000000;
    m.config.max_connections_per_principal = 2;
    free(m.config.namespaces);
    m.config.namespaces = strdup("/tasks /b");
    stack_start(&m);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stack_end(&m);
    return 0;
}

static int metric(enum metric_id id)
{
    return (int)m.metrics.value[id];
}

static void pause_for(int64_t principal, uint64_t ms)
{
    hub_pause(m.hub, principal, ms, m.now);
    engine_flush(m.engine);
}

/* Which of the WebSockets 0 to 3 are open, and which are read from. */
static const char *open_ones(void)
{
    static char text[5];
    for (int i = 0; i < 4; i++)
        text[i] = !m.net.handle[i].session || m.net.handle[i].closed ? '-'
                  : m.net.handle[i].paused                           ? 'p'
                                                                     : 'o';
    return text;
}

static void the_oldest_makes_room_and_others_do_not(void **state)
{
    (void)state;
    stack_client(&m, 0, "a", 1);
    stack_client(&m, 1, "a", 2);
    stack_client(&m, 2, "a", 1);
    assert_string_equal(open_ones(), "ooo-");
    assert_int_equal(metric(METRIC_CLOSED_PRINCIPAL), 0);
    m.mock.asked[0] = '\0';
    stack_client(&m, 3, "a", 1);
    assert_string_equal(open_ones(), "-ooo");
    assert_non_null(strstr(m.mock.asked, "disconnect too many connections 0\n"));
    assert_int_equal(metric(METRIC_CLOSED_PRINCIPAL), 1);
    stack_client(&m, 0, "a", 1); /* back again, the next one goes */
    assert_string_equal(open_ones(), "oo-o");
    assert_int_equal(metric(METRIC_CLOSED_PRINCIPAL), 2);
}

static void who_has_left_does_not_count(void **state)
{
    (void)state;
    stack_client(&m, 0, "a", 1);
    stack_client(&m, 1, "a", 1);
    stack_say(&m, 0, "41/tasks,");
    stack_client(&m, 2, "a", 1);
    assert_false(m.net.handle[1].closed);
    assert_int_equal(metric(METRIC_CLOSED_PRINCIPAL), 0);
}

static void a_socket_may_change_hands(void **state)
{
    char sid[32];
    (void)state;
    stack_client(&m, 0, "a", 1);
    stack_client(&m, 1, "a", 1);
    strcpy(sid, m.mock.sid);
    stack_set_rooms(&m, sid, "a", 1, NULL); /* as after each opening of the database */
    stack_set_rooms(&m, sid, "a", 2, NULL);
    stack_client(&m, 2, "a", 1);
    assert_string_equal(open_ones(), "ooo-");
    stack_set_rooms(&m, sid, "", 0, NULL);
    stack_client(&m, 3, "a", 2);
    assert_string_equal(open_ones(), "oooo");
    stack_set_rooms(&m, sid, "a", 1, NULL);
    assert_string_equal(open_ones(), "-ooo");
}

static void none_is_read_from_for_a_while_and_others_are(void **state)
{
    (void)state;
    stack_client(&m, 0, "a", 1);
    stack_client(&m, 1, "a", 1);
    stack_client(&m, 2, "a", 2);
    pause_for(1, 5000);
    assert_string_equal(open_ones(), "ppo-");
    assert_int_equal(metric(METRIC_PAUSED_PRINCIPAL), 2);
    stack_event(&m, 20, "a", "[\"e\"]");
    engine_flush(m.engine);
    assert_string_equal(stack_received(&m, 0), "42/tasks,[\"e\"]\n");
    stack_pass(&m, 4999);
    assert_string_equal(open_ones(), "ppo-");
    stack_pass(&m, 1);
    assert_string_equal(open_ones(), "ooo-");
}

static void a_new_socket_does_not_end_the_pause(void **state)
{
    (void)state;
    stack_client(&m, 0, "a", 1);
    pause_for(1, 5000);
    stack_client(&m, 1, "a", 1);
    assert_string_equal(open_ones(), "pp--");
    stack_client(&m, 2, "a", 1);
    assert_string_equal(open_ones(), "-pp-");
    engine_close_some(m.engine, SIZE_MAX);
    engine_flush(m.engine);
    stack_client(&m, 3, "a", 1);
    assert_int_equal(m.net.handle[3].paused, true);
    stack_pass(&m, 5000);
    assert_int_equal(m.net.handle[3].paused, false);
}

static void a_later_pause_counts_from_its_own_time(void **state)
{
    (void)state;
    stack_client(&m, 0, "a", 1);
    pause_for(1, 5000);
    stack_pass(&m, 4000);
    pause_for(1, 5000);
    stack_pass(&m, 4000);
    assert_string_equal(open_ones(), "p---");
    stack_pass(&m, 1000);
    assert_string_equal(open_ones(), "o---");
    assert_int_equal(metric(METRIC_PAUSED_PRINCIPAL), 1);
}

static void a_pause_of_somebody_who_is_not_here_is_kept(void **state)
{
    (void)state;
    pause_for(3, 5000);
    stack_client(&m, 0, "a", 3);
    assert_string_equal(open_ones(), "p---");
    stack_stop(&m); /* with a pause under way */
    stack_start(&m);
}

static void a_client_of_two_principals_waits_for_both(void **state)
{
    char first[32];
    (void)state;
    stack_client(&m, 0, "a", 1);
    strcpy(first, m.mock.sid);
    stack_say(&m, 0, "40/b,{}");
    stack_set_rooms(&m, m.mock.sid, "a", 2, NULL);
    pause_for(1, 1000);
    pause_for(2, 3000);
    stack_pass(&m, 1000);
    assert_string_equal(open_ones(), "p---");
    stack_set_rooms(&m, m.mock.sid, "a", 4, NULL);
    assert_string_equal(open_ones(), "o---");
    stack_set_rooms(&m, first, "a", 2, NULL);
    assert_string_equal(open_ones(), "p---");
    stack_pass(&m, 2000);
    assert_string_equal(open_ones(), "o---");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_oldest_makes_room_and_others_do_not),
        TEST(who_has_left_does_not_count),
        TEST(a_socket_may_change_hands),
        TEST(none_is_read_from_for_a_while_and_others_are),
        TEST(a_new_socket_does_not_end_the_pause),
        TEST(a_later_pause_counts_from_its_own_time),
        TEST(a_pause_of_somebody_who_is_not_here_is_kept),
        TEST(a_client_of_two_principals_waits_for_both),
    };
    return cmocka_run_group_tests_name("principal", tests, NULL, NULL);
}
