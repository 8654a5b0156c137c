/* When keys are looked for: by age, for unknown keys, after failures; and what is news. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/keys_plan.h"

enum { AGE = 300000, GAP = 10000, START = 5000 };

static struct keys_plan p;
static uint64_t now;

static int setup(void **state)
{
    (void)state;
    now = START;
    keys_plan_init(&p, AGE, GAP, now);
    return 0;
}

/* A look that takes this long. */
static bool look(uint64_t ms, bool good)
{
    keys_plan_begin(&p, now);
    assert_int_equal(keys_plan_due(&p, now), -1);
    now += ms;
    return good ? keys_plan_good(&p, 2, false, now) : keys_plan_failed(&p, "away", now);
}

static void the_first_is_due_at_once_and_the_next_by_age(void **state)
{
    (void)state;
    assert_int_equal(keys_plan_due(&p, now), 0);
    look(40, true);
    assert_int_equal(keys_plan_due(&p, now), AGE - 40);
    now += AGE + 7;
    assert_int_equal(keys_plan_due(&p, now), 0);
}

static void an_unknown_key_is_looked_for_at_once_but_once_in_a_gap(void **state)
{
    (void)state;
    look(40, true);
    keys_plan_want(&p);
    assert_int_equal(keys_plan_due(&p, now), 0);
    look(40, true);
    assert_int_equal(keys_plan_due(&p, now), AGE - 40); /* nobody asks any more */
    keys_plan_want(&p);
    assert_int_equal(keys_plan_due(&p, now), GAP - 40);
    now += GAP;
    assert_int_equal(keys_plan_due(&p, now), 0);
}

static void a_look_by_age_does_not_use_up_the_gap(void **state)
{
    (void)state;
    look(40, true);
    now += AGE;
    look(40, true);
    keys_plan_want(&p);
    assert_int_equal(keys_plan_due(&p, now), 0);
}

static void who_asks_during_a_look_gets_another(void **state)
{
    (void)state;
    look(40, true);
    keys_plan_want(&p);
    keys_plan_begin(&p, now);
    keys_plan_want(&p);
    assert_int_equal(keys_plan_due(&p, now), -1);
    now += 40;
    keys_plan_good(&p, 2, false, now);
    assert_int_equal(keys_plan_due(&p, now), GAP - 40);
}

static void after_failures_it_waits_longer_up_to_the_gap(void **state)
{
    static const uint64_t waits[] = {1000, 2000, 4000, 8000, GAP, GAP};
    (void)state;
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        look(500, false);
        assert_int_equal(keys_plan_due(&p, now), waits[i]);
        now += waits[i];
    }
    for (int i = 0; i < 100; i++) {
        look(500, false);
        assert_int_equal(keys_plan_due(&p, now), GAP);
    }
    look(0, true);
    assert_int_equal(keys_plan_due(&p, now), AGE);
    look(0, false);
    assert_int_equal(keys_plan_due(&p, now), 1000);
}

static void an_unknown_key_does_not_hasten_a_source_that_fails(void **state)
{
    (void)state;
    look(0, true);
    keys_plan_want(&p);
    for (int i = 0; i < 5; i++)
        look(0, false);
    keys_plan_want(&p);
    assert_int_equal(keys_plan_due(&p, now), GAP);
}

static void the_operator_waits_for_nothing(void **state)
{
    (void)state;
    keys_plan_want(&p);
    look(40, true);
    keys_plan_want(&p);
    keys_plan_force(&p);
    assert_int_equal(keys_plan_due(&p, now), 0);
    for (int i = 0; i < 5; i++)
        look(0, false);
    keys_plan_force(&p);
    assert_int_equal(keys_plan_due(&p, now), 0);
    keys_plan_begin(&p, now);
    keys_plan_force(&p);
    assert_int_equal(keys_plan_due(&p, now), -1);
}

static void a_gap_may_be_shorter_than_a_retry(void **state)
{
    (void)state;
    keys_plan_init(&p, AGE, 100, now);
    look(0, false);
    assert_int_equal(keys_plan_due(&p, now), 100);
    keys_plan_init(&p, 50, 1000, now);
    look(0, false);
    assert_int_equal(keys_plan_due(&p, now), 50);
}

static void news_is_what_was_not_so_before(void **state)
{
    (void)state;
    keys_plan_begin(&p, now);
    assert_true(keys_plan_good(&p, 2, true, now));
    assert_false(look(0, true));
    assert_true(look(0, false));
    assert_false(look(0, false));
    keys_plan_begin(&p, now);
    assert_true(keys_plan_failed(&p, "something else", now));
    assert_string_equal(p.problem, "something else");
    assert_true(look(0, true));
    assert_string_equal(p.problem, "");
    assert_false(look(0, true));
    keys_plan_begin(&p, now);
    assert_true(keys_plan_good(&p, 3, true, now));
    assert_int_equal(p.usable, 3);
}

static void age_is_since_the_last_good_look_began(void **state)
{
    (void)state;
    now += 2500;
    assert_true(keys_plan_age(&p, now) == 2.5); /* none: since the start */
    look(500, true);
    assert_true(keys_plan_age(&p, now) == 0.5);
    now += 1000;
    look(500, false);
    assert_true(keys_plan_age(&p, now) == 2.0);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_is_due_at_once_and_the_next_by_age),
        TEST(an_unknown_key_is_looked_for_at_once_but_once_in_a_gap),
        TEST(a_look_by_age_does_not_use_up_the_gap),
        TEST(who_asks_during_a_look_gets_another),
        TEST(after_failures_it_waits_longer_up_to_the_gap),
        TEST(an_unknown_key_does_not_hasten_a_source_that_fails),
        TEST(the_operator_waits_for_nothing),
        TEST(a_gap_may_be_shorter_than_a_retry),
        TEST(news_is_what_was_not_so_before),
        TEST(age_is_since_the_last_good_look_began),
    };
    return cmocka_run_group_tests_name("keys_plan", tests, NULL, NULL);
}
