/* Socket.IO packets, from vectors: good ones are read as written there, bad ones are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frame_data.h"
#include "socketio/sio_decoder.h"
#include "vectors.h"

static const struct sio_limits limits = {10, 64, 1000}, narrow = {3, 4, 64};

/* From an allocation of exactly the length, so that AddressSanitizer sees what is read beyond. */
static const char *read_exactly(const char *text, size_t len, struct sio_packet *p)
{
    char *exact = malloc(len ? len : 1);
    memcpy(exact, text, len);
    memset(p, 0xa5, sizeof *p);
    const char *wrong = sio_read(exact, len, &limits, p);
    free(exact);
    return wrong;
}

static int show(char *out, size_t size, const struct sio_packet *p)
{
    char *data = p->data ? json_dumps(p->data, JSON_COMPACT) : strdup("-");
    int n =
        snprintf(out, size, "%d %s %s %s", (int)p->type, p->nsp, p->ack[0] ? p->ack : "-", data);
    free(data);
    return n;
}

static void check_good(const struct vector *v)
{
    char found[2048];
    struct sio_packet p;
    assert_int_equal(v->n, 2);
    const char *wrong = read_exactly(v->field[0].text, v->field[0].len, &p);
    if (wrong)
        fail_msg("%s: %s", v->line, wrong);
    int n = show(found, sizeof found, &p);
    if (p.attachments)
        snprintf(found + n, sizeof found - (size_t)n, " %u", p.attachments);
    assert_string_equal(found, v->field[1].text);
    assert_null(p.attached);
    assert_int_equal(p.bytes, v->field[0].len);
    sio_clear(&p);
    assert_null(p.data);
}

static void check_bad(const struct vector *v)
{
    struct sio_packet p;
    assert_int_equal(v->n, 2);
    const char *wrong = read_exactly(v->field[0].text, v->field[0].len, &p);
    if (!wrong)
        fail_msg("accepted: %s", v->line);
    assert_string_equal(wrong, v->field[1].text);
    assert_null(p.data);
}

static void good_packets_are_read(void **state)
{
    (void)state;
    vectors_each("socketio/sio/good.txt", 40, check_good);
}

static void bad_packets_are_refused(void **state)
{
    (void)state;
    vectors_each("socketio/sio/bad.txt", 90, check_bad);
}

static void names_have_limits(void **state)
{
    char text[512] = "0/";
    struct sio_packet p;
    (void)state;
    memset(text + 2, 'n', SIO_NSP_MAX - 1);
    assert_null(sio_read(text, strlen(text), &limits, &p));
    sio_clear(&p);
    text[2 + SIO_NSP_MAX - 1] = 'n';
    assert_string_equal(sio_read(text, strlen(text), &limits, &p), "namespace too long");
}

static void limits_are_arguments(void **state)
{
    const struct sio_limits none = {0, 1, 9};
    struct sio_packet p;
    (void)state;
    assert_string_equal(sio_read("51-[\"x\"]", 8, &none, &p), "too many attachments");
    assert_string_equal(sio_read("2[\"x\",[]]", 9, &none, &p), "JSON nested too deep");
    assert_string_equal(sio_read("2[\"12345\"]", 10, &none, &p), "packet too large");
    assert_null(sio_read("2[\"1234\"]", 9, &none, &p));
    sio_clear(&p);
}

/* --- conversations --- */

static void show_whole(char *out, size_t *len, const struct sio_packet *p)
{
    *len = (size_t)show(out, 1024, p);
    *len += (size_t)sprintf(out + *len, " %zu", p->bytes);
    for (unsigned i = 0; p->attached && i < p->attachments; i++) {
        size_t part;
        const void *data = frame_data(p->attached[i], &part);
        memcpy(out + *len, " [", 2);
        memcpy(out + *len + 2, data, part);
        out[*len + 2 + part] = ']';
        *len += part + 3;
    }
}

static void check_conversation(const struct vector *v)
{
    struct sio_decoder d = {NULL};
    assert_int_equal(v->n % 2, 0);
    for (unsigned i = 0; i < v->n; i += 2) {
        char found[2048] = "...";
        size_t len = 3;
        struct sio_packet p;
        const char *wrong = NULL, *said = v->field[i].text;
        size_t said_len = v->field[i].len - 1;
        enum sio_step step = *said == 'T'
                                 ? sio_decode_text(&d, &narrow, said + 1, said_len, &p, &wrong)
                                 : sio_decode_binary(&d, &narrow, said + 1, said_len, &p, &wrong);
        if (step == SIO_WRONG)
            len = (size_t)snprintf(found, sizeof found, "!%s", wrong);
        if (step == SIO_PACKET)
            show_whole(found, &len, &p);
        if (len != v->field[i + 1].len || memcmp(found, v->field[i + 1].text, len) != 0)
            fail_msg("%s: %s: found %.*s", v->line, said, (int)len, found);
        if (step != SIO_NEED_MORE)
            assert_null(d.awaiting);
        if (step == SIO_PACKET)
            sio_clear(&p);
    }
    sio_decoder_clear(&d);
}

static void attachments_find_their_packet(void **state)
{
    (void)state;
    vectors_each("socketio/sio/conversations.txt", 30, check_conversation);
}

/* LeakSanitizer sees what is forgotten. */
static void a_decoder_may_end_at_any_time(void **state)
{
    struct sio_decoder d = {NULL};
    struct sio_packet p;
    const char *wrong;
    (void)state;
    sio_decoder_clear(&d);
    assert_int_equal(sio_decode_text(&d, &narrow, "52-[\"x\"]", 8, &p, &wrong), SIO_NEED_MORE);
    sio_decoder_clear(&d);
    assert_int_equal(sio_decode_text(&d, &narrow, "52-[\"x\"]", 8, &p, &wrong), SIO_NEED_MORE);
    assert_int_equal(sio_decode_binary(&d, &narrow, "a", 1, &p, &wrong), SIO_NEED_MORE);
    sio_decoder_clear(&d);
    sio_decoder_clear(&d);
}

/* The owner of an attachment may keep it longer than the packet, and send it as it is. */
static void an_attachment_goes_out_again(void **state)
{
    struct sio_decoder d = {NULL};
    struct sio_packet p;
    const char *wrong;
    size_t len;
    (void)state;
    sio_decode_text(&d, &narrow, "51-[\"x\"]", 8, &p, &wrong);
    assert_int_equal(sio_decode_binary(&d, &narrow, "\1\2\3", 3, &p, &wrong), SIO_PACKET);
    struct frame *kept = frame_ref(p.attached[0]);
    sio_clear(&p);
    assert_memory_equal(frame_text(kept, &len), "bAQID", 5);
    assert_memory_equal(frame_ws(kept, &len), "\x82\3\1\2\3", 5);
    frame_unref(kept);
}

static void packets_that_go_out(void **state)
{
    char longest[SIO_NSP_MAX + 1] = "/", all[300];
    memset(longest + 1, 'n', SIO_NSP_MAX - 1);
    snprintf(all, sizeof all, "464294967295-%s,12345678901234567890[]", longest);
    struct {
        struct frame *frame;
        const char *text;
    } out[] = {
        {sio_pack_connect("/tasks", "abc", NULL), "40/tasks,{\"sid\":\"abc\"}"},
        {sio_pack_connect("/tasks", "abc", "def"), "40/tasks,{\"sid\":\"abc\",\"pid\":\"def\"}"},
        {sio_pack_event_at("/tasks", "[\"e\"]", 5, "o"), "42/tasks,[\"e\",\"o\"]"},
        {sio_pack_connect("/", "abc", NULL), "40{\"sid\":\"abc\"}"},
        {sio_pack_connect_error("/x", "Invalid namespace", NULL),
         "44/x,{\"message\":\"Invalid namespace\"}"},
        {sio_pack_connect_error("/", "no", "{\"code\":1}"),
         "44{\"message\":\"no\",\"data\":{\"code\":1}}"},
        {sio_pack_connect_error("/x", "say \"no\"\n\x1e", NULL),
         "44/x,{\"message\":\"say \\\"no\\\"\\n\\u001E\"}"},
        {sio_pack_connect_error("/x", "\xff", "7"), "44/x,{\"message\":\"\",\"data\":7}"},
        {sio_pack_event("/tasks", "", "[\"sync\"]", 8, 0), "42/tasks,[\"sync\"]"},
        {sio_pack_event("/", "0", "[\"x\"]", 5, 0), "420[\"x\"]"},
        {sio_pack_event("/tasks", "7", "[\"x\"]", 5, 2), "452-/tasks,7[\"x\"]"},
        {sio_pack_event("/", "", "[\"x\"]", 5, 1), "451-[\"x\"]"},
        {sio_pack_ack("/tasks", "0", "[]", 2, 0), "43/tasks,0[]"},
        {sio_pack_ack("/tasks", "7", "[1]", 3, 0), "43/tasks,7[1]"},
        {sio_pack_ack("/", "7", "[1]", 3, 10), "4610-7[1]"},
        {sio_pack_ack(longest, "12345678901234567890", "[]", 2, UINT32_MAX), all},
    };
    (void)state;
    for (size_t i = 0; i < sizeof out / sizeof *out; i++) {
        size_t len;
        const char *text = frame_text(out[i].frame, &len);
        assert_int_equal(len, strlen(out[i].text));
        assert_memory_equal(text, out[i].text, len);
        frame_unref(out[i].frame);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_packets_are_read),
        cmocka_unit_test(bad_packets_are_refused),
        cmocka_unit_test(names_have_limits),
        cmocka_unit_test(limits_are_arguments),
        cmocka_unit_test(attachments_find_their_packet),
        cmocka_unit_test(a_decoder_may_end_at_any_time),
        cmocka_unit_test(an_attachment_goes_out_again),
        cmocka_unit_test(packets_that_go_out),
    };
    return cmocka_run_group_tests_name("sio", tests, NULL, NULL);
}
