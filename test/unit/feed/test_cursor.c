/* The cursor against a model of the log: each committed event once, whatever is lost, crashes or
 * fails over. The model answers as events_since() promises to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/snapshot.h"
#include "feed/cursor.h"
#include "log_model.h"

enum { PAGE = 10 };

static struct cursor *cursor;

static int setup(void **state)
{
    (void)state;
    model_begin_anew();
    cursor = cursor_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cursor_free(cursor);
    return 0;
}

static enum cursor_start open_session(void)
{
    int64_t hi = 0;
    for (int i = 0; i < model.n; i++)
        if (model.rows[i].committed && model.rows[i].id > hi)
            hi = model.rows[i].id;
    return cursor_open(
        cursor, &(struct opening){model.system, model.tli, model.epoch, model_snapshot(), hi});
}

/* One page; true if the read is complete. */
static bool read_page(void)
{
    struct question q = cursor_ask(cursor);
    char *text = strdup(q.upto ? q.upto : model_snapshot());
    struct snapshot *since = snapshot_parse(q.since), *upto = snapshot_parse(text);
    int64_t hi = q.hi, after = q.after;
    int seen_tli = q.seen_tli, n = 0;
    struct row *r;
    assert_true(cursor_head(cursor, text, model.epoch));
    q = (struct question){NULL, hi, seen_tli, NULL, after};
    while (n < PAGE && (r = model_next(&q, after, since, upto))) {
        r->given += cursor_row(cursor, r->id, r->xid);
        after = r->id;
        n++;
    }
    free(since);
    free(upto);
    free(text);
    return cursor_page(cursor, n == PAGE);
}

static int read_all(void)
{
    int pages = 1;
    while (!read_page())
        pages++;
    return pages;
}

/* Each committed event from this row on has been given once, and no other. */
static void given_once(int from)
{
    for (int i = 0; i < model.n; i++) {
        const struct row *r = &model.rows[i];
        if (r->given != (i >= from && r->committed))
            fail_msg("event %lld of transaction %llu was given %d times", (long long)r->id,
                     (unsigned long long)r->xid, r->given);
    }
}

static void begins_where_the_log_is_when_it_first_opens(void **state)
{
    (void)state;
    model_event();
    uint64_t slow = model_begin();
    model_emit(slow);
    model_event();
    assert_int_equal(open_session(), CURSOR_FIRST);
    model_end(slow, true);
    read_all();
    assert_int_equal(model.rows[0].given, 0);
    assert_int_equal(model.rows[1].given, 1);
    assert_int_equal(model.rows[2].given, 0);
}

static void receives_what_was_open_across_a_read(void **state)
{
    (void)state;
    open_session();
    uint64_t slow = model_begin();
    model_emit(slow);
    model_event();
    read_all();
    read_all();
    model_end(slow, true);
    model_event();
    read_all();
    given_once(0);
}

static void pages_share_one_snapshot(void **state)
{
    (void)state;
    open_session();
    for (int i = 0; i < 2 * PAGE; i++)
        model_event();
    assert_true(cursor_fresh(cursor));
    assert_false(read_page());
    assert_false(cursor_fresh(cursor));
    model_event();
    assert_false(read_page());
    assert_true(read_page());
    assert_int_equal(model.rows[20].given, 0);
    assert_int_equal(read_all(), 1);
    given_once(0);
}

static void empty_reads_move_the_snapshot(void **state)
{
    (void)state;
    open_session();
    model_end(model_begin(), true);
    read_all();
    assert_string_equal(cursor_ask(cursor).since, "701:701:");
    assert_int_equal(cursor_ask(cursor).hi, 0);
}

static void a_crash_that_reuses_xids_loses_nothing(void **state)
{
    (void)state;
    open_session();
    model_event();
    uint64_t lost = model_begin();
    model_emit(lost);
    model_begin();
    read_all();
    model_crash();
    assert_int_equal(model.next_xid, lost);
    model_event();
    model_event();
    assert_int_equal(open_session(), CURSOR_CRASHED);
    read_all();
    given_once(0);
}

/* Its since would seem to see what is written with those xids: no opening in the log for a client.
 */
static void after_a_crash_or_a_failover_the_first_read_is_not_whole(void **state)
{
    (void)state;
    open_session();
    assert_true(cursor_is_whole(cursor));
    read_all();
    for (int failover = 0; failover < 2; failover++) {
        assert_true(cursor_is_whole(cursor));
        if (failover)
            model_promote(model.n);
        else
            model_crash();
        for (int i = 0; i < PAGE + 1; i++)
            model_event();
        open_session();
        assert_false(read_page());
        assert_false(cursor_is_whole(cursor));
        cursor_lost(cursor);
        open_session();
        assert_false(cursor_is_whole(cursor));
        read_all();
    }
    assert_true(cursor_is_whole(cursor));
}

static void a_promotion_that_takes_ids_and_xids_back_loses_nothing(void **state)
{
    (void)state;
    open_session();
    for (int i = 0; i < 50; i++)
        model_event();
    read_all();
    given_once(0);
    model_promote(10);
    model_event();
    assert_int_equal(open_session(), CURSOR_PROMOTED);
    assert_int_equal(cursor_ask(cursor).seen_tli, 1);
    model_event();
    read_all();
    given_once(0);
    assert_int_equal(cursor_ask(cursor).seen_tli, 0);
    assert_int_equal(cursor_ask(cursor).hi, 12);
    model_begin();
    read_all();
    model.next_id -= 32;
    model_crash();
    model_event();
    open_session();
    read_all();
    given_once(0);
}

static void a_promotion_is_asked_for_until_a_read_is_complete(void **state)
{
    (void)state;
    open_session();
    model.tli = 2;
    open_session();
    model.tli = 3;
    assert_int_equal(open_session(), CURSOR_PROMOTED);
    assert_int_equal(cursor_ask(cursor).seen_tli, 1);
    assert_int_equal(open_session(), CURSOR_SAME);
    assert_int_equal(cursor_ask(cursor).seen_tli, 1);
    read_all();
    assert_int_equal(cursor_ask(cursor).seen_tli, 0);
}

static void another_system_or_an_older_timeline_begins_anew(void **state)
{
    (void)state;
    open_session();
    model_event();
    read_all();
    model.system = "7002";
    model.next_xid = 100;
    model_event();
    assert_int_equal(open_session(), CURSOR_OTHER);
    model_event();
    read_all();
    assert_int_equal(model.rows[1].given, 0);
    assert_int_equal(model.rows[2].given, 1);
    model.tli = 2;
    open_session();
    model.tli = 1;
    assert_int_equal(open_session(), CURSOR_OTHER);
    assert_int_equal(cursor_ask(cursor).seen_tli, 0);
    assert_int_equal(cursor_ask(cursor).hi, 3);
}

static void a_log_that_was_set_back_begins_anew(void **state)
{
    (void)state;
    open_session();
    for (int i = 0; i < 3; i++)
        model_event();
    read_all();
    assert_int_equal(open_session(), CURSOR_SAME);
    model_new_epoch();
    assert_int_equal(open_session(), CURSOR_CRASHED);
    model_new_epoch();
    model.n = 1;
    model.next_id = 2;
    assert_int_equal(open_session(), CURSOR_SET_BACK);
    assert_int_equal(cursor_ask(cursor).hi, 1);
    model_event();
    read_all();
    assert_int_equal(model.rows[1].given, 1);
}

/* hi is still that of the old timeline when the new primary crashes before it has been read. */
static void a_crash_before_a_promotion_is_read_loses_nothing(void **state)
{
    (void)state;
    open_session();
    model_event();
    model_event();
    read_all();
    model_promote(0);
    assert_int_equal(open_session(), CURSOR_PROMOTED);
    model_event();
    model_crash();
    assert_int_equal(open_session(), CURSOR_CRASHED);
    read_all();
    given_once(0);
}

static void a_read_lost_half_way_repeats_nothing(void **state)
{
    (void)state;
    open_session();
    uint64_t slow = model_begin();
    model_emit(slow);
    for (int i = 0; i < 5 * PAGE; i++)
        model_event();
    assert_false(read_page());
    assert_false(read_page());
    cursor_lost(cursor);
    model_end(slow, true);
    model_event();
    assert_false(read_page());
    open_session();
    model_event();
    read_all();
    given_once(0);
}

static void a_read_lost_in_a_crash_repeats_nothing(void **state)
{
    (void)state;
    open_session();
    for (int i = 0; i < 3 * PAGE; i++)
        model_event();
    model_emit(model_begin());
    assert_false(read_page());
    cursor_lost(cursor);
    model_crash();
    for (int i = 0; i < PAGE; i++)
        model_event();
    open_session();
    read_all();
    given_once(0);
}

/* Better twice than never: nobody can tell which of the rows that look alike are new. */
static void a_read_lost_in_a_failover_loses_nothing(void **state)
{
    (void)state;
    open_session();
    for (int i = 0; i < 3 * PAGE; i++)
        model_event();
    assert_false(read_page());
    cursor_lost(cursor);
    model_promote(5);
    for (int i = 0; i < 3; i++)
        model_event();
    assert_int_equal(open_session(), CURSOR_PROMOTED);
    read_all();
    for (int i = 0; i < model.n; i++)
        assert_true(model.rows[i].given > 0);
}

static void another_epoch_in_a_head_is_reported_until_opened_again(void **state)
{
    (void)state;
    open_session();
    read_all();
    assert_false(cursor_epoch_changed(cursor));
    model_new_epoch();
    read_all();
    assert_true(cursor_epoch_changed(cursor));
    open_session();
    assert_false(cursor_epoch_changed(cursor));
}

static void a_head_without_a_snapshot_is_refused(void **state)
{
    (void)state;
    open_session();
    assert_false(cursor_head(cursor, "", model.epoch));
    assert_true(cursor_fresh(cursor));
}

static void step(unsigned dice)
{
    if (dice < 35 && model.opens < OPEN)
        model_emit(model_begin());
    else if (dice < 45 && model.opens)
        model_emit(model.open[dice % (unsigned)model.opens]);
    else if (dice < 75 && model.opens)
        model_end(model.open[dice % (unsigned)model.opens], dice % 10 != 0);
    else if (dice < 92)
        read_page();
    else if (dice < 96)
        cursor_lost(cursor);
    else if (dice < 99)
        open_session();
    else {
        cursor_lost(cursor);
        model_crash();
        open_session();
    }
}

static void any_history_is_received_once(void **state)
{
    for (unsigned seed = 1; seed <= 200; seed++) {
        srand(seed);
        teardown(state);
        setup(state);
        open_session();
        for (int i = 0; i < 1000; i++)
            step((unsigned)rand() / 7 % 100);
        while (model.opens)
            model_end(model.open[0], true);
        open_session();
        read_all();
        given_once(0);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(begins_where_the_log_is_when_it_first_opens),
        TEST(receives_what_was_open_across_a_read),
        TEST(pages_share_one_snapshot),
        TEST(empty_reads_move_the_snapshot),
        TEST(a_crash_that_reuses_xids_loses_nothing),
        TEST(after_a_crash_or_a_failover_the_first_read_is_not_whole),
        TEST(a_promotion_that_takes_ids_and_xids_back_loses_nothing),
        TEST(a_promotion_is_asked_for_until_a_read_is_complete),
        TEST(another_system_or_an_older_timeline_begins_anew),
        TEST(a_log_that_was_set_back_begins_anew),
        TEST(a_crash_before_a_promotion_is_read_loses_nothing),
        TEST(a_read_lost_half_way_repeats_nothing),
        TEST(a_read_lost_in_a_crash_repeats_nothing),
        TEST(a_read_lost_in_a_failover_loses_nothing),
        TEST(another_epoch_in_a_head_is_reported_until_opened_again),
        TEST(a_head_without_a_snapshot_is_refused),
        TEST(any_history_is_received_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
