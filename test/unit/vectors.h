/*
 * vectors: good and bad input as files, one case a line.
 *
 * A line is fields with tabs between them. In a field \xNN is a byte, so that one can hold what a
 * text file cannot; lines that begin with # are comments.
 */
#ifndef TEST_VECTORS_H
#define TEST_VECTORS_H

#include <stddef.h>

enum { VECTOR_FIELDS = 32 };

struct vector {
    const char *line; /* for messages */
    unsigned n;
    struct {
        char *text; /* with a 0 behind it that does not count; exactly so long an allocation, so
                     * that AddressSanitizer sees what is read beyond */
        size_t len;
    } field[VECTOR_FIELDS];
};

/* Calls check for each case of test/vectors/<name>; fails if there are fewer than `least`. */
void vectors_each(const char *name, unsigned least, void (*check)(const struct vector *v));

#endif
