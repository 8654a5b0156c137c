/*
 * key_file: reads a small file of keys or a secret as a whole.
 */
#ifndef PUSHD_KEY_FILE_H
#define PUSHD_KEY_FILE_H

#include <stddef.h>

/* malloc'd; NULL with errno: EINVAL if it is not a regular file (a pipe would block the loop),
 * EFBIG above max bytes. */
char *key_file_read(const char *path, size_t max, size_t *len);

#endif
