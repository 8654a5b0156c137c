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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What an oracle demands; if it is not so, a line says what was found and the target aborts. */
#define expect(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fuzz_fail(__FILE__, __LINE__, __VA_ARGS__);                                            \
    } while (0)
void fuzz_fail(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));

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

enum { SIGNATURE_MAX = 128 };
/* The signature of a text by HS256 with secret, in base64url; its length. out: SIGNATURE_MAX. */
size_t sign_text(const char *secret, const char *text, size_t len, char *out);
/* A token of these two JSON texts, signed by HS256 with secret: malloc'd, without a 0 at its end.
 */
char *sign_token(const char *secret, const char *header, size_t header_len, const char *payload,
                 size_t payload_len, size_t *len);

/* A file of test/vectors, whole; NULL-terminated, malloc'd. */
char *read_vector_file(const char *name);

#endif
