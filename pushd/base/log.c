/*
 * log: see log.h. A line is built in one buffer and leaves in one write(2), so that lines of
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

/* The length of the printable UTF-8 character at s, 0 if it is none: a control, half a character.
 */
static size_t printable(const unsigned char *s)
{
    if (s[0] < 0x80)
        return s[0] >= 0x20 && s[0] != 0x7f;
    size_t n = s[0] >= 0xf0 && s[0] <= 0xf4 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;
    if (s[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool too_long = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool no_character = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f);
    bool control = s[0] == 0xc2 && s[1] < 0xa0;
    return too_long || no_character || control ? 0 : n;
}

/* Write s to out (four bytes for each of s, and one) with nothing in it that a terminal would obey.
 */
static void escape(const char *s, char *out)
{
    while (*s != '\0') {
        size_t n = printable((const unsigned char *)s);
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
            return; /* nowhere left to say so */
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
