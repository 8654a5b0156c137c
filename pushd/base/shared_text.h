/*
 * shared_text: texts that many places keep, each of them once.
 *
 * shared_texts_get() returns the same text for the same bytes, as long as anybody refers to it. A
 * text is counted by reference: the last shared_text_unref() frees it.
 */
#ifndef PUSHD_SHARED_TEXT_H
#define PUSHD_SHARED_TEXT_H

#include <stddef.h>
#include <uthash.h>

#include "base/metrics.h"

struct shared_texts;

struct shared_text {
    UT_hash_handle hh;
    struct shared_texts *of; /* NULL = they were freed */
    size_t refs;
    size_t len;
    char text[]; /* ends with '\0' */
};

/* The bytes of all texts, each counted once, are this gauge; borrowed. */
struct shared_texts *shared_texts_new(struct metrics *metrics, enum metric_id gauge);
/* Texts that are referred to stay. */
void shared_texts_free(struct shared_texts *all);

/* The caller holds a reference. */
struct shared_text *shared_texts_get(struct shared_texts *all, const char *text, size_t len);
struct shared_text *shared_text_ref(struct shared_text *t);
/* NULL has no effect. */
void shared_text_unref(struct shared_text *t);

#endif
