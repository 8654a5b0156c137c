/*
 * log: see log.h. A line is built in one buffer and written by one write(2), so that the lines of
 * several processes on one pipe do not mix.
 */
#include "base/log.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"

enum { MESSAGE_MAX = 2048 };

static const struct {
    const char *text, *json;
} LEVELS[] = {
    [LOG_ERROR] = {"ERROR", "error"},
    [LOG_WARNING] = {"WARN ", "warning"},
    [LOG_INFO] = {"INFO ", "info"},
    [LOG_DEBUG] = {"DEBUG", "debug"},
};

static enum log_level threshold = LOG_INFO;
static bool as_json;

void log_setup(enum log_level level, bool json)
{
    threshold = level;
    as_json = json;
}

/* The length of the printable character at s; 0 for a control character or half a character. */
static size_t printable(const char *s, const char *end)
{
    size_t n = utf8_length(s, end);
    const unsigned char *c = (const unsigned char *)s;
    bool control = n == 1 ? c[0] < 0x20 || c[0] == 0x7f : c[0] == 0xc2 && c[1] < 0xa0;
    return control ? 0 : n;
}

/* Writes s to out without anything that a terminal would obey. out has room for four bytes for each
 * byte of s, and one more. */
static void escape(const char *s, char *out)
{
    const char *end = s + strlen(s);
    while (s < end) {
        size_t n = printable(s, end);
        if (n > 0) {
            memcpy(out, s, n);
            out += n;
            s += n;
        } else {
            unsigned char c = (unsigned char)*s++;
            const char *brief = c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : NULL;
            out += brief != NULL ? sprintf(out, "%s", brief) : sprintf(out, "\\x%02x", c);
        }
    }
    *out = '\0';
}

static void timestamp(char *out, size_t size)
{
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t n = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, size - n, ".%03dZ", (int)(now.tv_nsec / 1000000));
}

static void write_line(const char *line, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, line, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* there is no other place to report it */
        line += n;
        len -= (size_t)n;
    }
}

void log_write(enum log_level level, const char *format, ...)
{
    if (level > threshold)
        return;
    int saved = errno;
    char message[MESSAGE_MAX], escaped[4 * MESSAGE_MAX], when[40];
    char line[2 * sizeof escaped + 128]; /* JSON doubles each backslash */
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    escape(message, escaped);
    timestamp(when, sizeof when);

    if (as_json) {
        json_t *object = json_pack("{s:s, s:s, s:s}", "time", when, "level", LEVELS[level].json,
                                   "message", escaped);
        size_t n = json_dumpb(object, line, sizeof line - 1, JSON_COMPACT);
        json_decref(object);
        if (n > 0 && n < sizeof line) {
            line[n] = '\n';
            write_line(line, n + 1);
        }
    } else {
        int n = snprintf(line, sizeof line, "%s %s %s\n", when, LEVELS[level].text, escaped);
        write_line(line, (size_t)n);
    }
    errno = saved;
}
