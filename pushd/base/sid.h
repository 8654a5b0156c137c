/*
 * sid: random identifiers that cannot be guessed: 20 characters of base64url.
 */
#ifndef PUSHD_SID_H
#define PUSHD_SID_H

#include <stdbool.h>

enum { SID_LEN = 20 };

/* Writes SID_LEN characters and a zero byte. */
void sid_new(char *sid);

/* Might sid_new() have made it? */
bool sid_plausible(const char *text);

#endif
