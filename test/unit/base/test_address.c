/* Addresses, nets, and who is behind a proxy: test/vectors/base/forwarded.txt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/address.h"

static struct address parsed(const char *text)
{
    struct address a;
    if (!address_parse(text, strlen(text), &a))
        fail_msg("expected an address, found \"%s\"", text);
    return a;
}

static void check_text(const struct address *a, const char *expected, const char *line)
{
    char text[ADDRESS_TEXT];
    address_print(a, text);
    if (strcmp(text, expected) != 0)
        fail_msg("%s: expected %s, found %s", line, expected, text);
}

static void addresses_have_one_text(void **state)
{
    static const char *const cases[][2] = {
        {"192.0.2.1", "192.0.2.1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::FFFF:c000:0201", "192.0.2.1"},
        {"0:0:0:0:0:0:0:1", "::1"},
        {"2001:DB8::A", "2001:db8::a"},
        {"::192.0.2.1", "::192.0.2.1"}, /* not mapped: another address */
        {"0.0.0.0", "0.0.0.0"},
        {"::", "::"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address a = parsed(cases[i][0]);
        check_text(&a, cases[i][1], cases[i][0]);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const cases[] = {"",    " ",         "a",         "1.2.3",       "1.2.3.4.5",
                                        ":::", "1.2.3.4 ",  " 1.2.3.4",  "1.2.3.4:80",  "[::1]",
                                        "-1",  "1.2.3.-4",  "1.2.3.4/8", "fe80::1%lo",  "localhost",
                                        "::g", "01.2.3.4",  "1.2.3.0x4", "12345::",     ":1",
                                        "1:",  "1.2.3.4\n", "\0331.2.3", "1.2.3.4,::1", "1..2.3"};
    struct address a;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (address_parse(cases[i], strlen(cases[i]), &a))
            fail_msg("accepted \"%s\"", cases[i]);
    assert_false(address_parse("1.2.3.4\0x", 9, &a));
    assert_true(address_parse("1.2.3.45", 7, &a)); /* no byte beyond its length */
    check_text(&a, "1.2.3.4", "cut");
}

static bool equal(const struct address *a, const struct address *b)
{
    return a->v4 == b->v4 && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static void mapped_and_plain_are_equal_and_families_are_not(void **state)
{
    struct address plain = parsed("192.0.2.1"), mapped = parsed("::ffff:192.0.2.1");
    struct address other = parsed("c000:201::");
    (void)state;
    assert_true(equal(&plain, &mapped));
    assert_memory_equal(plain.bytes, other.bytes, sizeof plain.bytes);
    assert_false(equal(&plain, &other));
}

static void nets_hold_what_their_bits_say(void **state)
{
    static const struct {
        const char *net, *inside, *outside;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", "192.0.2.0"},
        {"192.0.2.1/32", "192.0.2.1", "192.0.2.3"},
        {"192.0.2.0/31", "192.0.2.1", "192.0.2.2"},
        {"192.0.2.0/24", "192.0.2.255", "192.0.3.0"},
        {"10.128.0.0/9", "10.255.1.1", "10.127.255.255"},
        {"10.0.0.0/8", "::ffff:10.9.9.9", "9.255.255.255"},
        {"::ffff:10.0.0.0/104", "10.9.9.9", "11.0.0.0"},
        {"0.0.0.0/0", "255.255.255.255", "::1"},
        {"::/0", "2001:db8::1", "192.0.2.1"},
        {"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"},
        {"2001:db8::/127", "2001:db8::1", "2001:db8::2"},
        {"::1", "::1", "::2"},
        {"c000:200::/24", "c000:2ff::", "192.0.2.1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address_net net;
        struct address inside = parsed(cases[i].inside), outside = parsed(cases[i].outside);
        if (!address_net_parse(cases[i].net, strlen(cases[i].net), &net))
            fail_msg("refused %s", cases[i].net);
        struct address_list list = {&net, 1};
        if (!address_list_has(&list, &inside) || address_list_has(&list, &outside))
            fail_msg("%s: expected %s to be in it and %s not", cases[i].net, cases[i].inside,
                     cases[i].outside);
    }
}

static void what_is_no_net_is_refused(void **state)
{
    static const char *const cases[] = {"",
                                        "/",
                                        "10.0.0.0/",
                                        "/8",
                                        "10.0.0.0/33",
                                        "::/129",
                                        "10.0.0.0/-1",
                                        "10.0.0.0/08",
                                        "10.0.0.0/8 ",
                                        "10.0.0.0/8/8",
                                        "10.0.0/8",
                                        "10.0.0.0/+8",
                                        "10.0.0.0/1000",
                                        "10.0.0.0/0x8",
                                        "10.0.0.0/255.0.0.0",
                                        "10.0.0.0:8",
                                        "[::1]/128",
                                        "proxy",
                                        "*",
                                        "::ffff:10.0.0.0/95"};
    struct address_net net;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (address_net_parse(cases[i], strlen(cases[i]), &net))
            fail_msg("accepted \"%s\"", cases[i]);
}

static void bits_beyond_the_prefix_are_noticed(void **state)
{
    static const struct {
        const char *net;
        bool exact;
    } cases[] = {{"10.0.0.1", true},       {"10.0.0.0/8", true},     {"10.0.0.1/8", false},
                 {"10.0.0.128/25", true},  {"10.0.0.128/24", false}, {"0.0.0.0/0", true},
                 {"0.0.0.1/0", false},     {"2001:db8::/32", true},  {"2001:db8::1/32", false},
                 {"2001:db8::1/128", true}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address_net net;
        assert_true(address_net_parse(cases[i].net, strlen(cases[i].net), &net));
        if (address_net_exact(&net) != cases[i].exact)
            fail_msg("%s: expected %s", cases[i].net, cases[i].exact ? "exact" : "bits beyond");
    }
}

static char *trim(char *text)
{
    char *end = text + strlen(text);
    while (*text == ' ')
        text++;
    while (end > text && end[-1] == ' ')
        *--end = '\0';
    return text;
}

static void check_line(const char *line)
{
    char copy[1024], *rest = copy, *column[4];
    snprintf(copy, sizeof copy, "%s", line);
    for (int i = 0; i < 4; i++) {
        column[i] = strsep(&rest, "|");
        if (!column[i])
            fail_msg("expected 4 columns: %s", line);
    }
    struct address_list trusted;
    address_list_parse(trim(column[0]), &trusted);
    struct address peer = parsed(trim(column[1]));
    char *header = column[2] + 1; /* between one blank and another */
    header[strlen(header) - (*header != '\0')] = '\0';
    struct address client =
        address_behind(&trusted, &peer, strcmp(header, "-") == 0 ? NULL : header);
    check_text(&client, trim(column[3]), line);
    address_list_free(&trusted);
}

static void the_vectors_hold(void **state)
{
    char line[1024];
    int n = 0;
    FILE *in = fopen(VECTORS "/base/forwarded.txt", "r");
    (void)state;
    assert_non_null(in);
    while (fgets(line, sizeof line, in)) {
        line[strcspn(line, "\n")] = '\0';
        if (*line == '#')
            continue;
        check_line(line);
        n++;
    }
    fclose(in);
    assert_true(n > 60);
}

/* A long way is made up; it costs no more than a short one. */
static void a_walk_ends(void **state)
{
    enum { HOPS = 100000 };
    struct address_list trusted;
    struct address peer = parsed("10.0.0.1");
    char *header = malloc(HOPS * 10 + 32), *at = header;
    (void)state;
    at += sprintf(at, "203.0.113.9");
    for (int i = 0; i < HOPS; i++)
        at += sprintf(at, ",10.0.0.2");
    address_list_parse("10.0.0.1 10.0.0.2", &trusted);
    struct address client = address_behind(&trusted, &peer, header);
    check_text(&client, "10.0.0.2", "100000 hops");
    sprintf(header + strlen("203.0.113.9"), ",10.0.0.2,10.0.0.2");
    client = address_behind(&trusted, &peer, header);
    check_text(&client, "203.0.113.9", "2 hops");
    memset(header, 'x', (size_t)HOPS * 10);
    header[HOPS * 10] = '\0';
    client = address_behind(&trusted, &peer, header);
    check_text(&client, "10.0.0.1", "over-long");
    free(header);
    address_list_free(&trusted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_have_one_text),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(mapped_and_plain_are_equal_and_families_are_not),
        cmocka_unit_test(nets_hold_what_their_bits_say),
        cmocka_unit_test(what_is_no_net_is_refused),
        cmocka_unit_test(bits_beyond_the_prefix_are_noticed),
        cmocka_unit_test(the_vectors_hold),
        cmocka_unit_test(a_walk_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
