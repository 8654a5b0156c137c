/* Options: from flags, environment, file and defaults, and each mistake in one line that helps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "config/option.h"

enum { WORDS = 24 };

static struct config config;
static char err[1024];
static char file[64];

/* Load with these words as flags, after a file with this text; NULL: an empty one. */
static int load(const char *text, const char **environment, const char *flags)
{
    const char *argv[WORDS + 4] = {"pushd", "--config", file};
    int argc = 3;
    char *words = strdup(flags), *rest;
    FILE *out = fopen(file, "w");
    fputs(text == NULL ? "" : text, out);
    fclose(out);
    for (char *w = strtok_r(words, "|", &rest); w != NULL; w = strtok_r(NULL, "|", &rest))
        argv[argc++] = w;
    config_free(&config);
    *err = '\0';
    int status = config_load(&config, argc, (char **)argv, (char **)environment, err, sizeof err);
    free(words);
    assert_int_equal(status == 0, *err == '\0');
    assert_null(strchr(err, '\n'));
    return status;
}

#define assert_loads(text, environment, flags)                                                     \
    do {                                                                                           \
        if (load(text, environment, flags) != 0)                                                   \
            fail_msg("%s", err);                                                                   \
    } while (0)

/* It must be refused with a message that holds each of the words separated by |. */
static void refused(const char *text, const char **environment, const char *flags,
                    const char *message)
{
    char *words = strdup(message), *rest;
    if (load(text, environment, flags) == 0)
        fail_msg("accepted: %s %s, expected: %s", text == NULL ? "" : text, flags, message);
    for (char *w = strtok_r(words, "|", &rest); w != NULL; w = strtok_r(NULL, "|", &rest))
        if (strstr(err, w) == NULL)
            fail_msg("expected \"%s\" in: %s", w, err);
    free(words);
}

static void defaults_are_those_of_the_manual(void **state)
{
    (void)state;
    assert_loads(NULL, NULL, "--jwks-file|keys.json");
    assert_string_equal(config.listen, "127.0.0.1:7602");
    assert_string_equal(config.admin_listen, "127.0.0.1:7603");
    assert_string_equal(config.path, "/socket.io/");
    assert_string_equal(config.namespaces, "/tasks");
    assert_string_equal(config.client_types, "node=30s user=10min");
    assert_int_equal(config.ping_interval, 25000);
    assert_int_equal(config.ping_timeout, 60000);
    assert_int_equal(config.max_payload, 1000000);
    assert_int_equal(config.request_timeout, 10000);
    assert_int_equal(config.receive_bytes, 256000000);
    assert_int_equal(config.inbox_bytes, 65536);
    assert_int_equal(config.ack_timeout, 10000);
    assert_int_equal(config.max_gauges, 20000);
    assert_int_equal(config.client_log_rate, 10);
    assert_int_equal(config.max_connections, 50000);
    assert_int_equal(config.max_connections_per_address, 10000);
    assert_int_equal(config.max_connections_per_principal, 1000);
    assert_int_equal(config.max_polling, 20000);
    assert_int_equal(config.handshake_rate, 1000);
    assert_int_equal(config.event_rate, 200);
    assert_int_equal(config.byte_rate, 2000000);
    assert_int_equal(config.max_attachments, 10);
    assert_int_equal(config.max_packets, 10000);
    assert_int_equal(config.max_depth, 64);
    assert_string_equal(config.trusted_proxies, "");
    assert_string_equal(config.cookie, "");
    assert_string_equal(config.algorithms, CONFIG_ALGORITHMS);
    assert_int_equal(config.token_expiry, TOKEN_EXPIRY_KEEP);
    assert_int_equal(config.keys_max_age, 300000);
    assert_int_equal(config.keys_refresh_interval, 10000);
    assert_int_equal(config.keys_timeout, 10000);
    assert_int_equal(config.keys_bytes, 1000000);
    assert_int_equal(config.log_level, LOG_INFO);
    assert_false(config.log_json);
    assert_int_equal(config.action, CONFIG_SERVE);
}

static void flags_go_over_environment_over_file_over_defaults(void **state)
{
    (void)state;
    const char *environment[] = {"PATH=/bin", "VANTAGE6_PUSHD_PING_INTERVAL=2s",
                                 "VANTAGE6_PUSHD_PING_TIMEOUT=2s", NULL};
    assert_loads("jwks_file = k\nping_interval=1s\nping_timeout=1s\nread_rows=1\n", environment,
                 "--ping-interval|3s");
    assert_int_equal(config.ping_interval, 3000);
    assert_int_equal(config.ping_timeout, 2000);
    assert_int_equal(config.read_rows, 1);
    assert_int_equal(config.retry_max, 10000);
    assert_int_equal(config.answer_timeout, 60000);
    assert_loads(NULL, environment, "--jwks-file|k|--ping-interval=4s|--ping-interval=5s");
    assert_int_equal(config.ping_interval, 5000);
}

static void the_file_may_come_from_the_environment(void **state)
{
    (void)state;
    char variable[128];
    const char *environment[] = {variable, NULL};
    char *argv[] = {strdup("pushd"), NULL};
    assert_loads("read_rows = 17\njwks_file = k\n", NULL, "");
    snprintf(variable, sizeof variable, "VANTAGE6_PUSHD_CONFIG=%s", file);
    config_free(&config);
    assert_int_equal(config_load(&config, 1, argv, (char **)environment, err, sizeof err), 0);
    assert_int_equal(config.read_rows, 17);
    free(argv[0]);
}

static void files_have_comments_and_blanks(void **state)
{
    (void)state;
    assert_loads("# comment\n; comment\n\n  jwks_file   =  a b.json  \r\n\tconninfo = host=x "
                 "password='a;b # c'\nissuer=\nlog_format=json",
                 NULL, "");
    assert_string_equal(config.jwks_file, "a b.json");
    assert_string_equal(config.conninfo, "host=x password='a;b # c'");
    assert_string_equal(config.issuer, "");
    assert_true(config.log_json);
}

static void units_are_understood(void **state)
{
    (void)state;
    static const struct {
        const char *flags;
        uint64_t ms;
    } times[] = {{"--leeway|0", 0},
                 {"--leeway|30", 30000},
                 {"--leeway|1500ms", 1500},
                 {"--leeway|2min", 120000},
                 {"--drain-time|10s", 10000}};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        char flags[64];
        snprintf(flags, sizeof flags, "--jwks-file|k|%s", times[i].flags);
        assert_loads(NULL, NULL, flags);
        assert_int_equal(i < 4 ? config.leeway : config.drain_time, times[i].ms);
    }
    assert_loads(NULL, NULL,
                 "--jwks-file|k|--queue-bytes|2MB|--max-payload|30kB|--inbox-bytes|4000B");
    assert_int_equal(config.queue_bytes, 2000000);
    assert_int_equal(config.max_payload, 30000);
    assert_int_equal(config.inbox_bytes, 4000);
}

static void mistakes_in_flags_are_named(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"",
         "found none|--keycloak-url URL|--jwks-url URL|--jwks-file FILE|--jwt-secret-file FILE"},
        {"--jwks-file|a|--jwt-secret-file|b", "found several|give only"},
        {"--jwks-file|a|--jwks-url|http://a/b", "found several|give only"},
        {"--keycloak-url|http://a|--jwks-url|http://a/b", "found several|give only"},
        {"--keycloak-url|http://a", "keycloak_realm|found none"},
        {"--jwks-file|a|--algorithms|HS256", "public keys|RS256"},
        {"--jwt-secret-file|a|--algorithms|RS256 ES256", "secret|add HS256"},
        {"--jwks-url|https://u:pass@a/b", "--jwks-url|found one with a user"},
        {"--ping-intervall|3s", "--ping-intervall|did you mean --ping-interval?"},
        {"--ping_interval|3s", "did you mean --ping-interval?"},
        {"-x", "found the argument \"-x\""},
        {"file.ini", "found the argument \"file.ini\"|--name value"},
        {"--listen", "--listen: expected a value"},
        {"--config", "--config: expected a value"},
        {"--listen|--conninfo=password=x", "--listen: expected a value"},
        {"--config|/nonexistent", "/nonexistent|No such file"},
        {"--config|/", "/|Is a directory"},
        {"--ping-interval|", "--ping-interval: expected a value"},
        {"--ping-interval=", "100ms to 1h|found \"\"|write for example 25s"},
        {"--ping-interval|99h", "100ms to 1h|found \"99h\""},
        {"--ping-interval|99ms", "100ms to 1h"},
        {"--ping-interval|-1s", "found \"-1s\""},
        {"--ping-interval|1.5s", "found \"1.5s\""},
        {"--ping-interval|1 s", "found \"1 s\""},
        {"--ping-interval|1S", "found \"1S\""},
        {"--ping-interval|9999999999999999999999", "100ms to 1h"},
        {"--max-payload|1mb", "a size from 1kB to 100MB"},
        {"--read-rows|0", "a number from 1 to 100000|found \"0\""},
        {"--read-rows|18446744073709551617", "from 1 to 100000"}, /* 2^64 + 1 */
        {"--read-rows|0x10", "found \"0x10\""},
        {"--read-rows|10s", "found \"10s\""},
        {"--max-connections|1000001", "from 1 to 1000000"},
        {"--max-connections-per-address|0", "from 1 to 1000000"},
        {"--max-polling|0", "from 1 to 1000000"},
        {"--handshake-rate|1000001", "from 0 to 1000000"},
        {"--event-rate|-1", "from 0 to 1000000"},
        {"--byte-rate|1001MB", "a size from 0B to 1000MB"},
        {"--jwks-file|k|--byte-rate|16666", "at least 16667B, found 16666B|or give 0"},
        {"--jwks-file|k|--max-payload|100MB|--byte-rate|1666666", "at least 1666667B"},
        {"--max-attachments|1001", "from 0 to 1000"},
        {"--max-depth|0", "from 1 to 1000"},
        {"--trusted-proxies|proxy", "numeric addresses and nets|10.0.0.7 fd00:1::/64|\"proxy\""},
        {"--trusted-proxies|10.0.0.1 10.0.0.0/33",
         "numeric addresses|found \"10.0.0.1 10.0.0.0/33\""},
        {"--trusted-proxies|10.0.0.1:80", "numeric addresses and nets"},
        {"--trusted-proxies|[::1]", "numeric addresses and nets"},
        {"--trusted-proxies|*", "numeric addresses and nets"},
        {"--trusted-proxies|fd00::/8,10.0.0.7/8", "without bits after their prefix|10.0.0.0/8"},
        {"--cookie|a b", "the name of a cookie|such as io"},
        {"--cookie|io=x", "the name of a cookie"},
        {"--cookie|io;Domain", "the name of a cookie"},
        {"--log-level|loud", "error warning info debug|\"loud\""},
        {"--log-level|INFO", "error warning info debug"},
        {"--log-format|xml", "text json"},
        {"--listen|7602", "a numeric address and a port"},
        {"--listen|localhost:7602", "127.0.0.1:7602"},
        {"--listen|:7602", "a numeric address"},
        {"--listen|127.0.0.1:65536", "a numeric address"},
        {"--listen|127.0.0.1:", "a numeric address"},
        {"--listen|::1:7602", "[::1]:7602"},
        {"--listen|[::1:7602", "a numeric address"},
        {"--listen|[]:7602", "a numeric address"},
        {"--jwks-file|k|--listen|127.0.0.1:7603", "to differ|another port"},
        {"--path|/socket.io", "begins and ends with /"},
        {"--path|socket.io/", "begins and ends with /"},
        {"--path|/a?b/", "begins and ends with /"},
        {"--namespaces|tasks", "such as /tasks"},
        {"--namespaces|/a /b /a", "each once"},
        {"--namespaces| ", "such as /tasks"},
        {"--cors-allowed-origins|* https://a", "* or a list"},
        {"--cors-allowed-origins|https://a/", "without a path"},
        {"--cors-allowed-origins|a.example", "https://portal.example.org"},
        {"--client-types|node", "such as node=30s user=10min"},
        {"--client-types|node=", "such as node=30s user=10min"},
        {"--client-types|node=1day", "such as node=30s user=10min"},
        {"--client-type-claims|,", "such as client_type"},
        {"--expired-event=", "1 to 128 bytes, found 0|give it a value"},
        {"--expired-event|a b", "invalid_token"},
        {"--instance|a b", "such as pushd-1"},
        {"--issuer|a\nb", "control character"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(NULL, NULL, cases[i][0], cases[i][1]);
}

static void mistakes_in_files_are_named_with_their_line(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"[pushd]\nlisten=127.0.0.1:1\n", ":1: |section|take the line out"},
        {"\n\nlisten\n", ":3: |name = value|no ="},
        {"listn = 127.0.0.1:1\n", ":1: |\"listn\"|did you mean \"listen\"?"},
        {"Listen = 127.0.0.1:1\n", "did you mean \"listen\"?"},
        {"ping-interval = 1s\n", "did you mean \"ping_interval\"?"},
        {"= 1s\n", "found \"\""},
        {"leeway = 1s\nleeway = 1s\n", ":2: |each option once|leeway"},
        {"leeway = 1s ; comment\n", ":1: |found \"1s ; comment\""},
        {"config = /etc/other\n", "did you mean"},
        {"password = hunter2\n", "found \"password\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        refused(cases[i][0], NULL, "--jwks-file|k", cases[i][1]);
        assert_non_null(strstr(err, file));
        assert_null(strstr(err, "hunter2"));
    }
}

static void mistakes_in_the_environment_are_named(void **state)
{
    (void)state;
    const char *unknown[] = {"VANTAGE6_PUSHD_LISTN=x", NULL};
    const char *wrong[] = {"VANTAGE6_PUSHD_LEEWAY=x", NULL};
    const char *lines[] = {"VANTAGE6_PUSHD_LEEWAY=1\n\033[2J", NULL};
    const char *small[] = {"VANTAGE6_PUSHD_leeway=1s", NULL};
    const char *links[] = {"VANTAGE6_PUSHD_SERVICE_HOST=10.0.0.1", "VANTAGE6_PUSHD_PORT=tcp://x",
                           "VANTAGE6_PUSHD_PORT_7602_TCP=tcp://x", NULL};
    refused(NULL, unknown, "--jwks-file|k",
            "VANTAGE6_PUSHD_LISTN: |did you mean VANTAGE6_PUSHD_LISTEN?");
    refused(NULL, wrong, "--jwks-file|k", "VANTAGE6_PUSHD_LEEWAY: expected a duration|\"x\"");
    refused(NULL, lines, "--jwks-file|k", "found \"1??[2J\"");
    refused(NULL, small, "--jwks-file|k", "VANTAGE6_PUSHD_leeway|VANTAGE6_PUSHD_LEEWAY");
    assert_loads(NULL, links, "--jwks-file|k");
}

static void help_and_version_answer_whatever_else_is_wrong(void **state)
{
    (void)state;
    assert_loads("[wrong]\n", NULL, "--help");
    assert_int_equal(config.action, CONFIG_HELP);
    assert_loads("[wrong]\n", NULL, "-V|--check-config");
    assert_int_equal(config.action, CONFIG_VERSION);
    assert_loads(NULL, NULL, "--print-config");
    assert_int_equal(config.action, CONFIG_PRINT);
    refused(NULL, NULL, "--check-config", "found none");
}

static char *mask(const char *conninfo)
{
    assert_string_equal(conninfo, config.conninfo);
    return strdup(*conninfo == '\0' ? "" : "user=masked");
}

static char *printed(void)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    config_print(&config, mask, out);
    fclose(out);
    return text;
}

static void limits_may_be_lifted(void **state)
{
    (void)state;
    assert_loads(
        NULL, NULL,
        "--jwks-file|k|--handshake-rate|0|--event-rate|0|--byte-rate|0|--max-attachments|0|"
        "--max-payload|100MB|--trusted-proxies| 10.0.0.0/8,::1 0.0.0.0/0|--cookie|io");
    assert_int_equal(config.handshake_rate, 0);
    assert_int_equal(config.event_rate, 0);
    assert_int_equal(config.byte_rate, 0);
    assert_int_equal(config.max_attachments, 0);
    assert_string_equal(config.trusted_proxies, " 10.0.0.0/8,::1 0.0.0.0/0");
    assert_loads(NULL, NULL, "--jwks-file|k|--byte-rate|16667");
}

static void what_is_printed_can_be_read_back(void **state)
{
    (void)state;
    assert_loads(NULL, NULL,
                 "--jwks-file|k|--ping-interval|1500ms|--leeway|0|--queue-bytes|12345|--log-format|"
                 "json|--log-level|debug|--audience|a, b|--conninfo|host=x dbname=y|"
                 "--trusted-proxies|10.0.0.0/8 ::1|--byte-rate|0|--cookie|io");
    char *first = printed();
    assert_loads(first, NULL, "");
    char *second = printed();
    assert_string_equal(first, second);
    assert_non_null(strstr(first, "ping_interval = 1500ms\n"));
    assert_non_null(strstr(first, "leeway = 0ms\n"));
    assert_non_null(strstr(first, "log_format = json\n"));
    assert_non_null(strstr(first, "issuer =\n"));
    free(first);
    free(second);
}

static void passwords_are_not_printed(void **state)
{
    (void)state;
    assert_loads(NULL, NULL, "--jwks-file|k|--conninfo|user=u password=hunter2");
    char *text = printed();
    assert_non_null(strstr(text, "conninfo = user=masked\n"));
    assert_null(strstr(text, "hunter2"));
    free(text);
}

static void help_names_every_option(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size;
    const struct option *o;
    FILE *out = open_memstream(&text, &size);
    config_help(out);
    fclose(out);
    for (size_t i = 0; (o = option_at(i)) != NULL; i++) {
        char flag[64];
        snprintf(flag, sizeof flag, "\n  --%s", o->name);
        for (char *c = flag; *c != '\0'; c++)
            *c = *c == '_' ? '-' : *c;
        const char *found = strstr(text, flag);
        while (found != NULL && strchr(" \n", found[strlen(flag)]) == NULL)
            found = strstr(found + 1, flag);
        assert_non_null(found);
    }
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
        assert_in_range(strcspn(line, "\n"), 0, 80);
    free(text);
}

static int make_file(void **state)
{
    (void)state;
    snprintf(file, sizeof file, "/tmp/test_config.XXXXXX");
    int fd = mkstemp(file);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    config_free(&config);
    return unlink(file);
}

static void client_types_have_their_graces(void **state)
{
    (void)state;
    char types[] = "node=30s, user=1min";
    const struct config c = {.client_types = types};
    uint64_t grace = 0;
    assert_true(config_client_type(&c, "user", 4, &grace));
    assert_int_equal(grace, 60000);
    assert_false(config_client_type(&c, "use", 3, &grace));
    assert_false(config_client_type(&c, "node=", 5, &grace));
    assert_false(config_client_type(&c, "", 0, &grace));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(client_types_have_their_graces),
        cmocka_unit_test(defaults_are_those_of_the_manual),
        cmocka_unit_test(flags_go_over_environment_over_file_over_defaults),
        cmocka_unit_test(the_file_may_come_from_the_environment),
        cmocka_unit_test(files_have_comments_and_blanks),
        cmocka_unit_test(units_are_understood),
        cmocka_unit_test(mistakes_in_flags_are_named),
        cmocka_unit_test(mistakes_in_files_are_named_with_their_line),
        cmocka_unit_test(mistakes_in_the_environment_are_named),
        cmocka_unit_test(help_and_version_answer_whatever_else_is_wrong),
        cmocka_unit_test(limits_may_be_lifted),
        cmocka_unit_test(what_is_printed_can_be_read_back),
        cmocka_unit_test(passwords_are_not_printed),
        cmocka_unit_test(help_names_every_option),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
