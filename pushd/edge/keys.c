/*
 * keys: see keys.h.
 */
#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

enum { FILE_MAX = 1 << 20, ERROR_MAX = 4608, REFRESH_MIN_MS = 1000 };

/* What tells one content of the file from the next without reading it. */
struct stamp {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec mtime;
    int missing; /* errno, 0 if it is there */
};

struct keys {
    const struct config *config;
    keys_changed changed;
    void *ctx;
    uv_timer_t timer;
    struct keyset *set;
    struct stamp stamp;
    uint64_t looked; /* when the file was last looked at */
    char problem[ERROR_MAX];
};

static const char *file_of(const struct config *config)
{
    return *config->jwks_file != '\0' ? config->jwks_file : config->jwt_secret_file;
}

static const char *option_of(const struct config *config)
{
    return *config->jwks_file != '\0' ? "jwks_file" : "jwt_secret_file";
}

static struct stamp stamp_of(const char *path)
{
    struct stat st;
    struct stamp s = {0};
    if (stat(path, &st) != 0) {
        s.missing = errno;
        return s;
    }
    s.dev = st.st_dev;
    s.ino = st.st_ino;
    s.size = st.st_size;
    s.mtime = st.st_mtim;
    return s;
}

static bool is_same(const struct stamp *a, const struct stamp *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec &&
           a->missing == b->missing;
}

/* The whole file, malloc'd, or NULL with errno. A pipe would block the loop: only files are read.
 */
static char *read_file(const char *path, size_t *len)
{
    struct stat st = {0};
    char *text = NULL;
    ssize_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : st.st_size > FILE_MAX ? EFBIG : EINVAL;
        close(fd);
        return NULL;
    }
    text = malloc(FILE_MAX);
    *len = 0;
    while (text != NULL && *len < FILE_MAX &&
           ((n = read(fd, text + *len, FILE_MAX - *len)) > 0 || (n < 0 && errno == EINTR)))
        *len += n > 0 ? (size_t)n : 0;
    int saved = errno;
    close(fd);
    if (n < 0) {
        free(text);
        text = NULL;
    }
    errno = saved;
    return text;
}

/* A text editor ends the secret with a line feed, which is not part of it. */
static size_t without_line_end(const char *text, size_t len)
{
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    return len;
}

static struct keyset *read_keys(const struct config *config, char *err, size_t errlen)
{
    const char *path = file_of(config);
    char reason[512];
    size_t len;
    char *text = read_file(path, &len);
    if (text == NULL) {
        snprintf(err, errlen,
                 "%s: expected a readable file at %s, found: %s: correct the option or "
                 "the file's permissions",
                 option_of(config), path, errno == EINVAL ? "no regular file" : strerror(errno));
        return NULL;
    }
    struct keyset *set =
        *config->jwks_file != '\0'
            ? keyset_from_jwks(text, len, reason, sizeof reason)
            : keyset_from_secret(text, without_line_end(text, len), reason, sizeof reason);
    if (set == NULL)
        snprintf(err, errlen, "%s: in %s: %s", option_of(config), path, reason);
    OPENSSL_cleanse(text, len);
    free(text);
    return set;
}

int keys_check(const struct config *config, char *err, size_t errlen)
{
    struct keyset *set = read_keys(config, err, errlen);
    keyset_free(set);
    return set == NULL ? -1 : 0;
}

static void adopt(struct keys *k, struct keyset *set)
{
    struct keyset *old = k->set;
    k->set = set;
    *k->problem = '\0';
    if (keyset_count(set) == 0)
        snprintf(k->problem, sizeof k->problem, "no usable key in %s", file_of(k->config));
    k->changed(k->ctx, set);
    keyset_free(old);
}

/* Read the file if it is not what it was. Each content, good or bad, is reported once. */
static bool look(struct keys *k)
{
    char err[ERROR_MAX];
    struct stamp now = stamp_of(file_of(k->config));
    k->looked = uv_now(k->timer.loop);
    if (is_same(&now, &k->stamp))
        return false;
    k->stamp = now; /* taken before reading: what is written meanwhile is seen next time */
    struct keyset *set = read_keys(k->config, err, sizeof err);
    if (set == NULL) {
        log_warning("keys stay as they were: %s", err);
        return false;
    }
    adopt(k, set);
    log_write(*k->problem == '\0' ? LOG_INFO : LOG_WARNING, "keys read file=%s usable=%zu",
              file_of(k->config), keyset_count(set));
    return true;
}

static void on_timer(uv_timer_t *timer)
{
    look(timer->data);
}

bool keys_refresh(struct keys *k)
{
    uint64_t due = k->looked + REFRESH_MIN_MS, now = uv_now(k->timer.loop);
    if (now >= due)
        return look(k);
    if (uv_timer_get_due_in(&k->timer) > due - now) /* too early: when it may be */
        uv_timer_start(&k->timer, on_timer, due - now, k->config->keys_interval);
    return false;
}

const char *keys_reason(const struct keys *k)
{
    return *k->problem == '\0' ? NULL : k->problem;
}

struct keys *keys_open(const struct config *config, uv_loop_t *loop, keys_changed changed,
                       void *ctx, char *err, size_t errlen)
{
    struct stamp stamp = stamp_of(file_of(config));
    struct keyset *set = read_keys(config, err, errlen);
    struct keys *k = set == NULL ? NULL : calloc(1, sizeof *k);
    if (k == NULL) {
        keyset_free(set);
        return NULL;
    }
    k->config = config;
    k->changed = changed;
    k->ctx = ctx;
    k->stamp = stamp;
    uv_timer_init(loop, &k->timer);
    k->timer.data = k;
    uv_timer_start(&k->timer, on_timer, config->keys_interval, config->keys_interval);
    adopt(k, set);
    if (k->problem[0] != '\0')
        log_warning("tokens cannot be judged yet: %s", k->problem);
    return k;
}

static void on_closed(uv_handle_t *handle)
{
    struct keys *k = handle->data;
    keyset_free(k->set);
    free(k);
}

void keys_close(struct keys *k)
{
    if (k != NULL)
        uv_close((uv_handle_t *)&k->timer, on_closed);
}
