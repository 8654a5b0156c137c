/*
 * JSON of a client: read if it is JSON (RFC 8259) and not too deep, as a grammar says that was
 * written without jansson; and where jansson alone reads it, read as that does. The first byte is
 * the depth that is allowed.
 */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_read.h"
#include "fuzz.h"

struct text {
    const unsigned char *at, *end;
    unsigned depth, deepest;
    bool zero_key;
};

static bool value(struct text *t);

static void blanks(struct text *t)
{
    while (t->at < t->end && *t->at && strchr(" \t\r\n", *t->at))
        t->at++;
}

static bool accept(struct text *t, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(t->end - t->at) < n || memcmp(t->at, word, n) != 0)
        return false;
    t->at += n;
    return true;
}

static bool some_digits(struct text *t)
{
    const unsigned char *from = t->at;
    while (t->at < t->end && *t->at >= '0' && *t->at <= '9')
        t->at++;
    return t->at > from;
}

static bool number(struct text *t)
{
    accept(t, "-");
    if (!accept(t, "0") && !some_digits(t))
        return false;
    if (accept(t, ".") && !some_digits(t))
        return false;
    if (!accept(t, "e") && !accept(t, "E"))
        return true;
    if (!accept(t, "-"))
        accept(t, "+");
    return some_digits(t);
}

static bool character(struct text *t)
{
    size_t n = utf8_character(t->at, t->end);
    bool good = n > 0 && *t->at >= ' ';
    t->at += n;
    return good;
}

static bool escape(struct text *t, bool *zero)
{
    unsigned code = 0;
    if (t->at == t->end || !*t->at || !strchr("\"\\/bfnrtu", *t->at))
        return false;
    if (*t->at++ != 'u')
        return true;
    for (int i = 0; i < 4; i++, t->at++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        const char *d = t->at < t->end && *t->at ? strchr(digits, *t->at) : NULL;
        if (!d)
            return false;
        code = code << 4 | (unsigned)((d - digits) % 16);
    }
    *zero |= code == 0;
    return true;
}

static bool string(struct text *t, bool *zero)
{
    if (!accept(t, "\""))
        return false;
    while (t->at < t->end) {
        if (accept(t, "\""))
            return true;
        if (accept(t, "\\") ? !escape(t, zero) : !character(t))
            return false;
    }
    return false;
}

static bool ended(struct text *t, const char *end)
{
    blanks(t);
    return accept(t, end);
}

static bool member(struct text *t)
{
    blanks(t);
    if (!string(t, &t->zero_key))
        return false;
    blanks(t);
    return accept(t, ":") && value(t);
}

static bool list(struct text *t, const char *end, bool (*one)(struct text *t))
{
    if (ended(t, end))
        return true;
    do
        if (!one(t))
            return false;
    while (ended(t, ","));
    return accept(t, end);
}

static bool value(struct text *t)
{
    bool zero = false, good;
    blanks(t);
    bool object = accept(t, "{"), array = !object && accept(t, "[");
    if (!object && !array) {
        good = accept(t, "true") || accept(t, "false") || accept(t, "null") ||
               (t->at < t->end && *t->at == '"' ? string(t, &zero) : number(t));
    } else {
        t->deepest = ++t->depth > t->deepest ? t->depth : t->deepest;
        good = t->depth < 2000 && (object ? list(t, "}", member) : list(t, "]", value));
        t->depth--;
    }
    return good;
}

static unsigned depth_of(const json_t *v)
{
    unsigned deepest = 0, d;
    size_t i;
    const char *key;
    json_t *part;
    json_array_foreach (v, i, part)
        deepest = (d = depth_of(part)) > deepest ? d : deepest;
    json_object_foreach ((json_t *)v, key, part)
        deepest = (d = depth_of(part)) > deepest ? d : deepest;
    return deepest + (json_is_array(v) || json_is_object(v));
}

/* It can be written, and what is written is read as the same. */
static void check_way_back(const json_t *found)
{
    const char *wrong;
    char *text = json_dumps(found, JSON_COMPACT | JSON_ENCODE_ANY);
    expect(text != NULL, "expected a value that can be written");
    json_t *again = json_read(text, strlen(text), 256, &wrong);
    expect(again && json_equal(found, again), "expected %s to be read as written", text);
    json_decref(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *wrong = NULL;
    struct input in = {data, size};
    unsigned most = take_byte(&in) % 65 + 1;
    struct text t = {.at = in.at, .end = in.at + in.left};
    json_t *found = json_read((const char *)in.at, in.left, most, &wrong);
    bool good = size > 1 && value(&t) && (blanks(&t), t.at == t.end);
    if (good && !t.zero_key)
        expect((found != NULL) == (t.deepest <= most), "depth %u: expected %s, found %s", t.deepest,
               t.deepest <= most ? "a value" : "none", found ? "one" : wrong);
    else
        expect(!found, "expected no value");
    expect((found == NULL) == (wrong != NULL), "expected a reason, or a value");
    if (found) {
        const size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
        json_t *plain = json_loadb((const char *)in.at, in.left, flags, NULL);
        expect(!plain || json_equal(plain, found), "expected what jansson reads");
        expect(depth_of(found) <= most, "expected depth %u at most", most);
        check_way_back(found);
        json_decref(plain);
    }
    json_decref(found);
    return 0;
}
