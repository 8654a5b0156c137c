/* Frames: the same bytes for both transports; headers of RFC 6455, 5.2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frame_data.h"

static void check(size_t len, const unsigned char *header, size_t header_len)
{
    char *text = malloc(len + 1);
    size_t found;
    memset(text, 'x', len);
    struct frame *f = frame_new(2, (struct frame_part[]){{text, len / 2}, {text, len - len / 2}});
    const unsigned char *ws = frame_ws(f, &found);
    assert_int_equal(found, len + header_len);
    assert_memory_equal(ws, header, header_len);
    assert_memory_equal(ws + header_len, text, len);
    assert_ptr_equal(frame_text(f, &found), ws + header_len);
    assert_int_equal(found, len);
    frame_unref(frame_ref(f));
    frame_unref(f);
    free(text);
}

static void headers_of_each_size(void **state)
{
    (void)state;
    check(0, (unsigned char[]){0x81, 0}, 2);
    check(125, (unsigned char[]){0x81, 125}, 2);
    check(126, (unsigned char[]){0x81, 126, 0, 126}, 4);
    check(65535, (unsigned char[]){0x81, 126, 0xff, 0xff}, 4);
    check(65536, (unsigned char[]){0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0}, 10);
}

static void check_binary(size_t len, const unsigned char *header, size_t header_len)
{
    char *data = malloc(len + 1);
    size_t found;
    memset(data, 0xe9, len);
    struct frame *f = frame_new_binary(data, len);
    const unsigned char *ws = frame_ws(f, &found);
    assert_int_equal(found, len + header_len);
    assert_memory_equal(ws, header, header_len);
    assert_memory_equal(ws + header_len, data, len);
    assert_ptr_equal(frame_data(f, &found), ws + header_len);
    assert_int_equal(found, len);
    frame_unref(f);
    free(data);
}

static void headers_of_binary_frames(void **state)
{
    (void)state;
    check_binary(0, (unsigned char[]){0x82, 0}, 2);
    check_binary(125, (unsigned char[]){0x82, 125}, 2);
    check_binary(126, (unsigned char[]){0x82, 126, 0, 126}, 4);
    check_binary(65536, (unsigned char[]){0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}, 10);
}

/* What is counted for a frame is what a payload takes for it, before it has been made too. */
static void a_binary_frame_in_a_payload(void **state)
{
    size_t len;
    (void)state;
    struct frame *f = frame_new_binary("\1\2\3\4", 4);
    assert_int_equal(f->len, 9);
    const void *text = frame_text(f, &len);
    assert_int_equal(len, 9);
    assert_memory_equal(text, "bAQIDBA==", 9);
    assert_ptr_equal(frame_text(frame_ref(f), &len), text); /* made once */
    frame_unref(f);
    assert_memory_equal(frame_data(f, &len), "\1\2\3\4", 4);
    assert_int_equal(len, 4);
    frame_unref(f);

    f = frame_new_binary(NULL, 0);
    assert_memory_equal(frame_text(f, &len), "b", 1);
    assert_int_equal(len, 1);
    frame_unref(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_of_each_size),
        cmocka_unit_test(headers_of_binary_frames),
        cmocka_unit_test(a_binary_frame_in_a_payload),
    };
    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
