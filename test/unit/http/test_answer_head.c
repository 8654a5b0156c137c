/* The heads of answers: status, date, CORS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/answer_head.h"

static void every_status_has_its_phrase(void **state)
{
    static const struct {
        int status;
        const char *phrase;
    } cases[] = {{200, "OK"},
                 {204, "No Content"},
                 {400, "Bad Request"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {408, "Request Timeout"},
                 {411, "Length Required"},
                 {413, "Content Too Large"},
                 {414, "URI Too Long"},
                 {429, "Too Many Requests"},
                 {431, "Request Header Fields Too Large"},
                 {500, "Internal Server Error"},
                 {501, "Not Implemented"},
                 {503, "Service Unavailable"},
                 {505, "HTTP Version Not Supported"}};
    char out[ANSWER_HEAD_MAX], line[64];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        out[answer_head(out, &(struct answer){.status = cases[i].status})] = '\0';
        snprintf(line, sizeof line, "HTTP/1.1 %d %s\r\n", cases[i].status, cases[i].phrase);
        if (strncmp(out, line, strlen(line)) != 0)
            fail_msg("expected %s, found %s", line, out);
    }
}

static void the_date_is_that_of_http(void **state)
{
    static const struct {
        time_t seconds;
        const char *date;
    } cases[] = {{0, "Thu, 01 Jan 1970 00:00:00 GMT"},
                 {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"}, /* RFC 9110, 5.6.7 */
                 {951868799, "Tue, 29 Feb 2000 23:59:59 GMT"},
                 {INT32_MAX, "Tue, 19 Jan 2038 03:14:07 GMT"},
                 {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"}};
    char date[ANSWER_DATE], out[ANSWER_HEAD_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        answer_date(date, cases[i].seconds);
        assert_string_equal(date, cases[i].date);
    }
    struct answer a = {.status = 204, .date = date};
    out[answer_head(out, &a)] = '\0';
    assert_non_null(strstr(out, "\r\nDate: Fri, 31 Dec 9999 23:59:59 GMT\r\n"));
    a.date = NULL;
    out[answer_head(out, &a)] = '\0';
    assert_null(strstr(out, "Date"));
}

static void a_method_that_is_not_allowed_is_told_those_that_are(void **state)
{
    char out[ANSWER_HEAD_MAX];
    struct answer a = {.status = 405, .allow = "GET, HEAD"};
    (void)state;
    out[answer_head(out, &a)] = '\0';
    assert_non_null(strstr(out, "\r\nAllow: GET, HEAD\r\n"));
    a.allow = NULL;
    out[answer_head(out, &a)] = '\0';
    assert_null(strstr(out, "\r\nAllow:"));
}

static void browsers_get_their_origin_echoed(void **state)
{
    char out[ANSWER_HEAD_MAX];
    struct answer a = {
        .status = 400, .type = "application/json", .len = 2, .origin = "https://ui.example"};
    (void)state;
    out[answer_head(out, &a)] = '\0';
    assert_non_null(strstr(out, "HTTP/1.1 400 Bad Request\r\n"));
    assert_non_null(strstr(out, "\r\nContent-Length: 2\r\n"));
    assert_non_null(strstr(out, "\r\nAccess-Control-Allow-Origin: https://ui.example\r\n"));
    assert_non_null(strstr(out, "\r\nAccess-Control-Allow-Credentials: true\r\n"));
    assert_non_null(strstr(out, "\r\nVary: Origin\r\n"));
    assert_null(strstr(out, "Allow-Methods"));

    a = (struct answer){.status = 204,
                        .origin = "https://ui.example",
                        .preflight = true,
                        .request_headers = "authorization"};
    out[answer_head(out, &a)] = '\0';
    assert_non_null(strstr(out, "\r\nAccess-Control-Allow-Headers: authorization\r\n"));
    assert_non_null(strstr(out, "\r\nAccess-Control-Allow-Methods: GET, POST, OPTIONS\r\n"));
    assert_null(strstr(out, "Content-Length"));
}

static void nothing_hostile_is_echoed(void **state)
{
    char out[ANSWER_HEAD_MAX], longer[600];
    struct answer a = {.status = 204, .origin = "x\r\nSet-Cookie: a=b", .preflight = true};
    (void)state;
    out[answer_head(out, &a)] = '\0';
    assert_null(strstr(out, "Set-Cookie"));
    a.origin = "https://ui.example";
    a.request_headers = "a\nb";
    out[answer_head(out, &a)] = '\0';
    assert_null(strstr(out, "Allow-Headers"));
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    a.request_headers = longer;
    out[answer_head(out, &a)] = '\0';
    assert_null(strstr(out, "Allow-Headers"));
    assert_memory_equal(out + strlen(out) - 4, "\r\n\r\n", 4);
}

int main(void)
{
    setenv("TZ", "America/New_York", 1); /* dates are in UTC wherever the daemon runs */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_its_phrase),
        cmocka_unit_test(the_date_is_that_of_http),
        cmocka_unit_test(a_method_that_is_not_allowed_is_told_those_that_are),
        cmocka_unit_test(browsers_get_their_origin_echoed),
        cmocka_unit_test(nothing_hostile_is_echoed),
    };
    return cmocka_run_group_tests_name("answer_head", tests, NULL, NULL);
}
