/* Expired tokens whose bearer the backend proves: a client returns after the server ended its
 * connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mock_stack.h"

static struct mock_stack m;
static const char EXPIRED[] = "42/tasks,[\"expired_token\"]\n";

static int setup(void **state)
{
    (void)state;
    stack_setup(&m, NULL);
    m.config.ping_interval = m.config.ping_timeout = 100000000;
    m.config.claim_timeout = 5000;
    free(m.config.namespaces);
    m.config.namespaces = strdup("/tasks /b");
    stack_start(&m);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stack_end(&m);
    return 0;
}

static void expect_asked(const char *what)
{
    assert_string_equal(m.mock.asked, what);
    m.mock.asked[0] = '\0';
}

/* A client with an expired token that the backend is asked to prove. */
static void come(int n)
{
    assert_string_equal(stack_connect_as(&m, n, stack_bearer(&m, 7, -11, "")), "");
    expect_asked("connect /tasks 7 websocket expired\n");
}

/* SHA-256 in base64url, by `openssl dgst -sha256 -binary | basenc --base64url`. */
static void a_token_has_the_fingerprint_of_all_of_it(void **state)
{
    static const struct {
        const char *token, *fingerprint;
    } vector[] = {
        {"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOjcsImV4cCI6MTgwMDAwMDAwMH0.T7yhFDAp6Fvys"
         "ftuwb2bITpJBLqxCoc0sQxoiSIlcHg",
         "wtNqPcBkEezy1U5qf-fhVK1_JGOdaC0KD-5bYxV0BT0"},
        {"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOjcsImV4cCI6MTYwMDAwMDAwMH0.kP5DQnRegYRNp"
         "Y5_QxHVGQdW4ZNS0YhvJ4q70rU44Xw",
         "2mcdsE4rOEmlYOKaG8ISOIq1vUMNcH1WvLxQqrikqWE"},
        {"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4IiwiZXhwIjoxODAwMDAwMDAwfQ._9uEVasop4"
         "bPM_wXZa4j6ppc4wmZZhSeMfytEg-u-y0",
         "CVTEyoYdikCzVTRIBrt_zi9hDEMz-HOGXje0FK1AIE8"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof vector / sizeof *vector; i++) {
        char header[1024];
        snprintf(header, sizeof header, "Bearer %s", vector[i].token);
        stack_connect_as(&m, (int)i, header);
        assert_string_equal(m.mock.token, vector[i].fingerprint);
    }
}

static void one_that_is_closed_at_its_expiry_has_none(void **state)
{
    (void)state;
    m.config.token_expiry = TOKEN_EXPIRY_CLOSE;
    stack_connect_as(&m, 0, stack_bearer(&m, 7, 3600, ""));
    expect_asked("connect /tasks 7 websocket\n");
    assert_string_equal(m.mock.token, "");
    assert_string_equal(stack_connect_as(&m, 1, stack_bearer(&m, 7, -11, "")), EXPIRED);
    expect_asked("");
}

static void what_it_sends_meanwhile_counts_once_it_is_proven(void **state)
{
    (void)state;
    come(0);
    stack_say(&m, 0, "42/tasks,[\"e\"]");
    expect_asked("");
    stack_set_rooms(&m, m.mock.sid, "a", 3, "10:10:");
    expect_asked("receive 3 /tasks e 13\n");
    stack_pass(&m, 3600000);
    assert_string_equal(stack_received(&m, 0), "");
    assert_false(m.net.handle[0].closed);
}

static void without_an_answer_it_counts_as_expired(void **state)
{
    (void)state;
    come(0);
    stack_say(&m, 0, "42/tasks,[\"e\"]");
    stack_pass(&m, 4999);
    hub_renew(m.hub, m.now);
    expect_asked("connect again /tasks 7 websocket expired\n");
    assert_string_equal(stack_received(&m, 0), "");
    char sid[32];
    snprintf(sid, sizeof sid, "%s", m.mock.sid);
    stack_pass(&m, 1);
    assert_string_equal(stack_received(&m, 0), EXPIRED);
    stack_set_rooms(&m, sid, "a", 3, "10:10:"); /* too late */
    stack_event(&m, 20, "a", "[\"secret\"]");
    engine_flush(m.engine);
    stack_say(&m, 0, "42/tasks,[\"e\"]");
    hub_renew(m.hub, m.now);
    expect_asked("");
    assert_string_equal(stack_received(&m, 0), "");
    stack_closed_after(&m, 0, 30000);
}

static void a_client_that_leaves_meanwhile_does_not_stay(void **state)
{
    (void)state;
    come(0);
    stack_say(&m, 0, "41/tasks,");
    stack_pass(&m, 4000);
    stack_say(&m, 0, "40/tasks,");
    stack_say(&m, 0, "41/tasks,");
    expect_asked("disconnect client namespace disconnect 1\n"
                 "connect /tasks 7 websocket expired\n"
                 "disconnect client namespace disconnect 1\n");
    stack_pass(&m, 1000);
    stack_closed_after(&m, 0, 30000);
}

static void it_is_told_once_and_does_not_stay(void **state)
{
    (void)state;
    come(0);
    stack_set_rooms(&m, m.mock.sid, NULL, 0, NULL);
    assert_string_equal(stack_received(&m, 0), EXPIRED);
    stack_pass(&m, 5000);
    assert_string_equal(stack_received(&m, 0), "");
    stack_closed_after(&m, 0, 25000);
}

static void a_token_that_is_being_proven_proves_no_other(void **state)
{
    char packet[1200];
    (void)state;
    come(0);
    char sid[32];
    snprintf(sid, sizeof sid, "%s", m.mock.sid);
    snprintf(packet, sizeof packet, "40/b,{\"token\":\"%s\"}",
             stack_bearer(&m, 8, -11, "") + strlen("Bearer "));
    stack_say(&m, 0, packet);
    expect_asked("connect /b 7 websocket expired\n");
    stack_set_rooms(&m, sid, "a", 3, "10:10:");
    expect_asked("connect again /b 7 websocket\n"); /* what is proven holds for all namespaces */
}

static void a_good_token_goes_over_one_that_is_being_proven(void **state)
{
    char packet[1200];
    (void)state;
    come(0);
    snprintf(packet, sizeof packet, "40/b,{\"token\":\"%s\"}",
             stack_bearer(&m, 8, 3600, "") + strlen("Bearer "));
    stack_say(&m, 0, packet);
    assert_non_null(strstr(m.mock.asked, " /b 8 websocket\n"));
    stack_pass(&m, 60000);
    assert_null(strstr(stack_received(&m, 0), "expired_token"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_token_has_the_fingerprint_of_all_of_it),
        TEST(one_that_is_closed_at_its_expiry_has_none),
        TEST(what_it_sends_meanwhile_counts_once_it_is_proven),
        TEST(without_an_answer_it_counts_as_expired),
        TEST(a_client_that_leaves_meanwhile_does_not_stay),
        TEST(it_is_told_once_and_does_not_stay),
        TEST(a_token_that_is_being_proven_proves_no_other),
        TEST(a_good_token_goes_over_one_that_is_being_proven),
    };
    return cmocka_run_group_tests_name("auth_return", tests, NULL, NULL);
}
