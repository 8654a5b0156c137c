/*
 * option: see option.h. The text of a value, in and out.
 */
#include "config/option.h"
#include "base/alloc.h"
#include "base/words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_LENGTH = 64 };

static const struct unit *units_of(enum option_kind kind)
{
    return kind == OPTION_DURATION ? units_duration
           : kind == OPTION_SIZE   ? units_size
                                   : units_count;
}

static void *value_of(const struct option *o, struct config *c)
{
    return (char *)c + o->offset;
}

/* https://user:password@host */
static bool may_hold_password(const char *text)
{
    const char *scheme = strstr(text, "://");
    return scheme != NULL && strchr(scheme, '@') != NULL;
}

static bool set_text(const struct option *o, struct config *c, const char *text, char *err,
                     size_t errlen)
{
    char **value = value_of(o, c);
    size_t len = strlen(text);
    const char *expected = NULL;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            snprintf(err, errlen,
                     "expected a text without control characters, found one: take it out");
            return false;
        }
    if (len < o->min || len > o->max) {
        snprintf(err, errlen, "expected a text of %" PRIu64 " to %" PRIu64 " bytes, found %zu: %s",
                 o->min, o->max, len, len < o->min ? "give it a value" : "shorten it");
        return false;
    }
    if (o->wrong != NULL)
        expected = o->wrong(text);
    if (expected != NULL) {
        bool secret = may_hold_password(text);
        snprintf(err, errlen, "expected %s, found %s%s%s", expected, secret ? "" : "\"",
                 secret ? "one with a user, and perhaps a password" : text, secret ? "" : "\"");
        return false;
    }
    free(*value);
    *value = alloc_text(text);
    return true;
}

static bool set_number(const struct option *o, struct config *c, const char *text, char *err,
                       size_t errlen)
{
    const struct unit *units = units_of(o->kind);
    char min[UNITS_TEXT], max[UNITS_TEXT];
    uint64_t n;
    if (!units_parse(units, text, strlen(text), &n) || n < o->min || n > o->max) {
        option_limits(o, min, max);
        snprintf(err, errlen, "expected a %s from %s to %s, found \"%s\": write for example %s",
                 o->value, min, max, text, o->fallback);
        return false;
    }
    if (o->kind == OPTION_DURATION)
        *(uint64_t *)value_of(o, c) = n;
    else if (o->kind == OPTION_SIZE)
        *(size_t *)value_of(o, c) = (size_t)n;
    else
        *(int *)value_of(o, c) = (int)n;
    return true;
}

static bool set_word(const struct option *o, struct config *c, const char *text, char *err,
                     size_t errlen)
{
    const char *word;
    size_t len;
    for (int i = 0; (len = words_get(o->words, (size_t)i, &word)) > 0; i++) {
        if (strlen(text) != len || memcmp(text, word, len) != 0)
            continue;
        if (o->kind == OPTION_CHOICE)
            *(int *)value_of(o, c) = i;
        else
            *(bool *)value_of(o, c) = i == 1;
        return true;
    }
    snprintf(err, errlen, "expected one of: %s, found \"%s\": write for example %s", o->words, text,
             o->fallback);
    return false;
}

bool option_set(const struct option *o, struct config *c, const char *text, char *err,
                size_t errlen)
{
    switch (o->kind) {
    case OPTION_TEXT:
        return set_text(o, c, text, err, errlen);
    case OPTION_CHOICE:
    case OPTION_SWITCH:
        return set_word(o, c, text, err, errlen);
    default:
        return set_number(o, c, text, err, errlen);
    }
}

char *option_get(const struct option *o, const struct config *c)
{
    const void *value = (const char *)c + o->offset;
    const char *word;
    char number[UNITS_TEXT];
    switch (o->kind) {
    case OPTION_TEXT:
        return alloc_text(*(char *const *)value);
    case OPTION_CHOICE:
    case OPTION_SWITCH: {
        size_t i = o->kind == OPTION_CHOICE ? (size_t) * (const int *)value : *(const bool *)value;
        size_t len = words_get(o->words, i, &word);
        return alloc_text_of(word, len);
    }
    case OPTION_DURATION:
        units_print(units_duration, *(const uint64_t *)value, number);
        break;
    case OPTION_SIZE:
        units_print(units_size, *(const size_t *)value, number);
        break;
    case OPTION_COUNT:
        units_print(units_count, (uint64_t)(*(const int *)value), number);
        break;
    }
    return alloc_text(number);
}

const char *option_words(const struct option *o)
{
    return o->kind == OPTION_CHOICE || o->kind == OPTION_SWITCH ? o->words : NULL;
}

bool option_limits(const struct option *o, char min[UNITS_TEXT], char max[UNITS_TEXT])
{
    if (o->kind == OPTION_TEXT || option_words(o) != NULL)
        return false;
    units_print(units_of(o->kind), o->min, min);
    units_print(units_of(o->kind), o->max, max);
    return true;
}

void option_clear(const struct option *o, struct config *c)
{
    if (o->kind != OPTION_TEXT)
        return;
    char **value = value_of(o, c);
    free(*value);
    *value = NULL;
}

/* How many letters must be put in, taken out or changed to make a into b. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_LENGTH + 1];
    size_t la = strnlen(a, NAME_MAX_LENGTH), lb = strnlen(b, NAME_MAX_LENGTH);
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            best = best < row[j] + 1 ? best : row[j] + 1;
            row[j] = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
        }
    }
    return row[lb];
}

const struct option *option_find(const char *name, const char **nearest)
{
    const struct option *o;
    size_t least = SIZE_MAX;
    for (size_t i = 0; (o = option_at(i)) != NULL; i++)
        if (strcmp(name, o->name) == 0)
            return o;
    for (size_t i = 0; (o = option_at(i)) != NULL; i++) {
        size_t d = distance(name, o->name);
        if (d < least) {
            least = d;
            *nearest = o->name;
        }
    }
    return NULL;
}
