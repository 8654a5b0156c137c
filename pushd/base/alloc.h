/*
 * alloc: memory that is there. Who asks for it gets it, or the process ends: a daemon without
 * memory serves nobody, and its clients reconnect elsewhere.
 *
 * What is returned is freed by free().
 */
#ifndef PUSHD_ALLOC_H
#define PUSHD_ALLOC_H

#include <stddef.h>

/* The structure of this type whose member p points to. */
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

/* p, which a library allocated; ends the process if it is NULL. */
void *must(void *p);
/* So many bytes, all 0. */
void *alloc(size_t size);
void *alloc_resize(void *p, size_t size);
/* A copy of a text; of NULL, NULL. */
char *alloc_text(const char *text);
/* A copy of its first len bytes, or of all if it is shorter. */
char *alloc_text_of(const char *text, size_t len);
char *alloc_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
