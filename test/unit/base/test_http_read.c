/* Answers of HTTP/1.1, whole and in pieces of every size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/http_read.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"
enum { MAX = 4096 };

struct answer {
    const char *text;
    int status;       /* 0: it is bad */
    const char *body; /* or a part of the problem */
    bool ends;        /* only with the connection */
};

static const struct answer GOOD[] = {
    {OK "Content-Length: 3\r\n\r\nabc", 200, "abc", false},
    {OK "content-length:3 \r\n\r\nabcdef", 200, "abc", false},
    {OK "CONTENT-LENGTH: 003\r\nContent-Length: 3\r\n\r\nabc", 200, "abc", false},
    {OK "Content-Length: 0\r\n\r\n", 200, "", false},
    {"HTTP/1.0 200\r\n\r\nabc", 200, "abc", true},
    {"HTTP/1.1 200 OK\n\nabc", 200, "abc", true},
    {OK "\r\n", 200, "", true},
    {CHUNKED "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", 200, "abcde", false},
    {CHUNKED "00a\r\n0123456789\r\nA\r\nabcdefghij\r\n000\r\nTrailer: x\r\n\r\nmore", 200,
     "0123456789abcdefghij", false},
    {OK "Content-Length: 9\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 200, "a",
     false},
    {"HTTP/1.1 100 Continue\r\nLocation: x\r\nContent-Length: 7\r\n\r\n" OK
     "Content-Length: 1\r\n\r\na",
     200, "a", false},
    {"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nabcde", 404, "", false},
    {"HTTP/1.1 204\r\n\r\n", 204, "", false},
};
static const struct answer BAD[] = {
    {"", 0, "ended without one", true},
    {"SSH-2.0-OpenSSH\r\n", 0, "expected HTTP/1.1", false},
    {"HTTP/2 200\r\n", 0, "expected HTTP/1.1", false},
    {"HTTP/1.1 20\r\n", 0, "expected HTTP/1.1", false},
    {"HTTP/1.1 2000\r\n", 0, "expected HTTP/1.1", false},
    {"HTTP/1.1 200x\r\n", 0, "expected HTTP/1.1", false},
    {"\x15\x03\x01\x00\x02\x02\x0a\n", 0, "expected HTTP/1.1", false},
    {OK "Content-Length: x\r\n", 0, "Content-Length", false},
    {OK "Content-Length: 3x\r\n", 0, "Content-Length", false},
    {OK "Content-Length: -3\r\n", 0, "Content-Length", false},
    {OK "Content-Length: 3\r\nContent-Length: 4\r\n", 0, "Content-Length", false},
    {OK "Content-Length: 9999999999999\r\n", 0, "Content-Length", false},
    {OK "Content-Length: 4097\r\n\r\n", 0, "too large", false},
    {OK "Transfer-Encoding: gzip, chunked\r\n", 0, "Transfer-Encoding", false},
    {OK "Transfer-Encoding: chunkedx\r\n", 0, "Transfer-Encoding", false},
    {OK "Content-Length: 3\r\n\r\nab", 0, "before it was complete", true},
    {OK "Content-Length: 3\r\n", 0, "before it was complete", true},
    {CHUNKED "3\r\nabc\r\n", 0, "before it was complete", true},
    {CHUNKED "3\r\nabc\r\n0\r\n", 0, "before it was complete", true},
    {CHUNKED "3\r\nabcd\r\n", 0, "the end of a chunk", false},
    {CHUNKED "\r\n", 0, "the size of a chunk", false},
    {CHUNKED "x\r\n", 0, "the size of a chunk", false},
    {CHUNKED "3x\r\n", 0, "the size of a chunk", false},
    {CHUNKED "1234567890abc\r\n", 0, "the size of a chunk", false},
};

static void holds(const struct answer *a, size_t piece)
{
    struct http_reader r;
    size_t len = strlen(a->text) + (strchr(a->text, '\x15') ? 5 : 0);
    enum http_state state = HTTP_MORE;
    http_read_init(&r, MAX);
    for (size_t at = 0; at < len && state == HTTP_MORE; at += piece)
        state = http_read_feed(&r, a->text + at, piece < len - at ? piece : len - at);
    assert_int_equal(state == HTTP_MORE, a->ends);
    state = http_read_end(&r);
    assert_int_equal(state, a->status ? HTTP_DONE : HTTP_BAD);
    if (a->status) {
        assert_int_equal(r.status, a->status);
        assert_int_equal(r.len, strlen(a->body));
        assert_memory_equal(r.body ? r.body : "", a->body, r.len);
    } else if (!strstr(r.problem, a->body)) {
        fail_msg("expected \"%s\", found \"%s\" for %s", a->body, r.problem, a->text);
    }
    http_read_clear(&r);
}

static void answers_are_read_whole_and_in_pieces(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 100; piece++) {
        for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++)
            holds(&GOOD[i], piece);
        for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
            holds(&BAD[i], piece);
    }
}

static void nothing_is_taken_beyond_the_limit(void **state)
{
    static const char *const heads[] = {
        OK "\r\n", CHUNKED "ffff\r\n", CHUNKED, OK "X: ", OK, "HTTP/1.1 200 "};
    char flood[97];
    (void)state;
    memset(flood, 'x', sizeof flood);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        struct http_reader r;
        size_t fed = strlen(heads[i]);
        http_read_init(&r, MAX);
        enum http_state now = http_read_feed(&r, heads[i], fed);
        while (now == HTTP_MORE && fed < 2 * (size_t)MAX) {
            now = http_read_feed(&r, flood, sizeof flood);
            fed += sizeof flood;
        }
        assert_int_equal(now, HTTP_BAD);
        assert_non_null(strstr(r.problem, "too large"));
        assert_true(fed <= (size_t)MAX + sizeof flood && r.len <= MAX);
        http_read_clear(&r);
    }
}

static void an_answer_as_large_as_allowed_is_taken(void **state)
{
    char text[MAX + 1];
    struct http_reader r;
    (void)state;
    for (size_t more = 0; more < 2; more++) {
        int head = snprintf(text, sizeof text, OK "\r\n");
        memset(text + head, 'x', sizeof text - (size_t)head);
        http_read_init(&r, MAX);
        http_read_feed(&r, text, MAX + more);
        assert_int_equal(http_read_end(&r), more ? HTTP_BAD : HTTP_DONE);
        http_read_clear(&r);
    }
}

static void a_redirect_says_where(void **state)
{
    static const char text[] = "HTTP/1.1 302 Found\r\nLocation: https://h/\x1b[2J a\r\n\r\n";
    struct http_reader r;
    char *longest = malloc(3000);
    (void)state;
    http_read_init(&r, MAX);
    assert_int_equal(http_read_feed(&r, text, sizeof text - 1), HTTP_DONE);
    assert_int_equal(r.status, 302);
    assert_string_equal(r.location, "https://h/[2Ja");
    http_read_clear(&r);
    int n = snprintf(longest, 3000, "HTTP/1.1 302 Found\r\nLocation: %01500d\r\nX: y\r\n\r\n", 7);
    http_read_init(&r, MAX);
    assert_int_equal(http_read_feed(&r, longest, (size_t)n), HTTP_DONE);
    assert_true(strlen(r.location) > 900);
    http_read_clear(&r);
    free(longest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_read_whole_and_in_pieces),
        cmocka_unit_test(nothing_is_taken_beyond_the_limit),
        cmocka_unit_test(an_answer_as_large_as_allowed_is_taken),
        cmocka_unit_test(a_redirect_says_where),
    };
    return cmocka_run_group_tests_name("http_read", tests, NULL, NULL);
}
