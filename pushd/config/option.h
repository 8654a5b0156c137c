/*
 * option: the table of options, and their values as text.
 *
 * An option has a name (ping_interval), a kind of value, a default and limits. The table is the
 * only place that lists them: flags, environment, file, --help and --print-config are made from it,
 * and test/doc-check compares the manual with it. Called by config.c and config_print.c.
 */
#ifndef PUSHD_OPTION_H
#define PUSHD_OPTION_H

#include "config/config.h"

enum option_kind {
    OPTION_TEXT,     /* char * */
    OPTION_DURATION, /* uint64_t, ms */
    OPTION_SIZE,     /* size_t, bytes */
    OPTION_COUNT,    /* int */
    OPTION_CHOICE,   /* int: which word of the list in check */
    OPTION_SWITCH    /* bool: false for the first word of the list, true for the second */
};

struct option {
    const char *name;
    enum option_kind kind;
    size_t offset; /* in struct config */
    const char *fallback;
    uint64_t min, max; /* of a number, or of the length of a text */
    union {
        const char *words;                      /* of a choice or a switch */
        const char *(*wrong)(const char *text); /* what a text had to be, NULL if it is right */
    };
    const char *help;
};

/* The i-th option, NULL after the last. */
const struct option *option_at(size_t i);
/* The option of this name, or NULL; then *nearest is the known name that is most like it. */
const struct option *option_find(const char *name, const char **nearest);

/* Set the option from text. Returns false with "expected ..., found ..." in err. */
bool option_set(const struct option *o, struct config *c, const char *text, char *err,
                size_t errlen);
/* The value as text that option_set() reads, malloc'd. */
char *option_get(const struct option *o, const struct config *c);
void option_clear(const struct option *o, struct config *c);

#endif
