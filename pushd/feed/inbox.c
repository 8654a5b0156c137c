/* inbox: see inbox.h. Items are numbered in their order, and first_seq is the oldest. */
#include "feed/inbox.h"
#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_ITEMS = 1000, BATCH_BYTES = 1 << 20 };

struct item {
    struct item *next;
    size_t bytes;
    char *text; /* a JSON object, without its number */
    char sid[];
};

struct inbox {
    inbox_left *left;
    void *ctx;
    struct item *first, **end;
    int64_t first_seq;
    size_t last_batch; /* items */
    size_t narrow;     /* this many items are sent one by one */
};

struct inbox *inbox_new(inbox_left *left, void *ctx)
{
    struct inbox *b = alloc(sizeof *b);
    b->left = left;
    b->ctx = ctx;
    b->end = &b->first;
    b->first_seq = 1;
    return b;
}

void inbox_put(struct inbox *b, const char *sid, int64_t principal, const char *nsp,
               const json_t *event, size_t bytes)
{
    size_t len = strlen(sid);
    struct item *i = alloc(sizeof *i + len + 1);
    json_t *j = must(json_pack("{ss sI ss sO}", "sid", sid, "principal", (json_int_t)principal,
                               "nsp", nsp, "event", event));
    i->text = must(json_dumps(j, JSON_COMPACT));
    json_decref(j);
    memcpy(i->sid, sid, len + 1);
    i->bytes = bytes;
    *b->end = i;
    b->end = &i->next;
}

static void drop_first(struct inbox *b, bool notify)
{
    struct item *i = b->first;
    b->first = i->next;
    b->first_seq++;
    if (!b->first)
        b->end = &b->first;
    if (b->narrow)
        b->narrow--;
    if (notify)
        b->left(b->ctx, i->sid, i->bytes);
    free(i->text);
    free(i);
}

void inbox_free(struct inbox *b)
{
    if (!b)
        return;
    while (b->first)
        drop_first(b, false);
    free(b);
}

char *inbox_batch(struct inbox *b)
{
    char *text = NULL;
    size_t len = 0, max = b->narrow ? 1 : BATCH_ITEMS;
    if (!b->first)
        return NULL;
    FILE *out = open_memstream(&text, &len);
    int64_t seq = b->first_seq;
    size_t size = 0;
    b->last_batch = 0;
    for (struct item *i = b->first; i && b->last_batch < max && size < BATCH_BYTES; i = i->next) {
        fprintf(out, "%c{\"seq\":%lld,%s", b->last_batch++ ? ',' : '[', (long long)seq++,
                i->text + 1);
        size += strlen(i->text);
    }
    fputc(']', out);
    if (fclose(out) != 0)
        abort();
    return text;
}

bool inbox_taken(struct inbox *b, int64_t seq)
{
    for (; b->first && b->first_seq <= seq && b->last_batch; b->last_batch--)
        drop_first(b, true);
    return b->last_batch == 0;
}

static char *report(const struct item *i, const char *reason)
{
    json_t *item = must(json_loads(i->text, 0, NULL));
    json_t *name = json_array_get(json_object_get(item, "event"), 0);
    json_t *j = must(json_pack("{s [{sO sO ss si}]}", "refused", "principal",
                               json_object_get(item, "principal"), "event", name, "reason", reason,
                               "n", 1));
    char *text = must(json_dumps(j, JSON_COMPACT));
    json_decref(j);
    json_decref(item);
    return text;
}

char *inbox_refused(struct inbox *b, const char *reason)
{
    if (b->last_batch != 1) {
        b->narrow = b->last_batch;
        return NULL;
    }
    char *text = report(b->first, reason);
    drop_first(b, true);
    return text;
}
