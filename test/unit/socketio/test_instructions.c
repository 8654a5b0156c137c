/* Instructions over the hub: greetings and events that are to be acknowledged. */
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
    m.config.ack_timeout = 500;
    stack_start(&m);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stack_end(&m);
    return 0;
}

static void instruction(int64_t id, const char *rooms, const char *payload)
{
    struct event e = {.id = 100,
                      .xid = 100,
                      .nsp = "/tasks",
                      .rooms = rooms,
                      .payload = payload,
                      .payload_len = strlen(payload),
                      .instruction = true,
                      .instruction_id = id};
    hub_publish(m.hub, &e, m.now);
    engine_flush(m.engine);
}

/* A client with handle n, with this greeting. */
static void come(int n, int64_t principal, const char *greeting)
{
    json_t *list = json_loads(greeting, 0, NULL);
    struct registration a = {.principal = principal, .rooms = "a"};
    struct greeting *g = hub_greeting(m.hub, list);
    a.greeting = g;
    stack_connect_as(&m, n, stack_bearer(&m, 7, 3600, ""));
    a.sid = m.mock.sid;
    hub_set_rooms(m.hub, &a, m.now);
    engine_flush(m.engine);
    greeting_free(g);
    json_decref(list);
    m.mock.asked[0] = '\0';
}

static const char GREETING[] = "[{\"ack\":7,\"payload\":\"[\\\"x\\\",1.50]\"},"
                               "{\"ack\":0,\"payload\":\"[\\\"y\\\"]\"},"
                               "{\"payload\":\"[\\\"sync\\\"]\"}]";

static void a_greeting_in_order(void **state)
{
    (void)state;
    come(0, 5, GREETING);
    assert_string_equal(stack_received(&m, 0), "42/tasks,0[\"x\",1.50]\n");
    instruction(8, "a", "[\"live\"]");
    stack_event(&m, 50, "a", "[\"event\"]"); /* which waits for nothing */
    engine_flush(m.engine);
    assert_string_equal(stack_received(&m, 0), "42/tasks,[\"event\"]\n");
    stack_say(&m, 0, "43/tasks,0[]");
    assert_string_equal(stack_received(&m, 0), "42/tasks,1[\"y\"]\n");
    stack_say(&m, 0, "43/tasks,1[\"any\",{}]");
    assert_string_equal(stack_received(&m, 0), "42/tasks,[\"sync\"]\n42/tasks,2[\"live\"]\n");
    stack_say(&m, 0, "43/tasks,2[]");
    assert_string_equal(
        m.mock.asked,
        "acked instruction 7 of 5\nsent instruction 8 to 5\nacked instruction 8 of 5\n");
}

static void silence_does_not_keep_the_rest_for_ever(void **state)
{
    (void)state;
    come(0, 5, GREETING);
    stack_received(&m, 0);
    stack_pass(&m, 499);
    assert_string_equal(stack_received(&m, 0), "");
    stack_pass(&m, 1);
    assert_string_equal(stack_received(&m, 0), "42/tasks,1[\"y\"]\n42/tasks,[\"sync\"]\n");
    assert_int_equal((int)m.metrics.value[METRIC_INSTRUCTIONS_SILENT], 1);
    assert_int_equal((int)m.metrics.value[METRIC_INSTRUCTIONS_SENT], 2);
    assert_int_equal((int)m.metrics.value[METRIC_INSTRUCTIONS_ACKED], 0);
}

static void each_socket_of_the_room_receives_and_acknowledges_for_its_principal(void **state)
{
    (void)state;
    come(0, 5, "[]");
    come(1, 6, "[]");
    instruction(7, "a", "[\"x\"]");
    assert_string_equal(stack_received(&m, 0), "42/tasks,0[\"x\"]\n");
    assert_string_equal(stack_received(&m, 1), "42/tasks,0[\"x\"]\n");
    m.mock.asked[0] = '\0';
    stack_say(&m, 1, "43/tasks,0[]");
    assert_string_equal(m.mock.asked, "acked instruction 7 of 6\n");
}

static void other_acknowledgements_are_not_of_instructions(void **state)
{
    (void)state;
    come(0, 5, "[{\"ack\":7,\"payload\":\"[\\\"x\\\"]\"}]");
    come(1, 6, "[]");
    stack_say(&m, 1, "43/tasks,0[]"); /* told to another */
    stack_say(&m, 0, "43/tasks,1[]");
    stack_say(&m, 0, "43/tasks,99999999999999999999[]");
    assert_null(strstr(m.mock.asked, "instruction"));
    stack_say(&m, 0, "43/tasks,0[]");
    assert_non_null(strstr(m.mock.asked, "acked instruction 7 of 5\n"));
    m.mock.asked[0] = '\0';
    stack_say(&m, 0, "43/tasks,0[]");
    assert_string_equal(m.mock.asked, "");
}

static void one_that_is_muted_acknowledges_nothing(void **state)
{
    (void)state;
    come(0, 5, GREETING);
    stack_received(&m, 0);
    hub_mute(m.hub, m.mock.sid, true);
    stack_say(&m, 0, "43/tasks,0[]");
    assert_string_equal(m.mock.asked, "");
    assert_string_equal(stack_received(&m, 0), "");
}

static void one_that_is_gone_receives_nothing_and_sends_nothing(void **state)
{
    (void)state;
    come(0, 5, GREETING);
    stack_received(&m, 0);
    stack_set_rooms(&m, m.mock.sid, "", 0, NULL);
    m.mock.asked[0] = '\0';
    stack_say(&m, 0, "43/tasks,0[]");
    stack_pass(&m, 1000);
    assert_string_equal(m.mock.asked, "");
    assert_string_equal(stack_received(&m, 0), "");
}

static void registered_again_the_greeting_goes_on(void **state)
{
    (void)state;
    come(0, 5, GREETING);
    stack_received(&m, 0);
    hub_renew(m.hub, m.now);
    stack_set_rooms(&m, m.mock.sid, "a", 5, NULL);
    stack_say(&m, 0, "43/tasks,0[]");
    assert_string_equal(stack_received(&m, 0), "42/tasks,1[\"y\"]\n");
}

static void a_queue_of_instructions_has_the_limit_of_all_queues(void **state)
{
    (void)state;
    m.config.queue_bytes = 10000;
    come(0, 5, "[]");
    for (int i = 1; i <= 200 && !m.net.handle[0].closed; i++)
        instruction(i, "a", "[\"a payload that is of no great size, but there are many of them\"]");
    assert_true(m.net.handle[0].closed);
    assert_int_equal((int)m.metrics.value[METRIC_CLOSED_QUEUE_FULL], 1);
}

/* Of a greeting, and of an event that waits behind it. */
static void connections_share_payloads_and_each_counts_its_own(void **state)
{
    (void)state;
    int queued[3];
    for (int n = 0; n < 2; n++) {
        come(n, 5, GREETING);
        instruction(8, "a", "[\"live\"]");
        stack_received(&m, n);
        queued[n] = (int)m.metrics.value[METRIC_QUEUED_BYTES];
        assert_int_equal((int)m.metrics.value[METRIC_INSTRUCTION_BYTES],
                         strlen("[\"y\"]") + strlen("[\"sync\"]") + strlen("[\"live\"]"));
    }
    assert_true(queued[0] > 0);
    assert_int_equal(queued[1], 2 * queued[0]);
    stack_say(&m, 0, "43/tasks,0[]");
    stack_say(&m, 0, "43/tasks,1[]");
    stack_say(&m, 0, "43/tasks,2[]");
    assert_string_equal(stack_received(&m, 0),
                        "42/tasks,1[\"y\"]\n42/tasks,[\"sync\"]\n42/tasks,2[\"live\"]\n");
    assert_int_equal((int)m.metrics.value[METRIC_QUEUED_BYTES], queued[0]);
    stack_say(&m, 1, "43/tasks,0[]");
    assert_string_equal(stack_received(&m, 1), "42/tasks,1[\"y\"]\n");
    stack_say(&m, 1, "43/tasks,1[]");
    assert_int_equal((int)m.metrics.value[METRIC_QUEUED_BYTES], 0);
    assert_int_equal((int)m.metrics.value[METRIC_INSTRUCTION_BYTES], 0);
}

static void a_silent_client_that_does_not_read_has_a_short_queue(void **state)
{
    char payload[1000];
    (void)state;
    memset(payload, 'x', sizeof payload);
    memcpy(payload, "[\"", 2);
    memcpy(payload + sizeof payload - 3, "\"]", 3);
    come(0, 5, "[]");
    instruction(1, "a", payload);
    m.net.handle[0].stalled = true;
    for (int i = 2; i <= 100; i++)
        instruction(i, "a", payload);
    stack_pass(&m, 500);
    assert_in_range((int)m.metrics.value[METRIC_INSTRUCTIONS_SENT], 2, 32);
    assert_in_range((int)m.metrics.value[METRIC_QUEUED_BYTES], 60000, 100000);
    stack_writable(&m, 0);
    assert_int_equal((int)m.metrics.value[METRIC_INSTRUCTIONS_SENT], 100);
    assert_int_equal((int)m.metrics.value[METRIC_QUEUED_BYTES], 0);
}

static void what_waits_and_what_is_queued_have_one_limit(void **state)
{
    char payload[1000];
    (void)state;
    memset(payload, 'x', sizeof payload);
    memcpy(payload, "[\"", 2);
    memcpy(payload + sizeof payload - 3, "\"]", 3);
    m.config.queue_bytes = 10000;
    come(0, 5, "[]");
    m.net.handle[0].stalled = true;
    for (int i = 1; i <= 7; i++) /* six of them wait */
        instruction(i, "a", payload);
    stack_event(&m, 50, "a", payload);
    stack_event(&m, 51, "a", payload);
    stack_event(&m, 52, "a", payload);
    engine_flush(m.engine);
    assert_false(m.net.handle[0].closed);
    stack_event(&m, 53, "a", payload);
    engine_flush(m.engine);
    assert_true(m.net.handle[0].closed);
    assert_int_equal((int)m.metrics.value[METRIC_CLOSED_QUEUE_FULL], 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_greeting_in_order),
        TEST(silence_does_not_keep_the_rest_for_ever),
        TEST(each_socket_of_the_room_receives_and_acknowledges_for_its_principal),
        TEST(other_acknowledgements_are_not_of_instructions),
        TEST(one_that_is_muted_acknowledges_nothing),
        TEST(one_that_is_gone_receives_nothing_and_sends_nothing),
        TEST(registered_again_the_greeting_goes_on),
        TEST(a_queue_of_instructions_has_the_limit_of_all_queues),
        TEST(connections_share_payloads_and_each_counts_its_own),
        TEST(a_silent_client_that_does_not_read_has_a_short_queue),
        TEST(what_waits_and_what_is_queued_have_one_limit),
    };
    return cmocka_run_group_tests_name("socket_instruct", tests, NULL, NULL);
}
