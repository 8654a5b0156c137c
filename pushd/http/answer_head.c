/* answer_head: see answer_head.h. */
#include "http/answer_head.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ECHO_MAX = 256 };

struct head {
    char *out;
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct head *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->out + t->len, ANSWER_HEAD_MAX - t->len, format, args);
    va_end(args);
    if (n > 0 && (size_t)n < ANSWER_HEAD_MAX - t->len)
        t->len += (size_t)n;
}

static bool may_echo(const char *value)
{
    if (!value || strlen(value) > ECHO_MAX)
        return false;
    for (; *value; value++)
        if (iscntrl((unsigned char)*value))
            return false;
    return true;
}

static const char *phrase(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 204:
        return "No Content";
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 411:
        return "Length Required";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Internal Server Error";
    }
}

size_t answer_head(char *out, const struct answer *a)
{
    struct head t = {out, 0};
    add(&t, "HTTP/1.1 %d %s\r\n", a->status, phrase(a->status));
    if (a->date)
        add(&t, "Date: %s\r\n", a->date);
    if (a->type)
        add(&t, "Content-Type: %s\r\n", a->type);
    if (a->status != 204)
        add(&t, "Content-Length: %zu\r\n", a->len);
    add(&t, "Cache-Control: no-store\r\n");
    if (a->allow)
        add(&t, "Allow: %s\r\n", a->allow);
    if (a->status == 429) /* rates are counted by the second */
        add(&t, "Retry-After: 1\r\n");
    if (a->cookie)
        add(&t, "Set-Cookie: %s; Path=/; HttpOnly; SameSite=Lax\r\n", a->cookie);
    if (may_echo(a->origin)) {
        add(&t, "Access-Control-Allow-Origin: %s\r\nAccess-Control-Allow-Credentials: true\r\n",
            a->origin);
        add(&t, "Vary: Origin%s\r\n", a->preflight ? ", Access-Control-Request-Headers" : "");
        if (a->preflight)
            add(&t, "Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n");
        if (a->preflight && may_echo(a->request_headers))
            add(&t, "Access-Control-Allow-Headers: %s\r\n", a->request_headers);
    }
    if (a->close)
        add(&t, "Connection: close\r\n");
    add(&t, "\r\n");
    return t.len;
}

void answer_date(char out[ANSWER_DATE], time_t seconds)
{
    struct tm utc;
    /* The names are English: the daemon never sets a locale. */
    if (!gmtime_r(&seconds, &utc) ||
        strftime(out, ANSWER_DATE, "%a, %d %b %Y %H:%M:%S GMT", &utc) == 0)
        out[0] = '\0';
}
