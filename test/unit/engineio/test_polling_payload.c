/* Engine.IO payloads, from vectors; base64 of every length, there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engineio/polling_payload.h"
#include "vectors.h"

struct found {
    char text[1024];
    size_t len;
};

static void add(struct found *f, const void *bytes, size_t len)
{
    assert_true(f->len + len < sizeof f->text);
    memcpy(f->text + f->len, bytes, len);
    f->len += len;
}

static void add_packet(struct found *f, const struct packet *k)
{
    char text[4];
    snprintf(text, sizeof text, "%s%c:", f->len ? " " : "", k->binary ? 'b' : '0' + (int)k->type);
    add(f, text, strlen(text));
    for (size_t i = 0; k->binary && i < k->len; i++) {
        snprintf(text, sizeof text, "%02x", (unsigned char)k->data[i]);
        add(f, text, 2);
    }
    if (k->binary)
        assert_int_equal(k->type, PACKET_MESSAGE);
    else
        add(f, k->data, k->len);
}

/* Reads all; the bytes are an allocation of exactly their length. */
static enum polling_step read_all(const char *text, size_t len, struct found *f, const char **wrong)
{
    struct polling_payload p;
    struct packet k;
    enum polling_step step;
    char *exact = malloc(len ? len : 1);
    memcpy(exact, text, len);
    *f = (struct found){.len = 0};
    polling_payload_open(&p, len ? exact : NULL, len);
    while ((step = polling_payload_next(&p, &k, wrong)) == POLLING_PACKET)
        add_packet(f, &k);
    assert_int_equal(polling_payload_next(&p, &k, wrong), POLLING_END);
    polling_payload_close(&p);
    free(exact);
    return step;
}

static void compare(const struct vector *v, const struct found *f)
{
    if (f->len != v->field[1].len || memcmp(f->text, v->field[1].text, f->len) != 0)
        fail_msg("%s: found %.*s", v->line, (int)f->len, f->text);
}

static void check_good(const struct vector *v)
{
    struct found f;
    const char *wrong;
    assert_int_equal(v->n, 2);
    if (read_all(v->field[0].text, v->field[0].len, &f, &wrong) != POLLING_END)
        fail_msg("%s: found %s", v->line, wrong);
    compare(v, &f);
}

static void check_bad(const struct vector *v)
{
    struct found f;
    const char *wrong = NULL;
    assert_int_equal(v->n, 3);
    if (read_all(v->field[0].text, v->field[0].len, &f, &wrong) != POLLING_WRONG)
        fail_msg("%s: accepted", v->line);
    compare(v, &f);
    if (strcmp(wrong, v->field[2].text) != 0)
        fail_msg("%s: found %s", v->line, wrong);
}

static void good_payloads_are_read(void **state)
{
    (void)state;
    vectors_each("engineio/polling_payload/good.txt", 20, check_good);
}

static void bad_payloads_are_refused(void **state)
{
    (void)state;
    vectors_each("engineio/polling_payload/bad.txt", 30, check_bad);
}

static void text_is_not_copied(void **state)
{
    static const char body[] = "4abc\x1e"
                               "4de";
    struct polling_payload p;
    struct packet k;
    const char *wrong;
    (void)state;
    polling_payload_open(&p, body, sizeof body - 1);
    assert_int_equal(polling_payload_next(&p, &k, &wrong), POLLING_PACKET);
    assert_ptr_equal(k.data, body + 1);
    assert_int_equal(polling_payload_next(&p, &k, &wrong), POLLING_PACKET);
    assert_ptr_equal(k.data, body + 6);
    polling_payload_close(&p);
}

/* In a WebSocket frame 0x1e separates nothing. */
static void a_frame_is_one_packet(void **state)
{
    struct polling_payload p;
    struct packet k;
    const char *wrong;
    (void)state;
    polling_payload_open_frame(&p,
                               "4a\x1e"
                               "2",
                               4);
    assert_int_equal(polling_payload_next(&p, &k, &wrong), POLLING_PACKET);
    assert_int_equal(k.type, PACKET_MESSAGE);
    assert_int_equal(k.len, 3);
    assert_memory_equal(k.data,
                        "a\x1e"
                        "2",
                        3);
    assert_int_equal(polling_payload_next(&p, &k, &wrong), POLLING_END);
    polling_payload_close(&p);

    polling_payload_open_frame(&p, "bAQID", 5);
    assert_int_equal(polling_payload_next(&p, &k, &wrong), POLLING_PACKET);
    assert_true(k.binary);
    assert_memory_equal(k.data, "\1\2\3", 3);
    polling_payload_close(&p);

    polling_payload_open_frame(&p, "", 0);
    assert_int_equal(polling_payload_next(&p, &k, &wrong), POLLING_WRONG);
    polling_payload_close(&p);
}

static void there_and_back(const unsigned char *data, size_t len)
{
    struct polling_payload p;
    struct packet k;
    const char *wrong;
    size_t text_len = polling_payload_binary_len(len);
    char *text = malloc(text_len);
    polling_payload_binary(text, data, len);
    polling_payload_open(&p, text, text_len);
    assert_int_equal(polling_payload_next(&p, &k, &wrong), POLLING_PACKET);
    assert_true(k.binary);
    assert_int_equal(k.len, len);
    assert_memory_equal(k.data, data, len);
    assert_int_equal(polling_payload_next(&p, &k, &wrong), POLLING_END);
    polling_payload_close(&p);
    free(text);
}

static void binary_of_every_length(void **state)
{
    unsigned char data[600];
    (void)state;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 167 + i / 256);
    for (size_t len = 0; len <= sizeof data; len++)
        there_and_back(data, len);
}

/* Longer than EVP is given at once. */
static void binary_beyond_a_run(void **state)
{
    enum { RUN = 3 << 20 };
    unsigned char *data = malloc(2 * RUN + 2);
    (void)state;
    for (size_t i = 0; i < 2 * RUN + 2; i++)
        data[i] = (unsigned char)(i * 31 + i / 997);
    for (size_t len = RUN - 1; len <= RUN + 4; len++)
        there_and_back(data, len);
    there_and_back(data, 2 * RUN + 1);
    free(data);
}

static void binary_as_it_goes_out(void **state)
{
    static const struct {
        const char *data, *text;
    } out[] = {{"", "b"},
               {"f", "bZg=="},
               {"fo", "bZm8="},
               {"foo", "bZm9v"},
               {"foob", "bZm9vYg=="},
               {"fooba", "bZm9vYmE="},
               {"foobar", "bZm9vYmFy"}};
    (void)state;
    for (size_t i = 0; i < sizeof out / sizeof *out; i++) {
        size_t len = polling_payload_binary_len(strlen(out[i].data));
        char *text = malloc(len);
        assert_int_equal(len, strlen(out[i].text));
        polling_payload_binary(text, out[i].data, strlen(out[i].data));
        assert_memory_equal(text, out[i].text, len);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_payloads_are_read), cmocka_unit_test(bad_payloads_are_refused),
        cmocka_unit_test(text_is_not_copied),     cmocka_unit_test(a_frame_is_one_packet),
        cmocka_unit_test(binary_of_every_length), cmocka_unit_test(binary_beyond_a_run),
        cmocka_unit_test(binary_as_it_goes_out),
    };
    return cmocka_run_group_tests_name("payload", tests, NULL, NULL);
}
