/* words: reads lists of words that are separated by blanks or commas. */
#ifndef PUSHD_WORDS_H
#define PUSHD_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* Finds the i-th word. Returns its length and its start in *word; 0 after the last word. */
size_t words_get(const char *list, size_t i, const char **word);
/* True if list contains exactly this word. */
bool words_have(const char *list, const char *word, size_t len);

#endif
