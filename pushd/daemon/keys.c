/* keys: see keys.h. */
#include "daemon/keys.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/keys_plan.h"
#include "auth/keys_source.h"
#include "base/alloc.h"
#include "base/log.h"
#include "daemon/fetch.h"
#include "daemon/key_file.h"

/* Reading a file costs little. */
enum { FILE_GAP_MS = 1000, DIGEST = 32 };

struct keys {
    struct keys_env env;
    struct keys_source source;
    struct keys_plan plan;
    uv_timer_t timer;    /* until the next look */
    struct fetch *fetch; /* NULL = none under way */
    struct keyset *set;
    uint8_t digest[DIGEST]; /* of the text of the key set */
};

static void arm(struct keys *k);

/* --- the result of a look --- */

static void count(struct keys *k, enum metric_id result)
{
    metrics_add(k->env.metrics, result, 1);
    metrics_set(k->env.metrics, METRIC_KEYS, (double)keyset_count(k->set));
}

static void failed(struct keys *k, const char *problem)
{
    if (keys_plan_failed(&k->plan, problem, uv_now(k->env.loop)))
        log_warning(k->set ? "keys stay as they were: %s" : "no keys yet: %s", problem);
    count(k, METRIC_KEYS_FAILED);
}

static void adopt(struct keys *k, struct keyset *set, bool changed)
{
    struct keyset *old = changed ? k->set : NULL;
    size_t usable = keyset_count(set);
    k->set = set;
    if (keys_plan_good(&k->plan, usable, changed, uv_now(k->env.loop)))
        log_write(usable > 0 ? LOG_INFO : LOG_WARNING, "keys read from=%.*s usable=%zu",
                  k->source.to_tell, k->source.location, usable);
    count(k, METRIC_KEYS_GOOD);
    k->env.found(k->env.ctx, set, k->plan.begun);
    keyset_free(old);
}

/* A realm without a key is being set up or repaired, so no token can come from it. A file is the
 * operator's decision, even if it is empty. */
static bool is_usable(const struct keys *k, const struct keyset *set, char *err, size_t errlen)
{
    if (k->source.kind != KEYS_URL || keyset_count(set) > 0)
        return true;
    snprintf(err, errlen, "GET %.*s: expected keys for %s, found none of them", k->source.to_tell,
             k->source.location, k->env.config->algorithms);
    return false;
}

/* text is what the source contains now. */
static bool take(struct keys *k, const char *text, size_t len, char *err, size_t errlen)
{
    uint8_t digest[DIGEST];
    if (EVP_Digest(text, len, digest, NULL, EVP_sha256(), NULL) != 1)
        abort();
    bool changed = !k->set || memcmp(digest, k->digest, DIGEST) != 0;
    struct keyset *set =
        changed ? keys_source_read(&k->source, k->env.config, text, len, err, errlen) : k->set;
    if (!set)
        return false;
    if (!is_usable(k, set, err, errlen)) {
        keyset_free(set);
        return false;
    }
    memcpy(k->digest, digest, DIGEST);
    adopt(k, set, changed);
    return true;
}

/* --- a look --- */

/* The content of the file, for free_text(). NULL with one line in err. */
static char *read_file(const struct keys_source *source, const struct config *config, size_t *len,
                       char *err, size_t errlen)
{
    char *text = key_file_read(source->location, config->keys_bytes, len);
    if (!text)
        snprintf(err, errlen,
                 "%s: expected a readable file at %s, found: %s: correct the option or the file's "
                 "permissions",
                 source->option, source->location,
                 errno == EINVAL  ? "no regular file"
                 : errno == EFBIG ? "more than keys_bytes"
                                  : strerror(errno));
    return text;
}

/* It may be a secret. */
static void free_text(char *text, size_t len)
{
    OPENSSL_cleanse(text, len);
    free(text);
}

static bool look_at_file(struct keys *k, char *err, size_t errlen)
{
    size_t len;
    keys_plan_begin(&k->plan, uv_now(k->env.loop));
    char *text = read_file(&k->source, k->env.config, &len, err, errlen);
    if (!text)
        return false;
    bool good = take(k, text, len, err, errlen);
    free_text(text, len);
    return good;
}

static void on_fetched(void *ctx, const struct fetched *f)
{
    struct keys *k = ctx;
    char err[KEYS_PROBLEM];
    k->fetch = NULL;
    if (f->problem)
        snprintf(err, sizeof err, "GET %.*s: %s", k->source.to_tell, k->source.location,
                 f->problem);
    if (f->problem || !take(k, f->body, f->len, err, sizeof err))
        failed(k, err);
    arm(k);
}

static void fetch(struct keys *k)
{
    const struct config *c = k->env.config;
    struct fetch_request request = {k->source.location, c->jwks_ca_file, c->keys_bytes,
                                    c->keys_timeout};
    keys_plan_begin(&k->plan, uv_now(k->env.loop));
    k->fetch = fetch_start(k->env.loop, &request, on_fetched, k);
}

static void look(struct keys *k)
{
    char err[KEYS_PROBLEM];
    if (k->source.kind == KEYS_URL)
        fetch(k);
    else if (!look_at_file(k, err, sizeof err))
        failed(k, err);
}

static void on_timer(uv_timer_t *timer)
{
    look(timer->data);
    arm(timer->data);
}

static void arm(struct keys *k)
{
    int64_t wait = keys_plan_due(&k->plan, uv_now(k->env.loop));
    if (wait >= 0)
        uv_timer_start(&k->timer, on_timer, (uint64_t)wait, 0);
}

void keys_refresh(struct keys *k)
{
    keys_plan_want(&k->plan);
    arm(k);
}

void keys_refresh_now(struct keys *k)
{
    keys_plan_force(&k->plan);
    arm(k);
}

const char *keys_reason(const struct keys *k)
{
    static char reason[KEYS_PROBLEM + 64];
    int len = k->source.to_tell;
    if (keyset_count(k->set) > 0)
        return NULL;
    if (k->set)
        snprintf(reason, sizeof reason, "no usable key in %.*s", len, k->source.location);
    else if (*k->plan.problem)
        snprintf(reason, sizeof reason, "no keys yet: %s", k->plan.problem);
    else
        snprintf(reason, sizeof reason, "no keys yet: GET %.*s: not answered yet", len,
                 k->source.location);
    return reason;
}

double keys_age(const struct keys *k)
{
    return keys_plan_age(&k->plan, uv_now(k->env.loop));
}

/* --- construction and end --- */

struct keys *keys_open(const struct keys_env *env, char *err, size_t errlen)
{
    const struct config *c = env->config;
    struct keys *k = alloc(sizeof *k);
    k->env = *env;
    keys_source_init(&k->source, c);
    bool url = k->source.kind == KEYS_URL;
    keys_plan_init(&k->plan, url ? c->keys_max_age : c->keys_interval,
                   url ? c->keys_refresh_interval : FILE_GAP_MS, uv_now(env->loop));
    if (!fetch_check(c->jwks_ca_file, err, errlen) || (!url && !look_at_file(k, err, errlen))) {
        keys_source_clear(&k->source);
        free(k);
        return NULL;
    }
    uv_timer_init(env->loop, &k->timer);
    k->timer.data = k;
    arm(k);
    return k;
}

static void on_closed(uv_handle_t *handle)
{
    struct keys *k = handle->data;
    keyset_free(k->set);
    keys_source_clear(&k->source);
    free(k);
}

void keys_close(struct keys *k)
{
    if (!k)
        return;
    if (k->fetch)
        fetch_cancel(k->fetch);
    uv_close((uv_handle_t *)&k->timer, on_closed);
}

static bool check_file(const struct keys_source *source, const struct config *config, char *err,
                       size_t errlen)
{
    size_t len;
    char *text = read_file(source, config, &len, err, errlen);
    if (!text)
        return false;
    struct keyset *set = keys_source_read(source, config, text, len, err, errlen);
    free_text(text, len);
    keyset_free(set);
    return set != NULL;
}

int keys_check(const struct config *config, char *err, size_t errlen)
{
    struct keys_source source;
    keys_source_init(&source, config);
    bool good = fetch_check(config->jwks_ca_file, err, errlen) &&
                (source.kind == KEYS_URL || check_file(&source, config, err, errlen));
    keys_source_clear(&source);
    return good ? 0 : -1;
}
