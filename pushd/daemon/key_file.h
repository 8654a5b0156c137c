/*
 * key_file: a small file, read whole.
 */
#ifndef PUSHD_KEY_FILE_H
#define PUSHD_KEY_FILE_H

#include <stddef.h>

/* malloc'd, or NULL with errno: EINVAL for what is no regular file, EFBIG beyond max bytes. A pipe
 * would block the loop. */
char *key_file_read(const char *path, size_t max, size_t *len);

#endif
