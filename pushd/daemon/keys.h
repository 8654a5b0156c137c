/*
 * keys: the key set in use, which comes from a file or a URL, as configured.
 *
 * A look reads the file or fetches the URL; keys_plan says when. If a look fails, the last good
 * keys stay in use.
 */
#ifndef PUSHD_KEYS_H
#define PUSHD_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "auth/token.h"
#include "base/metrics.h"
#include "config/config.h"

struct keys;

/*
 * A look has found these keys, which may be the same as before. as_of is the time of the loop when
 * it began. They are borrowed until the next call. The previous set is freed after this returns.
 */
typedef void (*keys_found)(void *ctx, const struct keyset *keys, uint64_t as_of);

struct keys_env {
    const struct config *config;
    uv_loop_t *loop;
    struct metrics *metrics;
    keys_found found;
    void *ctx;
};

/*
 * Reads the file, passes its keys to found(), and begins to watch it; or begins to fetch. NULL with
 * one line in err if a file cannot be read or is invalid: the program cannot start (exit 78). A URL
 * may begin to answer later.
 */
struct keys *keys_open(const struct keys_env *env, char *err, size_t errlen);
/* A token named a key that is not in the set: looks again soon. Does not call found(). */
void keys_refresh(struct keys *k);
/* The operator asks for it: looks immediately. */
void keys_refresh_now(struct keys *k);
/* Why no token can be judged, for /readyz. NULL if there are keys. */
const char *keys_reason(const struct keys *k);
/* Seconds since the keys in use were confirmed. */
double keys_age(const struct keys *k);
/* Stops. The memory is freed after the next turn of the loop, with the last set. */
void keys_close(struct keys *k);

/* Reads the files once, for --check-config: 0, or -1 with one line in err. Fetches nothing. */
int keys_check(const struct config *config, char *err, size_t errlen);

#endif
