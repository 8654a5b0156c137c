/*
 * timers: uv_timer_t on the heap. The owner can be freed immediately, and the handle when the loop
 * has closed it.
 */
#ifndef PUSHD_TIMERS_H
#define PUSHD_TIMERS_H

#include <stdint.h>
#include <uv.h>

uv_timer_t *timers_new(uv_loop_t *loop, void (*fire)(void *ctx), void *ctx);
void timers_free(uv_timer_t *timer);
/* (Re)starts, once in ms or every ms. Stop it with uv_timer_stop(). */
void timers_start(uv_timer_t *timer, uint64_t ms);
void timers_repeat(uv_timer_t *timer, uint64_t ms);

#endif
