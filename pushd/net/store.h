/*
 * store: the memory of an incomplete body or message. It counts in
 * receive_bytes, by engine_keep().
 */
#ifndef PUSHD_STORE_H
#define PUSHD_STORE_H

#include <stdbool.h>
#include <stddef.h>

struct server_scope;

/* Zero bytes are an empty one. */
struct store {
    char *data;
    size_t len, size;
};

/* Appends to data; the caller limits its length. False: receive_bytes would be exceeded. */
bool store_add(struct server_scope *scope, struct store *store, const void *in, size_t len);
/* Frees data. */
void store_clear(struct server_scope *scope, struct store *store);

#endif
