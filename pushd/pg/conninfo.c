/* conninfo: see conninfo.h. */
#include "pg/conninfo.h"
#include "base/address.h"
#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_SECONDS = 20 };
#define MASK "***"

/* A server that disappears silently is noticed within half a minute. Events are read from the
 * primary only: the snapshot of a standby omits running transactions. */
static const struct {
    const char *key, *value;
} defaults[] = {
    {"keepalives_idle", "10"},
    {"keepalives_interval", "5"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", "15000"},
    {"target_session_attrs", "read-write"},
};
enum { DEFAULTS = sizeof defaults / sizeof defaults[0] };

static bool is_uri(const char *s)
{
    return strncmp(s, "postgres://", 11) == 0 || strncmp(s, "postgresql://", 13) == 0;
}

static bool is_connection_string(const char *s)
{
    return strchr(s, '=') || is_uri(s);
}

bool conninfo_check(const char *conninfo, char *err, size_t len)
{
    /* Only these messages of libpq quote no value. */
    static const char *const harmless[] = {"invalid connection option",
                                           "invalid URI query parameter"};
    char *why = NULL;
    if (!is_connection_string(conninfo))
        return true;
    PQconninfoOption *parsed = PQconninfoParse(conninfo, &why);
    if (parsed) {
        PQconninfoFree(parsed);
        return true;
    }
    const char *say = "";
    for (size_t i = 0; why && i < sizeof harmless / sizeof harmless[0]; i++)
        if (strncmp(why, harmless[i], strlen(harmless[i])) == 0) {
            why[strcspn(why, "\n")] = '\0';
            say = why;
        }
    snprintf(
        err, len,
        "conninfo: expected key=value pairs or a postgresql:// URI of libpq, found neither%s%s;"
        " correct the option conninfo",
        *say ? ": " : "", say);
    PQfreemem(why);
    return false;
}

/* By its name too: libpq does not mark all of them. */
static bool is_secret(const PQconninfoOption *o)
{
    return *o->dispchar == '*' || strstr(o->keyword, "password") || strstr(o->keyword, "secret") ||
           strstr(o->keyword, "scram");
}

/* True if a password, or a part of one, may be in the host or the user that libpq finds. The only @
 * of a URI must be before each / and ?. */
static bool is_ambiguous(const char *conninfo)
{
    const char *at = strchr(conninfo, '@');
    if (!is_uri(conninfo) || !at)
        return false;
    const char *start = strstr(conninfo, "://") + 3;
    return start + strcspn(start, "/?") < at || strchr(at + 1, '@');
}

/* A line of a file has no such character. */
static bool has_control(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            return true;
    return false;
}

static void print_pair(const char *separator, const PQconninfoOption *o, FILE *out)
{
    const char *value = is_secret(o) ? MASK : o->val;
    bool quoted = !*value || strpbrk(value, " '\\");
    fprintf(out, "%s%s=%s", separator, o->keyword, quoted ? "'" : "");
    for (; *value; value++)
        fprintf(out, "%s%c", strchr("'\\", *value) ? "\\" : "", *value);
    fputs(quoted ? "'" : "", out);
}

char *conninfo_mask(const char *conninfo)
{
    PQconninfoOption *parsed = PQconninfoParse(conninfo, NULL);
    bool good = parsed && !is_ambiguous(conninfo);
    const char *separator = "";
    char *text = NULL;
    size_t size;
    FILE *out = must(open_memstream(&text, &size));
    for (const PQconninfoOption *o = parsed; o && o->keyword; o++) {
        if (!o->val)
            continue;
        good = good && (is_secret(o) || !has_control(o->val));
        print_pair(separator, o, out);
        separator = " ";
    }
    fclose(out);
    must(text);
    PQconninfoFree(parsed);
    if (good)
        return text;
    free(text);
    return alloc_text(MASK);
}

/* Set by the environment, or by the service file that it names. */
static bool user_set(const PQconninfoOption *options, const char *key)
{
    for (const PQconninfoOption *o = options; o && o->keyword; o++)
        if (strcmp(o->keyword, key) == 0)
            return o->val && (!o->compiled || strcmp(o->val, o->compiled) != 0);
    return false;
}

/* A connection string in dbname overrides the parameters before it. A file that it names with
 * service= does not: to change these few, set them in the string. */
PGconn *conninfo_start(const char *conninfo, const struct conninfo_order *order, const char *name)
{
    const char *keys[DEFAULTS + 7], *values[DEFAULTS + 7];
    size_t n = 0;
    PQconninfoOption *options = PQconndefaults();
    for (size_t i = 0; i < DEFAULTS; i++) {
        if (user_set(options, defaults[i].key))
            continue;
        keys[n] = defaults[i].key;
        values[n++] = defaults[i].value;
    }
    PQconninfoFree(options);
    keys[n] = "fallback_application_name";
    values[n++] = name;
    if (*conninfo) {
        keys[n] = "dbname";
        values[n++] = conninfo;
    }
    const char *const lists[][2] = {
        {"host", order->host}, {"hostaddr", order->hostaddr}, {"port", order->port}};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        if (!lists[i][1])
            continue;
        keys[n] = lists[i][0];
        values[n++] = lists[i][1];
    }
    keys[n] = "client_encoding";
    values[n++] = "UTF8";
    keys[n] = NULL;
    values[n] = NULL;
    return PQconnectStartParams(keys, values, 1);
}

static bool is_word(const char *word, const char *const *list)
{
    while (*list && strcmp(*list, word) != 0)
        list++;
    return *list != NULL;
}

/* One host of a list. */
static bool is_here(const char *host, size_t len)
{
    static const struct address v6 = {.bytes = {[15] = 1}};
    struct address a;
    if (len == 0 || *host == '/' || *host == '@' ||
        (len == 9 && strncmp(host, "localhost", len) == 0))
        return true;
    return address_parse(host, len, &a) &&
           (a.v4 ? a.bytes[0] == 127 : memcmp(a.bytes, v6.bytes, sizeof a.bytes) == 0);
}

/* The first host of a list that is not this one; NULL = none. */
static const char *elsewhere(const char *list, size_t *len)
{
    for (; list; list = list[*len] ? list + *len + 1 : NULL) {
        *len = strcspn(list, ",");
        if (!is_here(list, *len))
            return list;
    }
    return NULL;
}

static const char *value_of(const PQconninfoOption *options, const char *key)
{
    for (const PQconninfoOption *o = options; o && o->keyword; o++)
        if (strcmp(o->keyword, key) == 0)
            return o->val && *o->val ? o->val : NULL;
    return NULL;
}

/* No address is looked up for a port that is none; the settings are known all the same. */
bool conninfo_is_safe(const char *conninfo, char *text, size_t len)
{
    static const char *const plain[] = {"disable", "allow", "prefer", NULL};
    char none[] = "none";
    PGconn *conn = conninfo_start(conninfo, &(struct conninfo_order){.port = none}, "");
    PQconninfoOption *options = PQconninfo(conn);
    const char *mode = value_of(options, "sslmode"), *gss = value_of(options, "gssencmode");
    const char *hosts = value_of(options, "hostaddr");
    size_t n = 0;
    const char *host = elsewhere(hosts ? hosts : value_of(options, "host"), &n);
    bool safe = !host || (mode && !is_word(mode, plain)) || (gss && strcmp(gss, "require") == 0);
    if (!safe)
        snprintf(text, len,
                 "conninfo: expected sslmode=verify-full for the other host %.*s, found %s: who is "
                 "in between can read and change what is sent; set sslmode (or PGSSLMODE)",
                 (int)n, host, mode ? mode : "none");
    PQconninfoFree(options);
    PQfinish(conn);
    return safe;
}

uint64_t conninfo_patience(PGconn *conn)
{
    uint64_t seconds = CONNECT_SECONDS;
    PQconninfoOption *options = PQconninfo(conn);
    for (const PQconninfoOption *o = options; o && o->keyword; o++)
        if (strcmp(o->keyword, "connect_timeout") == 0 && o->val && strtol(o->val, NULL, 10) > 0)
            seconds = (uint64_t)strtol(o->val, NULL, 10);
    PQconninfoFree(options);
    return seconds * 1000;
}

/* "a,b,c" becomes "b,c,a". */
static void turn(char **to, const char *list)
{
    const char *comma = list ? strchr(list, ',') : NULL;
    free(*to);
    *to = comma ? alloc_format("%s,%.*s", comma + 1, (int)(comma - list), list) : NULL;
}

void conninfo_turn(struct conninfo_order *order, PGconn *conn)
{
    PQconninfoOption *options = PQconninfo(conn);
    for (const PQconninfoOption *o = options; o && o->keyword; o++) {
        if (strcmp(o->keyword, "host") == 0)
            turn(&order->host, o->val);
        else if (strcmp(o->keyword, "hostaddr") == 0)
            turn(&order->hostaddr, o->val);
        else if (strcmp(o->keyword, "port") == 0)
            turn(&order->port, o->val);
    }
    PQconninfoFree(options);
}

void conninfo_order_free(struct conninfo_order *order)
{
    free(order->host);
    free(order->hostaddr);
    free(order->port);
}
