/* words: texts that hold a list of words separated by blanks or commas. */
#ifndef PUSHD_WORDS_H
#define PUSHD_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* The i-th word of a list; returns its length and puts its start in *word, or 0 after the last. */
size_t words_get(const char *list, size_t i, const char **word);
/* True if list holds word exactly. */
bool words_have(const char *list, const char *word, size_t len);

#endif
