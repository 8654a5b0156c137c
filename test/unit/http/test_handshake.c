/* Which requests may become a WebSocket, from vectors, and what libwebsockets gets of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/handshake.h"
#include "vectors.h"

enum { ROOM = 4096 };

static void read_whole(struct request_head *h, char *text, size_t len)
{
    const char *why = NULL;
    int status = 0;
    if (request_head_read(h, text, len, 0, &status, &why) != HEAD_WHOLE)
        fail_msg("%s: found %d %s", text, status, why ? why : "incomplete");
}

/* A good one comes out as another good one, which has nothing else of it than the key. */
static void check_written(const struct request_head *h)
{
    char out[HANDSHAKE_MAX], key[64];
    struct request_head again;
    snprintf(key, sizeof key, "%s", request_header(h, HEADER_WS_KEY));
    size_t len = handshake_write(h, out);
    assert_true(len < sizeof out && strlen(out) == len);
    assert_null(strstr(out, "foo"));
    read_whole(&again, out, len);
    assert_int_equal(again.len, len);
    assert_true(handshake_is_good(&again));
    assert_string_equal(again.text + again.path, "/");
    assert_string_equal(again.text + again.query, "");
    assert_string_equal(request_header(&again, HEADER_WS_KEY), key);
    assert_int_equal(again.n, 5);
}

static void check(const struct vector *v)
{
    char text[ROOM], protocol[PROTOCOL_MAX], found[PROTOCOL_MAX + 8] = "bad";
    struct request_head h;
    size_t n = 0;
    for (unsigned i = 1; i < v->n; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s\r\n", v->field[i].text);
    n += (size_t)snprintf(text + n, sizeof text - n, "\r\n");
    assert_true(n < sizeof text);
    read_whole(&h, text, n);
    assert_true(handshake_asked(&h));
    if (handshake_is_good(&h)) {
        snprintf(found, sizeof found, "good %s", handshake_protocol(&h, protocol) ? protocol : "-");
        check_written(&h);
    }
    if (strcmp(found, v->field[0].text) != 0)
        fail_msg("%s: found %s", v->line, found);
}

static void requests_are_judged(void **state)
{
    (void)state;
    vectors_each("http/handshake/requests.txt", 90, check);
}

/* Any Upgrade header asks, and only it. */
static void what_asks(void **state)
{
    static const struct {
        const char *line;
        bool asks;
    } cases[] = {{"Upgrade: websocket", true},
                 {"Upgrade: h2c", true},
                 {"upgrade:", true},
                 {"Connection: Upgrade", false},
                 {"Upgrade-Insecure-Requests: 1", false},
                 {"X-Upgrade: websocket", false},
                 {"Sec-WebSocket-Version: 13", false}};
    char text[128];
    struct request_head h;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int n =
            snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", cases[i].line);
        read_whole(&h, text, (size_t)n);
        assert_int_equal(handshake_asked(&h), cases[i].asks);
        assert_false(handshake_is_good(&h));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_judged),
        cmocka_unit_test(what_asks),
    };
    return cmocka_run_group_tests_name("handshake", tests, NULL, NULL);
}
