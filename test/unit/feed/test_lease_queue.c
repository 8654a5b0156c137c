/* Which sockets the database is told of, and which not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "feed/lease_queue.h"

static struct lease_queue *lease_queue;

static int setup(void **state)
{
    (void)state;
    lease_queue = lease_queue_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lease_queue_free(lease_queue);
    return 0;
}

static struct offset_log offsets;

static void come(const char *sid)
{
    const struct socket_info s = {
        .sid = sid, .nsp = "/tasks", .subject = "7", .transport = "websocket", .address = "::1"};
    lease_queue_connect(lease_queue, &s, &offsets);
}

static void go(const char *sid)
{
    lease_queue_disconnect(lease_queue, sid, "transport close", true);
}

/* The sids of a batch, "a b c". */
static void expect(char *json, const char *sids)
{
    char found[256] = "";
    size_t i, n = 0;
    json_t *item, *batch = json ? json_loads(json, 0, NULL) : json_array();
    assert_non_null(batch);
    json_array_foreach (batch, i, item) {
        const char *sid = json_string_value(json_object_get(item, "sid"));
        n += (size_t)snprintf(found + n, sizeof found - n, "%s%s", i ? " " : "", sid);
    }
    assert_string_equal(found, sids);
    json_decref(batch);
    free(json);
}

/* The fields of a resume, as connect() gets them. */
static void expect_resume(const char *offset, bool expired, const char *fields)
{
    const struct socket_info s = {.sid = "a",
                                  .nsp = "/",
                                  .subject = "7",
                                  .transport = "polling",
                                  .address = "::1",
                                  .pid = "new",
                                  .was = "old",
                                  .offset = offset,
                                  .most_bytes = 99,
                                  .expired = expired};
    lease_queue_connect(lease_queue, &s, &offsets);
    char *json = lease_queue_take_connects(lease_queue, 10);
    lease_queue_answered(lease_queue);
    assert_string_equal(strstr(json, "\"pid\""), fields);
    free(json);
}

static void a_resume_has_its_offset(void **state)
{
    (void)state;
    offset_open(&offsets, "secret", "epoch");
    char *offset = strdup(offset_make(&offsets, "5:5:", "7:9:7,8", 42));
    expect_resume(NULL, false,
                  "\"pid\":\"new\",\"expires\":null,\"was\":\"old\",\"place\":null,\"most_bytes\":"
                  "99}]");
    expect_resume(offset, true,
                  "\"pid\":\"new\",\"expires\":null,\"was\":\"old\",\"place\":{\"prev\":\"5:5:\","
                  "\"cur\":\"7:9:7,8\",\"id\":42},\"most_bytes\":99,\"expired\":true}]");
    expect_resume("forged", false,
                  "\"pid\":\"new\",\"expires\":null,\"was\":\"old\",\"place\":{},\"most_bytes\":"
                  "99}]");
    free(offset);
    offset_close(&offsets);
}

static void a_token_is_named_by_its_fingerprint(void **state)
{
    (void)state;
    const struct socket_info s = {.sid = "a",
                                  .nsp = "/",
                                  .subject = "7",
                                  .transport = "polling",
                                  .address = "::1",
                                  .token = "print",
                                  .expired = true};
    lease_queue_connect(lease_queue, &s, &offsets);
    char *json = lease_queue_take_connects(lease_queue, 10);
    assert_non_null(strstr(json, "\"token\":\"print\",\"expires\":null,\"expired\":true}]"));
    free(json);
}

static void a_batch_is_what_connect_takes(void **state)
{
    (void)state;
    struct socket_info s = {.sid = "a",
                            .nsp = "/",
                            .subject = "x\"y",
                            .transport = "polling",
                            .address = "10.0.0.1",
                            .expires = 99};
    lease_queue_connect(lease_queue, &s, &offsets);
    char *json = lease_queue_take_connects(lease_queue, 10);
    assert_string_equal(
        json, "[{\"sid\":\"a\",\"nsp\":\"/\",\"subject\":\"x\\\"y\",\"transport\":\"polling\","
              "\"address\":\"10.0.0.1\",\"expires\":99}]");
    free(json);
    come("b");
    json = lease_queue_take_connects(lease_queue, 10);
    assert_non_null(strstr(json, "\"expires\":null"));
    free(json);
    go("a");
    json = lease_queue_take_disconnects(lease_queue, 10);
    assert_string_equal(json,
                        "[{\"sid\":\"a\",\"reason\":\"transport close\",\"by_client\":true}]");
    free(json);
}

static void batches_are_bounded(void **state)
{
    (void)state;
    for (const char *p = "abcde"; *p; p++)
        come((char[]){*p, '\0'});
    expect(lease_queue_take_connects(lease_queue, 2), "a b");
    expect(lease_queue_take_connects(lease_queue, 2), "c d");
    expect(lease_queue_take_connects(lease_queue, 2), "e");
    assert_null(lease_queue_take_connects(lease_queue, 2));
    assert_int_equal(lease_queue_in_flight(lease_queue), 3);
    for (const char *p = "abc"; *p; p++)
        go((char[]){*p, '\0'});
    expect(lease_queue_take_disconnects(lease_queue, 2), "a b");
    expect(lease_queue_take_disconnects(lease_queue, 2), "c");
    assert_null(lease_queue_take_disconnects(lease_queue, 2));
}

/* Each may cost much. The others do not wait behind them. */
static void of_resumes_a_batch_has_few(void **state)
{
    char sid[16];
    struct socket_info s = {.sid = sid,
                            .nsp = "/",
                            .subject = "7",
                            .transport = "polling",
                            .address = "::1",
                            .was = "old"};
    (void)state;
    for (int i = 0; i < 2 * LEASE_QUEUE_RESUMES + 1; i++) {
        snprintf(sid, sizeof sid, "%d", i);
        lease_queue_connect(lease_queue, &s, &offsets);
    }
    come("a"); /* no resumes */
    come("b");
    for (int n = 0; n < 3; n++) {
        char *json = lease_queue_take_connects(lease_queue, 1000);
        json_t *batch = json_loads(json, 0, NULL);
        static const size_t sizes[] = {LEASE_QUEUE_RESUMES + 2, LEASE_QUEUE_RESUMES, 1};
        assert_int_equal(json_array_size(batch), sizes[n]);
        json_decref(batch);
        free(json);
    }
    assert_null(lease_queue_take_connects(lease_queue, 1000));
}

static void one_that_goes_before_it_was_reported_is_never_reported(void **state)
{
    (void)state;
    come("a");
    come("b");
    go("a");
    expect(lease_queue_take_connects(lease_queue, 9), "b");
    assert_null(lease_queue_take_disconnects(lease_queue, 9));
}

static void a_refused_batch_waits_while_others_go_on(void **state)
{
    (void)state;
    come("a");
    expect(lease_queue_take_connects(lease_queue, 9), "a");
    come("b");
    expect(lease_queue_take_connects(lease_queue, 9), "b");
    lease_queue_refused(lease_queue);
    lease_queue_answered(lease_queue);
    come("c");
    expect(lease_queue_take_connects(lease_queue, 9), "c");
    lease_queue_answered(lease_queue);
    lease_queue_retry(lease_queue);
    expect(lease_queue_take_connects(lease_queue, 9), "a");
}

static void one_that_goes_is_not_registered_by_a_retry(void **state)
{
    (void)state;
    come("a");
    come("b");
    come("c");
    expect(lease_queue_take_connects(lease_queue, 9), "a b c");
    go("a");
    expect(lease_queue_take_disconnects(lease_queue, 9), "a");
    lease_queue_refused(lease_queue);
    go("b");
    assert_null(lease_queue_take_disconnects(lease_queue, 9));
    lease_queue_retry(lease_queue);
    expect(lease_queue_take_connects(lease_queue, 9), "c");
}

static void one_that_the_database_may_know_is_reported_though_it_is_queued_again(void **state)
{
    struct socket_info known = {.sid = "b", .nsp = "/", .subject = "7", .known = true};
    (void)state;
    come("a");
    expect(lease_queue_take_connects(lease_queue, 9), "a");
    come("a");
    go("a");
    expect(lease_queue_take_disconnects(lease_queue, 9), "a");
    lease_queue_answered(lease_queue);
    known.transport = known.address = "x";
    lease_queue_connect(lease_queue, &known, NULL);
    go("b");
    expect(lease_queue_take_disconnects(lease_queue, 9), "b");
    assert_null(lease_queue_take_connects(lease_queue, 9));
}

static void what_is_asked_anew_replaces_what_was_refused(void **state)
{
    (void)state;
    struct socket_info plain = {
        .sid = "a", .nsp = "/", .subject = "7", .transport = "x", .address = "new"};
    for (int late = 0; late < 2; late++) {
        come("a");
        expect(lease_queue_take_connects(lease_queue, 9), "a");
        if (!late)
            lease_queue_refused(lease_queue);
        lease_queue_connect(lease_queue, &plain, NULL);
        if (late)
            lease_queue_refused(lease_queue);
        lease_queue_retry(lease_queue);
        char *json = lease_queue_take_connects(lease_queue, 9);
        assert_non_null(strstr(json, "\"address\":\"new\""));
        free(json);
        lease_queue_answered(lease_queue);
        lease_queue_retry(lease_queue);
        assert_null(lease_queue_take_connects(lease_queue, 9));
    }
}

static void another_session_knows_nothing(void **state)
{
    (void)state;
    come("a");
    free(lease_queue_take_connects(lease_queue, 9));
    go("a");
    come("b");
    lease_queue_clear(lease_queue);
    assert_null(lease_queue_take_connects(lease_queue, 9));
    assert_null(lease_queue_take_disconnects(lease_queue, 9));
    assert_int_equal(lease_queue_in_flight(lease_queue), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_resume_has_its_offset),
        TEST(a_token_is_named_by_its_fingerprint),
        TEST(a_batch_is_what_connect_takes),
        TEST(batches_are_bounded),
        TEST(of_resumes_a_batch_has_few),
        TEST(one_that_goes_before_it_was_reported_is_never_reported),
        TEST(a_refused_batch_waits_while_others_go_on),
        TEST(one_that_goes_is_not_registered_by_a_retry),
        TEST(one_that_the_database_may_know_is_reported_though_it_is_queued_again),
        TEST(what_is_asked_anew_replaces_what_was_refused),
        TEST(another_session_knows_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
