/* log_model: see log_model.h. */
#include "log_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct model model;

void model_new_epoch(void)
{
    snprintf(model.epoch, sizeof model.epoch, "e%d", ++model.epochs);
}

void model_begin_anew(void)
{
    memset(&model, 0, sizeof model);
    model.next_xid = 700;
    model.next_id = 1;
    model.tli = 1;
    model.system = "7001";
    model_new_epoch();
}

uint64_t model_begin(void)
{
    assert_true(model.opens < OPEN);
    return model.open[model.opens++] = model.next_xid++;
}

struct row *model_emit(uint64_t xid)
{
    assert_true(model.n < ROWS);
    model.rows[model.n] = (struct row){.id = model.next_id++, .xid = xid, .tli = model.tli};
    return &model.rows[model.n++];
}

void model_end(uint64_t xid, bool commit)
{
    int at = 0;
    while (model.open[at] != xid)
        at++;
    memmove(&model.open[at], &model.open[at + 1],
            sizeof model.open[0] * (size_t)(--model.opens - at));
    for (int i = 0; i < model.n; i++)
        if (model.rows[i].xid == xid && !model.rows[i].committed && !model.rows[i].gone) {
            model.rows[i].committed = commit;
            model.rows[i].gone = !commit;
        }
}

struct row *model_event(void)
{
    uint64_t xid = model_begin();
    struct row *r = model_emit(xid);
    model_end(xid, true);
    return r;
}

/* What was open is rolled back, and its xids are given out again; ids are not: the sequence jumps.
 */
void model_crash(void)
{
    uint64_t first = model.opens ? model.open[0] : model.next_xid;
    for (int i = 0; i < model.n; i++)
        if (model.rows[i].committed && model.rows[i].xid >= first)
            first = model.rows[i].xid + 1;
    while (model.opens)
        model_end(model.open[0], false);
    model.next_xid = first;
    model.next_id += 32;
    model_new_epoch();
}

void model_promote(int rows)
{
    while (model.opens)
        model_end(model.open[0], false);
    model.n = rows < model.n ? rows : model.n;
    model.next_xid = 700;
    model.next_id = 1;
    for (int i = 0; i < model.n; i++) {
        if (model.rows[i].xid >= model.next_xid)
            model.next_xid = model.rows[i].xid + 1;
        model.next_id = model.rows[i].id + 1;
    }
    model.tli++;
    model_new_epoch();
}

const char *model_snapshot(void)
{
    static char text[1024];
    char *p = text + sprintf(text, "%llu:%llu:",
                             (unsigned long long)(model.opens ? model.open[0] : model.next_xid),
                             (unsigned long long)model.next_xid);
    for (int i = 0; i < model.opens; i++)
        p += sprintf(p, "%s%llu", i ? "," : "", (unsigned long long)model.open[i]);
    return text;
}

static bool is_new(const struct row *r, const struct question *q, const struct snapshot *since)
{
    return r->id > q->hi || !snapshot_sees(since, r->xid) || (q->seen_tli && r->tli > q->seen_tli);
}

struct row *model_next(const struct question *q, int64_t after, const struct snapshot *since,
                       const struct snapshot *upto)
{
    struct row *best = NULL;
    for (int i = 0; i < model.n; i++) {
        struct row *r = &model.rows[i];
        if (r->committed && r->id > after && (!best || r->id < best->id) &&
            snapshot_sees(upto, r->xid) && is_new(r, q, since))
            best = r;
    }
    return best;
}
