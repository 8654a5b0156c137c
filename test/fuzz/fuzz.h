/*
 * fuzz: what the fuzz targets share: taking an input apart, and saying what is wrong.
 *
 * A target is one file fuzz_<name>.c with LLVMFuzzerTestOneInput(). It calls the core with what
 * libFuzzer made, and an oracle says whether the answer can be right: another way of finding it,
 * its way back, or a limit that it must keep. An input is an array of bytes; where a target needs
 * several texts it reads lines, so that inputs can be read and written by hand.
 */
#ifndef TEST_FUZZ_H
#define TEST_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "expect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *at;
    size_t left;
};

/* The next byte, 0 at the end. */
uint8_t take_byte(struct input *in);
/* The next two bytes as a number. */
unsigned take_number(struct input *in);
/* The bytes up to the next newline, which is skipped; false at the end. */
bool take_line(struct input *in, const uint8_t **line, size_t *len);
/* The rest as a text of its own allocation, up to its first zero byte. */
char *take_text(struct input *in);

/* A text of its own allocation, so that reading past it is seen; it ends at the first zero byte. */
char *text_of(const uint8_t *bytes, size_t len);
/* No character below a blank, and no DEL. */
bool is_one_line(const char *text);

/* The bytes of the character of UTF-8 that begins at p (RFC 3629, 4); 0 if there is none. */
size_t utf8_character(const uint8_t *p, const uint8_t *end);

/* A file of test/vectors, whole; NULL-terminated, malloc'd. */
char *read_vector_file(const char *name);

#endif
