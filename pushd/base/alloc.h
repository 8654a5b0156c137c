/*
 * alloc: memory allocation that cannot fail.
 *
 * The process ends if there is no memory: a daemon without memory serves nobody, and its clients
 * reconnect elsewhere. Free the results with free().
 */
#ifndef PUSHD_ALLOC_H
#define PUSHD_ALLOC_H

#include <stddef.h>

/* The structure of this type whose member p points to. */
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

/* Returns p, which a library allocated. Ends the process if it is NULL. */
void *must(void *p);
/* size bytes, all 0. */
void *alloc(size_t size);
void *alloc_resize(void *p, size_t size);
/* A copy of a text; NULL for NULL. */
char *alloc_text(const char *text);
/* A copy of the first len bytes, or of the whole text if it is shorter. */
char *alloc_text_of(const char *text, size_t len);
char *alloc_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
