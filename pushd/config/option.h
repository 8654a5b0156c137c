/*
 * option: the table of options, and their values as text.
 *
 * An option has a name (ping_interval), a kind of value, a default and limits. The table is the
 * only place that lists them: flags, environment, file, --help and --print-config are made from it,
 * and so are the example file and the tables of the documents (`make docs`).
 */
#ifndef PUSHD_OPTION_H
#define PUSHD_OPTION_H

#include "base/units.h"
#include "config/config.h"

enum option_kind {
    OPTION_TEXT,     /* char * */
    OPTION_DURATION, /* uint64_t, ms */
    OPTION_SIZE,     /* size_t, bytes */
    OPTION_COUNT,    /* int */
    OPTION_CHOICE,   /* int: which one of words */
    OPTION_SWITCH    /* bool: false for the first of words, true for the second */
};

struct option {
    const char *name;
    enum option_kind kind;
    size_t offset;        /* in struct config */
    const char *value;    /* what a value is called: "duration", "list" */
    const char *fallback; /* the default, as text */
    uint64_t min, max;    /* of a number, or of the length of a text */
    union {
        const char *words;                      /* of a choice or a switch */
        const char *(*wrong)(const char *text); /* what was expected; NULL if the text is right */
    };
    /* What it is for: for --help a phrase, for the documents a phrase that becomes a sentence, and
     * more sentences. A ` stands before and after what is code. */
    const char *help, *more;
};

struct option_group {
    const char *title, *note; /* note: a sentence about them all, or "" */
    const struct option *options;
    size_t count;
};

/* The i-th group, NULL after the last. */
const struct option_group *option_group_at(size_t i);
/* The i-th option, NULL after the last. */
const struct option *option_at(size_t i);
/* The option of this name, or NULL; then *nearest is the known name that is most like it. */
const struct option *option_find(const char *name, const char **nearest);

/* Set the option from text. Returns false with "expected ..., found ..." in err. */
bool option_set(const struct option *o, struct config *c, const char *text, char *err,
                size_t errlen);
/* The value as text that option_set() reads, malloc'd. */
char *option_get(const struct option *o, const struct config *c);
/* The words that a choice or a switch is among; else NULL. */
const char *option_words(const struct option *o);
/* The limits of a number as text. Returns false for a text and for words. */
bool option_limits(const struct option *o, char min[UNITS_TEXT], char max[UNITS_TEXT]);
void option_clear(const struct option *o, struct config *c);

#endif
