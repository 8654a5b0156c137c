/* json_read: see json_read.h. */
#include "base/json_read.h"
#include "base/alloc.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* jansson recurses on nested values. This check first keeps a hostile text from using up the stack.
 */
static bool too_deep(const char *p, const char *end, unsigned max_depth)
{
    unsigned depth = 0;
    bool in_string = false;
    for (; p < end; p++) {
        if (in_string && *p == '\\')
            p++;
        else if (*p == '"')
            in_string = !in_string;
        else if (!in_string && (*p == '[' || *p == '{') && ++depth > max_depth)
            return true;
        else if (!in_string && (*p == ']' || *p == '}') && depth > 0)
            depth--;
    }
    return false;
}

/* A text during its rewrite. out holds what has been read so far. */
struct rewrite {
    const char *at, *end;
    char *out;
    bool changed;
};

static void copy(struct rewrite *r, size_t n)
{
    memcpy(r->out, r->at, n);
    r->out += n;
    r->at += n;
}

static size_t digits(const char *p, const char *end)
{
    size_t n = 0;
    while (p + n < end && p[n] >= '0' && p[n] <= '9')
        n++;
    return n;
}

/* The length of the JSON number at p, 0 if there is none. */
static size_t number_len(const char *p, const char *end, bool *integer)
{
    const char *at = p + (p < end && *p == '-');
    size_t n = digits(at, end);
    if (n == 0 || (n > 1 && *at == '0'))
        return 0;
    at += n;
    *integer = true;
    if (at < end && *at == '.') {
        n = digits(at + 1, end);
        if (n == 0)
            return 0;
        at += 1 + n;
        *integer = false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at += 1 + (at + 1 < end && (at[1] == '+' || at[1] == '-'));
        n = digits(at, end);
        if (n == 0)
            return 0;
        at += n;
        *integer = false;
    }
    return (size_t)(at - p);
}

/* False if it is not a number: then the text is not JSON. Going on would examine the rest of a long
 * number again and again. */
static bool rewrite_number(struct rewrite *r)
{
    bool integer;
    size_t n = number_len(r->at, r->end, &integer);
    if (n == 0)
        return false;
    char *start = r->out;
    copy(r, n);
    *r->out = '\0';
    errno = 0;
    if (isinf(strtod(start, NULL))) {
        memcpy(start, "null", 4);
        r->out = start + 4;
        r->changed = true;
    } else if (integer && (errno = 0, strtoll(start, NULL, 10), errno == ERANGE)) {
        memcpy(r->out, ".0", 2);
        r->out += 2;
        r->changed = true;
    }
    return true;
}

/* The code unit of the escape \uXXXX at p, -1 if there is none. */
static int unit(const char *p, const char *end)
{
    char hex[5] = "";
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return -1;
    memcpy(hex, p + 2, 4);
    return strspn(hex, "0123456789abcdefABCDEF") == 4 ? (int)strtol(hex, NULL, 16) : -1;
}

static bool high_half(int unit)
{
    return unit >= 0xd800 && unit < 0xdc00;
}

static bool low_half(int unit)
{
    return unit >= 0xdc00 && unit < 0xe000;
}

static void rewrite_escape(struct rewrite *r)
{
    int first = unit(r->at, r->end);
    if (first < 0) {
        copy(r, r->end - r->at < 2 ? 1 : 2);
    } else if (high_half(first) && low_half(unit(r->at + 6, r->end))) {
        copy(r, 12);
    } else if (high_half(first) || low_half(first)) {
        memcpy(r->out, "\\ufffd", 6);
        r->out += 6;
        r->at += 6;
        r->changed = true;
    } else {
        copy(r, 6);
    }
}

/* Rewrites what JavaScript reads and jansson does not. NULL if there is nothing to rewrite. */
static char *rewritten(const char *text, size_t len, size_t *out_len)
{
    /* An integer that grows by 2 has at least 19 digits. 1 is for the 0 after the last number. */
    char *buffer = must(malloc(len + len / 9 + 1));
    struct rewrite r = {text, text + len, buffer, false};
    bool in_string = false, good = true;
    while (good && r.at < r.end) {
        if (in_string && *r.at == '\\') {
            rewrite_escape(&r);
        } else if (!in_string && (*r.at == '-' || (*r.at >= '0' && *r.at <= '9'))) {
            good = rewrite_number(&r);
        } else {
            in_string ^= *r.at == '"';
            copy(&r, 1);
        }
    }
    *out_len = (size_t)(r.out - buffer);
    if (!good || !r.changed) {
        free(buffer);
        return NULL;
    }
    return buffer;
}

const char json_too_deep[] = "JSON nested too deep";

json_t *json_read(const char *text, size_t len, unsigned max_depth, const char **wrong)
{
    const size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
    json_error_t error;
    if (memchr(text, '\0', len)) { /* jansson overlooks one after a number or a name */
        *wrong = "payload is not JSON";
        return NULL;
    }
    if (too_deep(text, text + len, max_depth)) {
        *wrong = json_too_deep;
        return NULL;
    }
    json_t *value = json_loadb(text, len, flags, &error);
    if (!value) {
        char *again = rewritten(text, len, &len);
        if (again)
            value = json_loadb(again, len, flags, &error);
        free(again);
    }
    if (!value)
        *wrong = json_error_code(&error) == json_error_null_byte_in_key
                     ? "a key of the payload holds a zero byte"
                     : "payload is not JSON";
    return value;
}
