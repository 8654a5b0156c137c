/*
 * The cursor against the model of the log in test/unit: any history of transactions, reads,
 * crashes and promotions, a byte a step. Each committed event is given once; after a promotion,
 * which gives ids and xids out again, at least once.
 */
#include <stdlib.h>
#include <string.h>

#include "base/snapshot.h"
#include "feed/cursor.h"
#include "fuzz.h"
#include "log_model.h"

enum { PAGE = 4, STEPS_MAX = 1500 };

static struct cursor *cursor;
static bool promoted;

static int64_t visible_hi(void)
{
    int64_t hi = 0;
    for (int i = 0; i < model.n; i++)
        if (model.rows[i].committed && model.rows[i].id > hi)
            hi = model.rows[i].id;
    return hi;
}

static void open_session(void)
{
    struct opening opening = {model.system, model.tli, model.epoch, model_snapshot(), visible_hi()};
    cursor_open(cursor, &opening);
}

/* One page, as pg/log_link.c reads it; true if the read is complete. */
static bool read_page(void)
{
    struct question q = cursor_ask(cursor);
    char *text = strdup(q.upto ? q.upto : model_snapshot());
    struct snapshot *since = snapshot_parse(q.since), *upto = snapshot_parse(text);
    int64_t after = q.after;
    int n = 0;
    struct row *r;
    expect(since && upto, "expected snapshots, found %s and %s", q.since, text);
    struct question asked = {NULL, q.hi, q.seen_tli, NULL, after};
    expect(cursor_head(cursor, text, model.epoch), "expected %s to be a snapshot", text);
    for (; n < PAGE && (r = model_next(&asked, after, since, upto)); n++) {
        r->given += cursor_row(cursor, r->id, r->xid);
        after = r->id;
    }
    free(since);
    free(upto);
    free(text);
    return cursor_page(cursor, n == PAGE);
}

static void promote(unsigned lacks)
{
    cursor_lost(cursor);
    model_promote(model.n - (int)lacks > 0 ? model.n - (int)lacks : 0);
    promoted = true;
    open_session();
}

static void step(uint8_t byte)
{
    unsigned which = byte & 15, detail = byte >> 4;
    if (which < 4 && model.opens < OPEN)
        model_emit(model_begin());
    else if (which < 6 && model.opens)
        model_emit(model.open[detail % (unsigned)model.opens]);
    else if (which < 9 && model.opens)
        model_end(model.open[detail % (unsigned)model.opens], which < 8);
    else if (which < 12)
        read_page();
    else if (which == 12)
        cursor_lost(cursor);
    else if (which == 13)
        open_session();
    else if (which == 14) {
        cursor_lost(cursor);
        model_crash();
        open_session();
    } else {
        promote(detail);
    }
}

static void check_given(void)
{
    for (int i = 0; i < model.n; i++) {
        const struct row *r = &model.rows[i];
        bool good = !r->committed ? r->given == 0 : promoted ? r->given > 0 : r->given == 1;
        expect(good, "event %lld of transaction %llu, timeline %d, was given %d times",
               (long long)r->id, (unsigned long long)r->xid, r->tli, r->given);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    model_begin_anew();
    promoted = false;
    cursor = cursor_new();
    open_session();
    for (size_t i = 0; i < size && i < STEPS_MAX; i++)
        step(data[i]);
    while (model.opens)
        model_end(model.open[0], true);
    open_session();
    while (!read_page())
        continue;
    check_given();
    cursor_free(cursor);
    return 0;
}
