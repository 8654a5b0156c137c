/*
 * keys: the key set in use, read from a file or fetched from a URL, as the configuration says.
 *
 * When it is looked for again says keys_plan. What has become bad changes nothing: the last good
 * keys stay.
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
 * A look has brought these keys, which may be those in use; as_of is the time of the loop when it
 * began. They are borrowed until the next call; the set before them is freed after this returns.
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
 * Read the file, give its keys to found() and begin to watch it; or begin to fetch. NULL with one
 * line in err if a file cannot be read or is not what it should be: the program cannot start
 * (exit 78). A URL may come to answer later.
 */
struct keys *keys_open(const struct keys_env *env, char *err, size_t errlen);
/* A token named a key that is not in the set: look again soon. found() is not called from here. */
void keys_refresh(struct keys *k);
/* The operator asks for it: at once. */
void keys_refresh_now(struct keys *k);
/* Why no token can be judged, for /readyz; NULL if all is well. */
const char *keys_reason(const struct keys *k);
/* Seconds since the keys in use were found right. */
double keys_age(const struct keys *k);
/* Stop; memory is freed when the loop has turned once more. The last set is freed with it. */
void keys_close(struct keys *k);

/* Read the files once, for --check-config: 0, or -1 with one line in err. Nothing is fetched. */
int keys_check(const struct config *config, char *err, size_t errlen);

#endif
