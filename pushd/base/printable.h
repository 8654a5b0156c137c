/*
 * printable: what a client says, made fit for lines of a log and for tables.
 */
#ifndef PUSHD_PRINTABLE_H
#define PUSHD_PRINTABLE_H

#include <stddef.h>

/* Copies the text into out, size bytes with the end, and cuts it there. Of ASCII what is printable
 * stays, but for the quote and the backslash. Any other byte becomes \xHH, which is never cut. */
void printable_cut(const char *text, char *out, size_t size);

#endif
