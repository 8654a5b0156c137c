/* Rooms: who receives what, once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "socketio/room.h"

struct receiver {
    struct subscriber subscriber;
    int received;
};

static void receive(struct subscriber *s, void *ctx)
{
    (void)ctx;
    ((struct receiver *)s)->received++;
}

static void a_member_of_two_rooms_receives_once(void **state)
{
    struct receiver e[3] = {0};
    struct rooms *r = rooms_new();
    (void)state;
    rooms_set(r, &e[0].subscriber, "/t", "a,b");
    rooms_set(r, &e[1].subscriber, "/t", "b,b,,c");
    rooms_set(r, &e[2].subscriber, "/u", "a,b");
    assert_int_equal(rooms_count(r), 5);
    rooms_publish(r, "/t", "a,b,nobody", receive, NULL);
    assert_int_equal(e[0].received, 1);
    assert_int_equal(e[1].received, 1);
    assert_int_equal(e[2].received, 0); /* another namespace */
    rooms_publish(r, "/t", "c", receive, NULL);
    assert_int_equal(e[0].received, 1);
    assert_int_equal(e[1].received, 2);
    for (int i = 0; i < 3; i++)
        rooms_set(r, &e[i].subscriber, "/t", "");
    assert_int_equal(rooms_count(r), 0);
    rooms_free(r);
}

static void names_are_not_prefixes(void **state)
{
    struct receiver e = {0};
    struct rooms *r = rooms_new();
    (void)state;
    rooms_set(r, &e.subscriber, "/t", "room_1");
    rooms_publish(r, "/t", "room_11,room,room_", receive, NULL);
    assert_int_equal(e.received, 0);
    rooms_set(r, &e.subscriber, "/t", "");
    rooms_free(r);
}

static void exactly_these_rooms(void **state)
{
    struct receiver e[2] = {0};
    struct rooms *r = rooms_new();
    (void)state;
    assert_true(rooms_are(r, &e[0].subscriber, "/t", ""));
    rooms_set(r, &e[0].subscriber, "/t", "a,b");
    rooms_set(r, &e[1].subscriber, "/t", "c");
    assert_true(rooms_are(r, &e[0].subscriber, "/t", "b,a"));
    assert_false(rooms_are(r, &e[0].subscriber, "/t", "a"));
    assert_false(rooms_are(r, &e[0].subscriber, "/t", ""));
    assert_false(rooms_are(r, &e[0].subscriber, "/t", "a,c"));
    assert_false(rooms_are(r, &e[0].subscriber, "/t", "a,b,c"));
    assert_false(rooms_are(r, &e[0].subscriber, "/t", "a,nobody's"));
    assert_false(rooms_are(r, &e[0].subscriber, "/u", "a,b"));
    for (int i = 0; i < 2; i++)
        rooms_set(r, &e[i].subscriber, "/t", "");
    rooms_free(r);
}

/* Against a plain matrix: random joins, leaves and publications. */
static void equals_a_model(void **state)
{
    enum { EARS = 40, ROOMS = 12, STEPS = 5000 };
    static struct receiver e[EARS];
    static int in[EARS][ROOMS];
    struct rooms *r = rooms_new();
    (void)state;
    srand(2);
    for (int step = 0; step < STEPS; step++) {
        char names[256] = "";
        int who = rand() % EARS, wanted[ROOMS];
        for (int i = 0; i < ROOMS; i++) {
            wanted[i] = rand() % 4 == 0;
            if (wanted[i])
                sprintf(names + strlen(names), "%sr%d", names[0] ? "," : "", i);
        }
        if (step % 2) {
            memcpy(in[who], wanted, sizeof wanted);
            rooms_set(r, &e[who].subscriber, "/t", names);
            continue;
        }
        rooms_publish(r, "/t", names, receive, NULL);
        for (int k = 0; k < EARS; k++) {
            int expected = 0;
            for (int i = 0; i < ROOMS; i++)
                expected |= wanted[i] && in[k][i];
            assert_int_equal(e[k].received, expected);
            e[k].received = 0;
        }
    }
    for (int k = 0; k < EARS; k++)
        rooms_set(r, &e[k].subscriber, "/t", "");
    assert_int_equal(rooms_count(r), 0);
    rooms_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_of_two_rooms_receives_once),
        cmocka_unit_test(names_are_not_prefixes),
        cmocka_unit_test(exactly_these_rooms),
        cmocka_unit_test(equals_a_model),
    };
    return cmocka_run_group_tests_name("room", tests, NULL, NULL);
}
