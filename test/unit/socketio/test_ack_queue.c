/* Instructions: in order, one outstanding, each once, and silence costs one time limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "socketio/ack_queue.h"

enum { PATIENCE = 10000 };

static struct wheel *wheel;
static struct ack_queue *instructions;
static uint64_t now;
static char told[4096];
static int silences, room;
static struct metrics metrics;
static struct shared_texts *texts;

static void tell(void *ctx, int64_t id, int64_t number, const struct shared_text *payload)
{
    size_t used = strlen(told);
    (void)ctx;
    room--;
    assert_int_equal(payload->len, strlen(payload->text));
    snprintf(told + used, sizeof told - used, "%lld/%lld %s\n", (long long)id, (long long)number,
             payload->text);
}

static bool has_room(void *ctx)
{
    (void)ctx;
    return room > 0;
}

static void silent(void *ctx)
{
    (void)ctx;
    silences++;
}

static int setup(void **state)
{
    (void)state;
    now = 1000;
    silences = 0;
    room = 1000;
    texts = shared_texts_new(&metrics, METRIC_INSTRUCTION_BYTES);
    told[0] = '\0';
    wheel = wheel_new(now);
    instructions =
        ack_queue_new(&(struct ack_queue_setup){wheel, PATIENCE, tell, has_room, silent, NULL});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ack_queue_free(instructions);
    assert_int_equal((int)metrics.value[METRIC_INSTRUCTION_BYTES], 0);
    shared_texts_free(texts);
    assert_int_equal(wheel_next(wheel, now), -1);
    wheel_free(wheel);
    return 0;
}

static void add(int64_t id, const char *payload)
{
    struct shared_text *text = shared_texts_get(texts, payload, strlen(payload));
    ack_queue_add(instructions, id, text, now);
    shared_text_unref(text);
}

/* The id that an acknowledgement is for; -1 = it was of no instruction. */
static int64_t ack(int64_t number)
{
    int64_t id = -1;
    bool known = ack_queue_acked(instructions, number, now, &id);
    assert_int_equal(known, id >= 0);
    return id;
}

static void pass(uint64_t ms)
{
    now += ms;
    wheel_advance(wheel, now);
}

/* What was told since the last call. */
static void expect(const char *lines)
{
    assert_string_equal(told, lines);
    told[0] = '\0';
}

static void the_next_follows_the_acknowledgement(void **state)
{
    (void)state;
    add(7, "a");
    add(0, "b");
    add(8, "c");
    add(ACK_NONE, "d");
    expect("7/0 a\n");
    assert_int_equal(ack(0), 7);
    expect("0/1 b\n");
    assert_int_equal(ack(1), 0);
    expect("8/2 c\n");
    pass(PATIENCE - 1);
    expect("");
    assert_int_equal(ack(2), 8);
    expect("-1/-1 d\n");
    add(9, "e");
    add(ACK_NONE, "f");
    expect("9/3 e\n");
    assert_int_equal(ack_queue_bytes(instructions) > 0, 1);
    assert_int_equal(ack(3), 9);
    expect("-1/-1 f\n");
    assert_int_equal(ack_queue_bytes(instructions), 0);
    assert_int_equal(silences, 0);
}

static void what_is_not_to_be_acknowledged_goes_at_once(void **state)
{
    (void)state;
    add(ACK_NONE, "a");
    add(ACK_NONE, "b");
    expect("-1/-1 a\n-1/-1 b\n");
}

static void silence_costs_one_time_limit(void **state)
{
    (void)state;
    add(7, "a");
    add(8, "b");
    add(9, "c");
    add(ACK_NONE, "d");
    expect("7/0 a\n");
    pass(PATIENCE - 1);
    expect("");
    pass(1);
    expect("8/1 b\n9/2 c\n-1/-1 d\n");
    assert_int_equal(silences, 1);
    add(10, "e");
    expect("10/3 e\n");
    pass(10 * PATIENCE);
    assert_int_equal(silences, 1);
}

static void a_late_acknowledgement_counts_and_gives_patience_back(void **state)
{
    (void)state;
    add(7, "a");
    add(8, "b");
    pass(PATIENCE);
    expect("7/0 a\n8/1 b\n");
    assert_int_equal(ack(0), 7);
    add(9, "c");
    add(10, "d");
    expect("9/2 c\n");
    assert_int_equal(ack(1), 8); /* another than is waited for */
    expect("");
    pass(PATIENCE);
    expect("10/3 d\n");
    assert_int_equal(silences, 2);
}

static void each_id_is_sent_once_until_its_time_is_over(void **state)
{
    (void)state;
    add(7, "a");
    add(8, "b");
    add(7, "a");
    add(8, "b");
    expect("7/0 a\n");
    pass(PATIENCE);
    expect("8/1 b\n");
    add(7, "a again");
    expect("7/2 a again\n");
    assert_int_equal(ack(0), 0); /* of the telling that was given up */
    assert_int_equal(ack(2), 7);
    assert_int_equal(ack(2), 0);
    add(7, "whoever gives it anew means it");
    expect("7/3 whoever gives it anew means it\n");
    add(0, "x");
    add(0, "x");
    assert_int_equal(ack(3), 7);
    assert_int_equal(ack(4), 0);
    expect("0/4 x\n0/5 x\n");
}

static void numbers_that_were_never_sent_are_not_known(void **state)
{
    (void)state;
    assert_int_equal(ack(0), -1);
    add(7, "a");
    assert_int_equal(ack(1), -1);
    assert_int_equal(ack(-1), -1);
    assert_int_equal(ack(INT64_MAX), -1);
    assert_int_equal(ack(INT64_MIN), -1);
    expect("7/0 a\n");
}

static void cleared_nothing_waits_and_nothing_counts(void **state)
{
    (void)state;
    add(7, "a");
    add(8, "b");
    pass(PATIENCE);
    add(9, "c");
    assert_int_equal(ack(0), 7);
    add(10, "d");
    add(11, "e");
    told[0] = '\0';
    ack_queue_clear(instructions);
    assert_int_equal(ack_queue_bytes(instructions), 0);
    assert_int_equal(ack(1), 0);
    assert_int_equal(ack(3), 0);
    pass(PATIENCE);
    expect("");
    add(10, "d");
    expect("10/4 d\n"); /* numbers go on: an acknowledgement may be on its way */
}

static void one_that_is_silent_is_sent_what_it_has_room_for(void **state)
{
    (void)state;
    for (int i = 7; i < 12; i++)
        add(i, "a");
    expect("7/0 a\n");
    room = 2;
    pass(PATIENCE);
    expect("8/1 a\n9/2 a\n");
    add(12, "b");
    expect("");
    room = 1;
    ack_queue_go_on(instructions);
    expect("10/3 a\n");
    assert_int_equal(ack(1), 8); /* now it is waited for again, whatever room it has */
    expect("11/4 a\n");
    room = 100;
    ack_queue_go_on(instructions);
    expect("");
    assert_int_equal(ack(4), 11);
    expect("12/5 b\n");
    assert_int_equal(ack(3), 10);
    assert_int_equal(ack(2), 9);
    assert_int_equal(ack(0), 7);
}

static void a_payload_is_kept_once(void **state)
{
    struct ack_queue *other =
        ack_queue_new(&(struct ack_queue_setup){wheel, PATIENCE, tell, has_room, silent, NULL});
    struct shared_text *text = shared_texts_get(texts, "kept once", 9);
    (void)state;
    add(6, "outstanding");
    add(7, "kept once");
    ack_queue_add(other, 6, text, now);
    ack_queue_add(other, 7, text, now);
    shared_text_unref(text);
    assert_int_equal((int)metrics.value[METRIC_INSTRUCTION_BYTES], 9);
    assert_int_equal(ack_queue_bytes(other), ack_queue_bytes(instructions));
    assert_int_equal(ack(0), 6);
    assert_int_equal((int)metrics.value[METRIC_INSTRUCTION_BYTES], 9);
    ack_queue_free(other);
    assert_int_equal((int)metrics.value[METRIC_INSTRUCTION_BYTES], 0);
}

static void thousands_wait_and_each_counts_once(void **state)
{
    int64_t id;
    (void)state;
    for (int round = 0; round < 2; round++)
        for (int i = 1; i <= 3000; i++)
            add(i, "x");
    for (int i = 0; i < 3000; i++) {
        assert_true(ack_queue_acked(instructions, i, now, &id));
        assert_int_equal(id, i + 1);
        told[0] = '\0';
    }
    assert_int_equal(ack(3000), -1);
    assert_int_equal(ack_queue_bytes(instructions), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_next_follows_the_acknowledgement),
        TEST(what_is_not_to_be_acknowledged_goes_at_once),
        TEST(silence_costs_one_time_limit),
        TEST(a_late_acknowledgement_counts_and_gives_patience_back),
        TEST(each_id_is_sent_once_until_its_time_is_over),
        TEST(numbers_that_were_never_sent_are_not_known),
        TEST(cleared_nothing_waits_and_nothing_counts),
        TEST(one_that_is_silent_is_sent_what_it_has_room_for),
        TEST(a_payload_is_kept_once),
        TEST(thousands_wait_and_each_counts_once),
    };
    return cmocka_run_group_tests_name("instruction", tests, NULL, NULL);
}
