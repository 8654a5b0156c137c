/*
 * keys: the key set in use, read from the file that the configuration names.
 *
 * The file is looked at every keys_interval, and at once when somebody asks for a refresh. A file
 * that has become bad changes nothing: the last good keys stay.
 */
#ifndef PUSHD_KEYS_H
#define PUSHD_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "config.h"
#include "token.h"

struct keys;

/* The new set, which is borrowed until the next call; the set before it is freed after this
 * returns. */
typedef void (*keys_changed)(void *ctx, const struct keyset *keys);

/*
 * Read the file, give its keys to changed() and begin to watch it. NULL with one line in err if it
 * cannot be read or is not what it should be: the program cannot start (exit 78).
 */
struct keys *keys_open(const struct config *config, uv_loop_t *loop, keys_changed changed,
                       void *ctx, char *err, size_t errlen);
/*
 * A token named a key that is not in the set: look at the file now, but at most once a second. True
 * if the keys changed; changed() has then been called.
 */
bool keys_refresh(struct keys *k);
/* Why no token can be judged, for /readyz; NULL if all is well. */
const char *keys_reason(const struct keys *k);
/* Stop watching; memory is freed when the loop has turned once more. The last set is freed with it.
 */
void keys_close(struct keys *k);

/* Read the file once, for --check-config: 0, or -1 with one line in err. */
int keys_check(const struct config *config, char *err, size_t errlen);

#endif
