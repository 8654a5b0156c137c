/* Instructions over the hub: greetings and events that are to be acknowledged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

static struct world w;

static int setup(void **state)
{
    (void)state;
    world_setup(&w);
    w.config.ping_interval = w.config.ping_timeout = 100000000;
    w.config.ack_timeout = 500;
    world_start(&w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_end(&w);
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
    hub_publish(w.hub, &e, w.now);
    engine_flush(w.engine);
}

/* A client in place n, with this greeting. */
static void come(int n, int64_t principal, const char *greeting)
{
    json_t *list = json_loads(greeting, 0, NULL);
    struct registration a = {.principal = principal, .rooms = "a", .greeting = list};
    world_connect_as(&w, n, world_bearer(&w, 7, 3600, ""));
    a.sid = w.sid;
    hub_set_rooms(w.hub, &a, w.now);
    engine_flush(w.engine);
    json_decref(list);
    w.asked[0] = '\0';
}

static const char GREETING[] = "[{\"ack\":7,\"payload\":\"[\\\"x\\\",1.50]\"},"
                               "{\"ack\":0,\"payload\":\"[\\\"y\\\"]\"},"
                               "{\"payload\":\"[\\\"sync\\\"]\"}]";

static void a_greeting_in_order(void **state)
{
    (void)state;
    come(0, 5, GREETING);
    assert_string_equal(world_received(&w, 0), "42/tasks,0[\"x\",1.50]\n");
    instruction(8, "a", "[\"live\"]");
    world_event(&w, 50, "a", "[\"event\"]"); /* which waits for nothing */
    engine_flush(w.engine);
    assert_string_equal(world_received(&w, 0), "42/tasks,[\"event\"]\n");
    world_say(&w, 0, "43/tasks,0[]");
    assert_string_equal(world_received(&w, 0), "42/tasks,1[\"y\"]\n");
    world_say(&w, 0, "43/tasks,1[\"any\",{}]");
    assert_string_equal(world_received(&w, 0), "42/tasks,[\"sync\"]\n42/tasks,2[\"live\"]\n");
    world_say(&w, 0, "43/tasks,2[]");
    assert_string_equal(
        w.asked, "acked instruction 7 of 5\nsent instruction 8 to 5\nacked instruction 8 of 5\n");
}

static void silence_does_not_keep_the_rest_for_ever(void **state)
{
    (void)state;
    come(0, 5, GREETING);
    world_received(&w, 0);
    world_pass(&w, 499);
    assert_string_equal(world_received(&w, 0), "");
    world_pass(&w, 1);
    assert_string_equal(world_received(&w, 0), "42/tasks,1[\"y\"]\n42/tasks,[\"sync\"]\n");
    assert_int_equal((int)w.metrics.value[METRIC_INSTRUCTIONS_SILENT], 1);
    assert_int_equal((int)w.metrics.value[METRIC_INSTRUCTIONS_SENT], 2);
    assert_int_equal((int)w.metrics.value[METRIC_INSTRUCTIONS_ACKED], 0);
}

static void each_socket_of_the_room_is_told_and_speaks_for_its_principal(void **state)
{
    (void)state;
    come(0, 5, "[]");
    come(1, 6, "[]");
    instruction(7, "a", "[\"x\"]");
    assert_string_equal(world_received(&w, 0), "42/tasks,0[\"x\"]\n");
    assert_string_equal(world_received(&w, 1), "42/tasks,0[\"x\"]\n");
    w.asked[0] = '\0';
    world_say(&w, 1, "43/tasks,0[]");
    assert_string_equal(w.asked, "acked instruction 7 of 6\n");
}

static void other_acknowledgements_are_not_of_instructions(void **state)
{
    (void)state;
    come(0, 5, "[{\"ack\":7,\"payload\":\"[\\\"x\\\"]\"}]");
    come(1, 6, "[]");
    world_say(&w, 1, "43/tasks,0[]"); /* told to another */
    world_say(&w, 0, "43/tasks,1[]");
    world_say(&w, 0, "43/tasks,99999999999999999999[]");
    assert_null(strstr(w.asked, "instruction"));
    world_say(&w, 0, "43/tasks,0[]");
    assert_non_null(strstr(w.asked, "acked instruction 7 of 5\n"));
    w.asked[0] = '\0';
    world_say(&w, 0, "43/tasks,0[]");
    assert_string_equal(w.asked, "");
}

static void one_that_is_muted_acknowledges_nothing(void **state)
{
    (void)state;
    come(0, 5, GREETING);
    world_received(&w, 0);
    hub_mute(w.hub, w.sid, true);
    world_say(&w, 0, "43/tasks,0[]");
    assert_string_equal(w.asked, "");
    assert_string_equal(world_received(&w, 0), "");
}

static void who_exists_no_more_is_told_nothing_and_says_nothing(void **state)
{
    (void)state;
    come(0, 5, GREETING);
    world_received(&w, 0);
    world_set_rooms(&w, w.sid, "", 0, NULL);
    w.asked[0] = '\0';
    world_say(&w, 0, "43/tasks,0[]");
    world_pass(&w, 1000);
    assert_string_equal(w.asked, "");
    assert_string_equal(world_received(&w, 0), "");
}

static void registered_again_the_greeting_goes_on(void **state)
{
    (void)state;
    come(0, 5, GREETING);
    world_received(&w, 0);
    hub_renew(w.hub, w.now);
    world_set_rooms(&w, w.sid, "a", 5, NULL);
    world_say(&w, 0, "43/tasks,0[]");
    assert_string_equal(world_received(&w, 0), "42/tasks,1[\"y\"]\n");
}

static void a_queue_of_instructions_has_the_limit_of_all_queues(void **state)
{
    (void)state;
    w.config.queue_bytes = 10000;
    come(0, 5, "[]");
    for (int i = 1; i <= 100 && !w.place[0].closed; i++)
        instruction(i, "a", "[\"a payload that is of no great size, but there are many of them\"]");
    assert_true(w.place[0].closed);
    assert_int_equal((int)w.metrics.value[METRIC_CLOSED_QUEUE_FULL], 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_greeting_in_order),
        TEST(silence_does_not_keep_the_rest_for_ever),
        TEST(each_socket_of_the_room_is_told_and_speaks_for_its_principal),
        TEST(other_acknowledgements_are_not_of_instructions),
        TEST(one_that_is_muted_acknowledges_nothing),
        TEST(who_exists_no_more_is_told_nothing_and_says_nothing),
        TEST(registered_again_the_greeting_goes_on),
        TEST(a_queue_of_instructions_has_the_limit_of_all_queues),
    };
    return cmocka_run_group_tests_name("socket_instruct", tests, NULL, NULL);
}
