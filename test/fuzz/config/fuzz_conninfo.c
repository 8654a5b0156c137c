/*
 * Connection strings: no byte of a password is shown.
 *
 * What libpq would take as a password is found here as libpq finds it (fe-connect.c), and each of
 * its bytes becomes a ~, which occurs nowhere else. Then the masked string must have no ~.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/conninfo_mask.h"
#include "fuzz.h"

static const char BLANKS[] = " \t\n\r\f\v";

static bool is_secret(const char *name)
{
    static const char *const names[] = {"password", "sslpassword", "scram_client_key",
                                        "scram_server_key", "oauth_client_secret"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Backslashes and quotes stay: they say where the value ends. */
static void hide(char *from, const char *to)
{
    for (; from < to; from++)
        if (*from != '\\' && *from != '\'')
            *from = '~';
}

/* a=b c = 'd e': up to what libpq refuses, since a password before that is one all the same. */
static void hide_in_pairs(char *s)
{
    for (s += strspn(s, BLANKS); *s; s += strspn(s, BLANKS)) {
        size_t len = strcspn(s, " \t\n\r\f\v=");
        char *name = strndup(s, len);
        s += len;
        s += strspn(s, BLANKS);
        char *value = s + (*s == '=');
        value += strspn(value, BLANKS);
        char *end = value;
        if (*s == '=' && *end == '\'')
            for (end++; *end && *end != '\''; end++)
                end += *end == '\\' && end[1];
        else if (*s == '=')
            for (; *end && !strchr(BLANKS, *end); end++)
                end += *end == '\\' && end[1];
        if (is_secret(name))
            hide(value, end);
        bool good = *s == '=';
        s = end + (*value == '\'' && *end == '\'');
        free(name);
        if (!good)
            return;
    }
}

static int hex(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;
    return at ? (int)(at - digits) : -1;
}

static char *percent_decoded(const char *s, size_t len)
{
    char *out = calloc(len + 1, 1), *p = out;
    for (size_t i = 0; i < len; i++)
        if (s[i] == '%' && i + 2 < len && hex(s[i + 1]) >= 0 && hex(s[i + 2]) >= 0) {
            *p++ = (char)(hex(s[i + 1]) << 4 | hex(s[i + 2]));
            i += 2;
        } else {
            *p++ = s[i];
        }
    return out;
}

static void hide_in_query(char *s)
{
    while (*s) {
        size_t name_len = strcspn(s, "=&"), len = strcspn(s, "&");
        char *name = percent_decoded(s, name_len);
        if (name_len < len && is_secret(name))
            memset(s + name_len + 1, '~', len - name_len - 1);
        free(name);
        s += len + (s[len] == '&');
    }
}

/* libpq: a user is what stands before an @ that comes before any /; the first colon ends its name.
 */
static void hide_in_uri(char *s)
{
    size_t user = strcspn(s, "@/");
    if (s[user] == '@') {
        char *colon = memchr(s, ':', user);
        if (colon)
            memset(colon + 1, '~', (size_t)(s + user - colon - 1));
        s += user + 1;
    }
    char *query = strchr(s, '?');
    if (query)
        hide_in_query(query + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of(data, size);
    for (char *p = text; (p = strchr(p, '~'));)
        *p = '-';
    if (strncmp(text, "postgresql://", 13) == 0)
        hide_in_uri(text + 13);
    else if (strncmp(text, "postgres://", 11) == 0)
        hide_in_uri(text + 11);
    else
        hide_in_pairs(text);

    char *masked = conninfo_mask(text);
    expect(!strchr(masked, '~'), "%s shows a password: %s", text, masked);
    free(masked);
    free(text);
    return 0;
}
