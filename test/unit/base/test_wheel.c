/* The timer wheel: nothing fires early, nothing late, nothing twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/wheel.h"

enum { MANY = 2000 };

struct probe {
    struct timer timer;
    uint64_t fired_at;
    int times;
};

static void fire(struct timer *t, uint64_t now)
{
    struct probe *p = (struct probe *)t;
    p->fired_at = now;
    p->times++;
}

/* As the loop does: sleep for what wheel_next() says, advance. */
static uint64_t drive(struct wheel *w, uint64_t now, uint64_t end)
{
    int64_t wait;
    while ((wait = wheel_next(w, now)) >= 0 && now + (uint64_t)wait <= end) {
        now += (uint64_t)wait;
        wheel_advance(w, now);
    }
    wheel_advance(w, end);
    return end;
}

static void fires_at_its_time(void **state)
{
    static const uint64_t starts[] = {0, 1, 63, 64, 4095, 262143, 0xfffffff0, 0xffffffffff};
    static const uint64_t delays[] = {1, 2, 63, 64, 65, 500, 4096, 25000, 262144, 86400000};
    (void)state;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        for (size_t j = 0; j < sizeof delays / sizeof *delays; j++) {
            struct probe p = {0};
            struct wheel *w = wheel_new(starts[i]);
            timer_start(w, &p.timer, starts[i] + delays[j], fire);
            drive(w, starts[i], starts[i] + delays[j] - 1);
            assert_int_equal(p.times, 0);
            drive(w, starts[i] + delays[j] - 1, starts[i] + delays[j]);
            assert_int_equal(p.times, 1);
            assert_int_equal(wheel_next(w, starts[i] + delays[j]), -1);
            wheel_free(w);
        }
}

static void many_random_timers(void **state)
{
    static struct probe p[MANY];
    struct wheel *w = wheel_new(77);
    uint64_t now = 77;
    (void)state;
    srand(1);
    for (int i = 0; i < MANY; i++)
        timer_start(w, &p[i].timer, 77 + 1 + (uint64_t)rand() % 300000, fire);
    for (int i = 0; i < MANY; i += 3)
        timer_stop(&p[i].timer);
    for (int i = 1; i < MANY; i += 3)
        timer_start(w, &p[i].timer, p[i].timer.due + 5000, fire);
    drive(w, now, 77 + 400000);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(p[i].times, i % 3 != 0);
        if (p[i].times)
            assert_int_equal(p[i].fired_at, p[i].timer.due);
    }
    wheel_free(w);
}

static void a_late_advance_fires_all(void **state)
{
    struct probe p[3] = {0};
    struct wheel *w = wheel_new(0);
    (void)state;
    timer_start(w, &p[0].timer, 5, fire);
    timer_start(w, &p[1].timer, 5000, fire);
    timer_start(w, &p[2].timer, 500000, fire);
    wheel_advance(w, 100000);
    assert_int_equal(p[0].times + p[1].times, 2);
    assert_int_equal(p[2].times, 0);
    timer_stop(&p[2].timer);
    assert_false(timer_running(&p[2].timer));
    wheel_free(w);
}

static struct wheel *again_wheel;

static void again(struct timer *t, uint64_t now)
{
    struct probe *p = (struct probe *)t;
    p->times++;
    timer_start(again_wheel, t, now, again);
}

static void a_timer_restarted_while_firing_waits_for_the_next_turn(void **state)
{
    struct probe p = {0};
    again_wheel = wheel_new(0);
    (void)state;
    timer_start(again_wheel, &p.timer, 10, again);
    wheel_advance(again_wheel, 10);
    assert_int_equal(p.times, 1);
    wheel_advance(again_wheel, 11);
    assert_int_equal(p.times, 2);
    timer_stop(&p.timer);
    wheel_free(again_wheel);
}

static struct timer *victim;

static void stop_other(struct timer *t, uint64_t now)
{
    fire(t, now);
    timer_stop(victim);
}

static void a_timer_may_stop_another_of_the_same_moment(void **state)
{
    struct probe p[2] = {0};
    struct wheel *w = wheel_new(0);
    (void)state;
    timer_start(w, &p[1].timer, 10, fire);
    timer_start(w, &p[0].timer, 10, stop_other); /* the later started fires first */
    victim = &p[1].timer;
    wheel_advance(w, 10);
    assert_int_equal(p[0].times, 1);
    assert_int_equal(p[1].times, 0);
    wheel_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fires_at_its_time),
        cmocka_unit_test(many_random_timers),
        cmocka_unit_test(a_late_advance_fires_all),
        cmocka_unit_test(a_timer_restarted_while_firing_waits_for_the_next_turn),
        cmocka_unit_test(a_timer_may_stop_another_of_the_same_moment),
    };
    return cmocka_run_group_tests_name("wheel", tests, NULL, NULL);
}
