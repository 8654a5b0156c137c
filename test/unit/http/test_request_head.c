/* Heads of requests, from vectors: each whole, split at every byte, and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/request_head.h"
#include "vectors.h"

enum { ROOM = 20000 };

static const char *const NAMES[HEADERS] = {"Host",
                                           "Connection",
                                           "Content-Length",
                                           "Transfer-Encoding",
                                           "Expect",
                                           "Content-Type",
                                           "Origin",
                                           "Authorization",
                                           "User-Agent",
                                           "X-Forwarded-For",
                                           "Access-Control-Request-Headers",
                                           "Upgrade",
                                           "Sec-WebSocket-Key",
                                           "Sec-WebSocket-Version",
                                           "Sec-WebSocket-Protocol"};

/* A head as it is read, from an allocation of exactly its length. */
struct reading {
    struct request_head head;
    enum head_step step;
    int status;
    const char *why;
    char *text;
};

static void read_from(struct reading *r, const char *text, size_t len, size_t seen)
{
    *r = (struct reading){.text = malloc(len ? len : 1)};
    assert_non_null(r->text);
    memcpy(r->text, text, len);
    r->step = request_head_read(&r->head, r->text, len, seen, &r->status, &r->why);
    if (r->step == HEAD_PART)
        assert_memory_equal(r->text, text, len);
}

/* What a head was read as, in the form of the vectors. */
static void tell(const struct reading *r, char *out, size_t size)
{
    static const char *const methods[] = {"GET", "POST", "OPTIONS", "OTHER"};
    const struct request_head *h = &r->head;
    size_t n = 0;
    if (r->step == HEAD_PART)
        n = (size_t)snprintf(out, size, "incomplete");
    else if (r->step == HEAD_WRONG)
        n = (size_t)snprintf(out, size, "%d %s", r->status, r->why);
    else
        n = (size_t)snprintf(out, size, "%s %s ?%s 1.%d%s%s%s", methods[h->method],
                             r->text + h->path, r->text + h->query, !h->version_1_0,
                             h->persistent ? " keep" : "", h->bodiless ? " bodiless" : "",
                             h->expects_continue ? " continue" : "");
    if (r->step == HEAD_WHOLE && h->has_length)
        n += (size_t)snprintf(out + n, size - n, " length=%llu", (unsigned long long)h->length);
    for (unsigned i = 0; r->step != HEAD_PART && i < h->n && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, " | %s=%s", NAMES[h->value[i].header],
                              r->text + h->value[i].at);
    assert_true(n < size);
}

static void check_read(const char *text, size_t len, size_t seen, const char *expected)
{
    struct reading r;
    static char found[2 * ROOM];
    read_from(&r, text, len, seen);
    tell(&r, found, sizeof found);
    if (strcmp(found, expected) != 0)
        fail_msg("%.*s\nafter %zu bytes of %zu: expected\n%s\nfound\n%s", (int)len, text, seen, len,
                 expected, found);
    free(r.text);
}

/* However it is split, it gets the same answer, and until then none. Its verdict may come early. */
static void check_splits(const char *text, size_t len, const char *expected)
{
    struct reading r = {.step = HEAD_PART};
    check_read(text, len, 0, expected);
    for (size_t n = 1; n <= len && r.step == HEAD_PART; n++) {
        read_from(&r, text, n, n - 1);
        free(r.text);
        check_read(text, n, n - 1, r.step == HEAD_PART ? "incomplete" : expected);
        check_read(text, len, r.step == HEAD_PART ? n : n - 1, expected);
        if (r.step == HEAD_WHOLE)
            assert_int_equal(r.head.len, n);
    }
    assert_int_not_equal(r.step, HEAD_PART);
}

/* The lines of a vector, from its second field on. */
static size_t join(const struct vector *v, char *out)
{
    size_t n = 0;
    for (unsigned i = 1; i <= v->n; i++) {
        size_t len = i < v->n ? v->field[i].len : 0;
        assert_true(n + len + 2 < ROOM);
        memcpy(out + n, i < v->n ? v->field[i].text : "", len);
        memcpy(out + n + len, "\r\n", 2);
        n += len + 2;
    }
    return n;
}

static void check_vector(const struct vector *v)
{
    static char text[ROOM];
    size_t len = join(v, text);
    check_splits(text, len, v->field[0].text);
}

static void good_heads_are_read(void **state)
{
    (void)state;
    vectors_each("http/request_head/good.txt", 140, check_vector);
}

static void bad_heads_are_refused(void **state)
{
    (void)state;
    vectors_each("http/request_head/bad.txt", 290, check_vector);
}

/* What follows a head is not looked at: a body, another request, anything. */
static void what_follows_is_left_alone(void **state)
{
    static const char *const behind[] = {"x", "\r\n", "\n", "\r\r", "GET / HTTP/1.1\r\n\r\n", " y"};
    static const char head[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    char text[128];
    (void)state;
    for (size_t i = 0; i < sizeof behind / sizeof *behind; i++) {
        struct reading r;
        int len = snprintf(text, sizeof text, "%s%s", head, behind[i]);
        read_from(&r, text, (size_t)len, 0);
        assert_int_equal(r.step, HEAD_WHOLE);
        assert_int_equal(r.head.len, strlen(head));
        assert_memory_equal(r.text + r.head.len, behind[i], strlen(behind[i]));
        free(r.text);
    }
}

/* The length counts what came before the request line. */
static void empty_lines_before_count(void **state)
{
    static const char head[] = "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n";
    struct reading r;
    (void)state;
    read_from(&r, head, sizeof head - 1, 0);
    assert_int_equal(r.step, HEAD_WHOLE);
    assert_int_equal(r.head.len, sizeof head - 1);
    free(r.text);
}

/* A client that waits for an answer before it sends more gets one. */
static void what_cannot_become_good_is_refused_at_once(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"\x16", "400 no method at the beginning"},
        {"\n", "400 no method at the beginning"},
        {"\r\n\r\n\x16", "400 no method at the beginning"},
        {"\rG", "400 no method at the beginning"},
        {"G\t", "400 no method at the beginning"},
        {"GET /\r", "400 malformed request line"},
        {"GET  ", "400 malformed request line"},
        {"GET / HTTP/1.1\n", "400 malformed request line"},
        {"GET / HTTP/1.1 x", "400 malformed request line"},
        {"GET / HTTP/2.0\r\n", "505 version of HTTP that is neither 1.0 nor 1.1"},
        {"GET a HTTP/1.1\r\n", "400 malformed target"},
        {"GET / HTTP/1.1\r\nOrigin: a\r\nX\r\n",
         "400 header line without a name and a colon | Origin=a"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len = strlen(cases[i].text);
        check_read(cases[i].text, len, 0, cases[i].expected);
        check_read(cases[i].text, len, len - 1, cases[i].expected);
    }
    check_read("", 0, 0, "incomplete");
    check_read("\r\n\r\n\r", 5, 4, "incomplete");
}

/* --- limits --- */

static size_t append(char *text, size_t len, const char *more)
{
    size_t n = strlen(more);
    assert_true(len + n < 2 * ROOM);
    memcpy(text + len, more, n);
    return len + n;
}

static size_t fill(char *text, size_t len, size_t n)
{
    memset(text + len, 'a', n);
    return len + n;
}

/* The answer and nothing behind it: 0 = whole, -1 = incomplete. In pieces of `step` bytes, too. */
static void check_status(const char *text, size_t len, int expected)
{
    for (size_t step = 1; step <= len; step = step < 7 ? 7 : step < len ? len : len + 1) {
        struct request_head h;
        char *copy = malloc(len);
        const char *why = NULL;
        int status = 0;
        enum head_step found = HEAD_PART;
        assert_non_null(copy);
        memcpy(copy, text, len);
        for (size_t n = 0, seen = 0; n < len && found == HEAD_PART; seen = n) {
            n = len - n < step ? len : n + step;
            found = request_head_read(&h, copy, n, seen, &status, &why);
        }
        free(copy);
        if (found == HEAD_WRONG ? status != expected : expected != (found == HEAD_WHOLE ? 0 : -1))
            fail_msg("by %zu: expected %d, found %d (%d %s)", step, expected, (int)found, status,
                     why);
    }
}

static void a_target_has_a_limit(void **state)
{
    static char text[2 * ROOM];
    (void)state;
    for (size_t n = REQUEST_TARGET_MAX - 1; n <= REQUEST_TARGET_MAX + 1; n++) {
        size_t len = append(text, 0, "GET /");
        len = fill(text, len, n - 1);
        check_status(text, len, n > REQUEST_TARGET_MAX ? 414 : -1);
        len = append(text, len, " HTTP/1.1\r\nHost: x\r\n\r\n");
        check_status(text, len, n > REQUEST_TARGET_MAX ? 414 : 0);
    }
    /* However long it is, and whatever its form. */
    check_status(text, fill(text, append(text, 0, "GET /"), ROOM), 414);
    check_status(text, fill(text, append(text, 0, "GET http://h/?"), REQUEST_TARGET_MAX), 414);
    check_status(text, fill(text, 0, ROOM), 431);
}

static void a_head_has_a_limit(void **state)
{
    static char text[2 * ROOM];
    (void)state;
    for (size_t n = REQUEST_HEAD_MAX - 1; n <= REQUEST_HEAD_MAX + 1; n++) {
        size_t len = append(text, 0, "\r\nGET / HTTP/1.1\r\nHost: x\r\nX: ");
        len = append(text, fill(text, len, n - 4 - len), "\r\n\r\n");
        assert_int_equal(len, n);
        check_status(text, len, n > REQUEST_HEAD_MAX ? 431 : 0);
        memset(text + len, 'b', ROOM - len);
        check_status(text, ROOM, n > REQUEST_HEAD_MAX ? 431 : 0);
        check_status(text, n - 1, n > REQUEST_HEAD_MAX ? 431 : -1);
    }
    for (size_t i = 0; i < ROOM; i += 2)
        memcpy(text + i, "\r\n", 2);
    check_status(text, REQUEST_HEAD_MAX - 1, -1);
    check_status(text, ROOM, 431);
}

static void check_lines(const char *line, size_t most)
{
    static char text[2 * ROOM];
    for (size_t n = most - 1; n <= most + 1; n++) {
        size_t len = append(text, 0, "GET / HTTP/1.1\r\nHost: x\r\n");
        for (size_t i = 1; i < n; i++)
            len = append(text, len, line);
        check_status(text, len, -1);
        check_status(text, append(text, len, "\r\n"), n > most ? 431 : 0);
    }
}

static void lines_have_limits(void **state)
{
    (void)state;
    check_lines("X: y\r\n", REQUEST_LINES_MAX);
    check_lines("X-Forwarded-For: y\r\n", REQUEST_VALUES_MAX);
}

/* For CORS. */
static void what_is_too_long_has_an_origin(void **state)
{
    static char text[2 * ROOM];
    struct reading r;
    (void)state;
    size_t len = append(text, 0, "GET / HTTP/1.1\r\nOrigin: https://a\r\nCookie: ");
    len = fill(text, len, ROOM);
    read_from(&r, text, len, len - 1);
    assert_int_equal(r.step, HEAD_WRONG);
    assert_int_equal(r.status, 431);
    assert_string_equal(request_header(&r.head, HEADER_ORIGIN), "https://a");
    free(r.text);
}

/* --- values --- */

static void check_values(const char *lines, size_t size, const char *expected)
{
    char text[512], *out = malloc(size);
    struct reading r;
    assert_non_null(out);
    int len = snprintf(text, sizeof text, "GET / HTTP/1.0\r\n%s\r\n", lines);
    read_from(&r, text, (size_t)len, 0);
    assert_int_equal(r.step, HEAD_WHOLE);
    const char *found = request_values(&r.head, HEADER_FORWARDED_FOR, out, size);
    if (expected)
        assert_string_equal(found, expected);
    else
        assert_null(found);
    free(r.text);
    free(out);
}

#define FOR(value) "X-Forwarded-For: " value "\r\n"

static void values_are_joined(void **state)
{
    (void)state;
    check_values("", 32, NULL);
    check_values("X-Forwarded: a\r\n", 32, NULL);
    check_values(FOR("a"), 32, "a");
    check_values(FOR("abcdef"), 2, "abcdef");
    check_values(FOR(""), 32, "");
    check_values(FOR("a") "Host: x\r\n" FOR("b, c"), 32, "a, b, c");
    check_values(FOR("a") FOR("") FOR("b") FOR("c"), 32, "a, , b, c");
    /* The right end stays. */
    check_values(FOR("abc") FOR("def"), 9, "abc, def");
    check_values(FOR("abc") FOR("def"), 8, "bc, def");
    check_values(FOR("abc") FOR("def"), 6, ", def");
    check_values(FOR("abc") FOR("def"), 5, " def");
    check_values(FOR("abc") FOR("def"), 3, "ef");
    check_values(FOR("abc") FOR("def"), 1, "");
}

static void the_first_value_is_found(void **state)
{
    static const char text[] = "GET / HTTP/1.0\r\nConnection: a\r\nConnection: b, Cd\r\n\r\n";
    struct reading r;
    (void)state;
    read_from(&r, text, sizeof text - 1, 0);
    assert_string_equal(request_header(&r.head, HEADER_CONNECTION), "a");
    assert_null(request_header(&r.head, HEADER_UPGRADE));
    assert_true(request_lists(&r.head, HEADER_CONNECTION, "A"));
    assert_true(request_lists(&r.head, HEADER_CONNECTION, "b"));
    assert_true(request_lists(&r.head, HEADER_CONNECTION, "cD"));
    assert_false(request_lists(&r.head, HEADER_CONNECTION, "c"));
    assert_false(request_lists(&r.head, HEADER_CONNECTION, "cde"));
    assert_false(request_lists(&r.head, HEADER_UPGRADE, "a"));
    free(r.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_heads_are_read),
        cmocka_unit_test(bad_heads_are_refused),
        cmocka_unit_test(what_follows_is_left_alone),
        cmocka_unit_test(empty_lines_before_count),
        cmocka_unit_test(what_cannot_become_good_is_refused_at_once),
        cmocka_unit_test(a_target_has_a_limit),
        cmocka_unit_test(a_head_has_a_limit),
        cmocka_unit_test(lines_have_limits),
        cmocka_unit_test(what_is_too_long_has_an_origin),
        cmocka_unit_test(values_are_joined),
        cmocka_unit_test(the_first_value_is_found),
    };
    return cmocka_run_group_tests_name("request_head", tests, NULL, NULL);
}
