/*
 * keys_source: which file or URL the keys come from, and how its text is read.
 */
#ifndef PUSHD_KEYS_SOURCE_H
#define PUSHD_KEYS_SOURCE_H

#include "auth/token.h"
#include "config/config.h"

enum keys_kind { KEYS_FILE, KEYS_SECRET, KEYS_URL };

struct keys_source {
    enum keys_kind kind;
    const char *option; /* the option that names it */
    char *location;     /* path or URL; malloc'd */
    int to_tell;        /* the length that log lines show: without the query of a URL */
};

void keys_source_init(struct keys_source *s, const struct config *config);
void keys_source_clear(struct keys_source *s);

/* The keys in this text that the configuration accepts. NULL with one line in err. */
struct keyset *keys_source_read(const struct keys_source *s, const struct config *config,
                                const char *text, size_t len, char *err, size_t errlen);

#endif
