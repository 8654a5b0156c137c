/*
 * HTTP answers and addresses, by the first byte of the input:
 *   a   an answer, in pieces whose sizes the next two bytes give in turn; it must be understood as
 * when it comes whole, within its limit, and its body must stand in it if it is not in chunks u an
 * address; what is taken apart must make the same address again
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/http_read.h"
#include "base/url.h"
#include "fuzz.h"

enum { MAX = 1000 };

static void read_answer(struct http_reader *r, const char *data, size_t len, size_t one, size_t two)
{
    http_read_init(r, MAX);
    for (size_t at = 0, n = one, turn = 0; at < len; at += n, n = ++turn % 2 ? two : one) {
        n = n < len - at ? n : len - at;
        if (http_read_feed(r, data + at, n) != HTTP_MORE)
            break;
    }
    http_read_end(r);
}

static void check_answer(struct input *in)
{
    struct http_reader whole, parts;
    size_t one = 1 + take_byte(in), two = 1 + take_byte(in);
    char *data = malloc(in->left + 1); /* of its own, so that reading past it is seen */
    memcpy(data, in->at, in->left);
    read_answer(&whole, data, in->left, in->left + 1, 1);
    read_answer(&parts, data, in->left, one, two);
    expect(whole.state != HTTP_MORE, "expected an end");
    expect(whole.state == parts.state && whole.status == parts.status && whole.len == parts.len &&
               strcmp(whole.location, parts.location) == 0,
           "expected the same of pieces of %zu and %zu", one, two);
    expect(whole.len == 0 || memcmp(whole.body, parts.body, whole.len) == 0, "another body");
    expect(whole.taken <= MAX && whole.len <= MAX, "%zu bytes were taken", whole.taken);
    expect((whole.state == HTTP_BAD) == (whole.problem != NULL), "expected a reason");
    expect(is_one_line(whole.location), "expected one line");
    if (whole.state == HTTP_DONE && whole.len > 0) {
        expect(whole.status == 200, "a body of status %d", whole.status);
        expect(whole.chunked || memmem(data, in->left, whole.body, whole.len), "a body of its own");
    }
    http_read_clear(&whole);
    http_read_clear(&parts);
    free(data);
}

static void check_url(struct input *in)
{
    char *text = take_text(in), *again;
    char authority[URL_AUTHORITY], second[URL_AUTHORITY];
    struct url u, v;
    if (url_parse(text, &u)) {
        url_authority(&u, authority);
        expect(is_one_line(text) && !strpbrk(text, " #\\"), "accepted %s", text);
        expect(*u.host && !strpbrk(u.host, "@/?[]"), "the host %s of %s", u.host, text);
        if (asprintf(&again, "http%s://%s%s", u.https ? "s" : "", authority, u.target) < 0)
            abort();
        expect(url_parse(again, &v), "expected %s as %s", text, again);
        url_authority(&v, second);
        expect(strcmp(authority, second) == 0 && strcmp(u.host, v.host) == 0 &&
                   strcmp(u.port, v.port) == 0 && strcmp(u.target, v.target) == 0 &&
                   u.numeric == v.numeric && u.https == v.https,
               "expected the same of %s and %s", text, again);
        free(again);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    switch (take_byte(&in)) {
    case 'a':
        check_answer(&in);
        break;
    case 'u':
        check_url(&in);
        break;
    }
    return 0;
}
