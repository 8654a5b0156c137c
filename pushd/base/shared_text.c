/* shared_text: see shared_text.h. */
#include "base/shared_text.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

struct shared_texts {
    struct shared_text *texts; /* by their bytes */
    struct metrics *metrics;
    enum metric_id gauge;
};

struct shared_texts *shared_texts_new(struct metrics *metrics, enum metric_id gauge)
{
    struct shared_texts *all = alloc(sizeof *all);
    all->metrics = metrics;
    all->gauge = gauge;
    return all;
}

static void forget(struct shared_text *t)
{
    struct shared_texts *all = t->of;
    HASH_DEL(all->texts, t); // NOLINT: the analyzer does not follow uthash
    metrics_add(all->metrics, all->gauge, -(double)t->len);
    t->of = NULL;
}

void shared_texts_free(struct shared_texts *all)
{
    struct shared_text *t, *next;
    HASH_ITER (hh, all->texts, t, next)
        forget(t);
    free(all);
}

struct shared_text *shared_texts_get(struct shared_texts *all, const char *text, size_t len)
{
    struct shared_text *t;
    HASH_FIND(hh, all->texts, text, len, t);
    if (t)
        return shared_text_ref(t);
    t = must(malloc(sizeof *t + len + 1));
    *t = (struct shared_text){.of = all, .refs = 1, .len = len};
    memcpy(t->text, text, len);
    t->text[len] = '\0';
    HASH_ADD_KEYPTR(hh, all->texts, t->text, len, t);
    metrics_add(all->metrics, all->gauge, (double)len);
    return t;
}

struct shared_text *shared_text_ref(struct shared_text *t)
{
    t->refs++;
    return t;
}

void shared_text_unref(struct shared_text *t)
{
    if (!t || --t->refs > 0)
        return;
    if (t->of)
        forget(t);
    free(t);
}
