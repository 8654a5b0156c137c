/*
 * page_pause: how long the pages of a read wait for clients whose queues are half full.
 *
 * Time that one page waits is time that all other clients wait, so there is an allowance of it. A
 * full one is PAGE_PAUSE_MOST. Each page adds the time that a client of PAGE_PAUSE_RATE needs for
 * it: such a client receives a commit of any size, and a slower one delays the others by no more.
 * Each second adds a fiftieth of itself, so that the allowance is full again after a while. What
 * slow clients take together is bounded by it, however many there are and however they read. Time
 * is an argument, in milliseconds.
 */
#ifndef PUSHD_PAGE_PAUSE_H
#define PUSHD_PAGE_PAUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/metrics.h"

enum {
    PAGE_PAUSE_MS = 10,        /* one pause; a page waits for several */
    PAGE_PAUSE_MOST = 2000,    /* milliseconds */
    PAGE_PAUSE_RATE = 4000000, /* bytes a second */
    PAGE_PAUSE_EVENT = 160     /* bytes that an event has on its way beside its payload */
};

/* Zero bytes are a full allowance. */
struct page_pause {
    uint64_t spent; /* microseconds that are missing from a full allowance */
    uint64_t at;    /* the time of that */
    bool pausing;   /* since at */
    bool waited;    /* this page has waited */
};

/* A page of so many events has been published, whose payloads have so many bytes together. */
void page_pause_page(struct page_pause *p, size_t events, size_t bytes, uint64_t now);
/* Shall the next page wait for PAGE_PAUSE_MS? Then ask again. worth: a client uses the time. Pages
 * that wait are counted. */
bool page_pause_more(struct page_pause *p, bool worth, struct metrics *metrics, uint64_t now);

#endif
