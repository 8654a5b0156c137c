/*
 * log: see log.h. A line is built in one buffer and written by one write(2), so that the lines of
 * several processes on one pipe do not mix.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"

/* A message grows fourfold when it is escaped, and JSON doubles each backslash. */
enum { MESSAGE_MAX = 2048, LINE_MAX_BYTES = 2 * 4 * MESSAGE_MAX + 128 };

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

/* --- writing --- */

/* What is left of a line that the system took in part: nothing else may be written before it. */
static char rest[LINE_MAX_BYTES];
static size_t rest_len;
static unsigned long long lost, told;

/* The number of bytes that were written. */
static size_t put(const char *text, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = write(STDERR_FILENO, text + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break; /* there is no other place to report it */
        done += (size_t)n;
    }
    return done;
}

static void put_rest(void)
{
    size_t done = rest_len > 0 ? put(rest, rest_len) : 0;
    rest_len -= done;
    memmove(rest, rest + done, rest_len);
}

/* False if nothing of it was written. */
static bool put_line(const char *line, size_t len)
{
    size_t done = put(line, len);
    if (done == 0)
        return false;
    rest_len = len - done;
    memcpy(rest, line + done, rest_len);
    return true;
}

/* A line with its end; 0 = there is none. */
static size_t format_line(enum log_level level, const char *message, char line[LINE_MAX_BYTES])
{
    char escaped[4 * MESSAGE_MAX], when[40];
    escape(message, escaped);
    timestamp(when, sizeof when);
    if (!as_json)
        return (size_t)snprintf(line, LINE_MAX_BYTES, "%s %s %s\n", when, LEVELS[level].text,
                                escaped);
    json_t *object =
        json_pack("{s:s, s:s, s:s}", "time", when, "level", LEVELS[level].json, "message", escaped);
    size_t n = json_dumpb(object, line, LINE_MAX_BYTES - 1, JSON_COMPACT);
    json_decref(object);
    if (n == 0 || n >= LINE_MAX_BYTES)
        return 0;
    line[n] = '\n';
    return n + 1;
}

static void tell_lost(void)
{
    char message[128], line[LINE_MAX_BYTES];
    snprintf(message, sizeof message, "log lines were lost, since nobody read the log n=%llu",
             lost - told);
    size_t len = format_line(LOG_WARNING, message, line);
    if (len > 0 && put_line(line, len))
        told = lost;
}

void log_catch_up(void)
{
    int saved = errno;
    put_rest();
    if (rest_len == 0 && lost > told)
        tell_lost();
    errno = saved;
}

unsigned long long log_lost(void)
{
    return lost;
}

/*
 * The flag belongs to the open file, which other processes may share: they are to wait as before.
 * So the file is opened again, if that is allowed. Otherwise a pipe or a socket gets the flag: its
 * other writers are our own container's or unit's.
 */
void log_never_wait(void)
{
    struct stat st;
    if (fstat(STDERR_FILENO, &st) != 0 || S_ISREG(st.st_mode))
        return;
    int fd = S_ISSOCK(st.st_mode)
                 ? -1
                 : open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    if (fd >= 0) {
        dup2(fd, STDERR_FILENO);
        close(fd);
    } else if (flags >= 0 && !S_ISCHR(st.st_mode)) {
        fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK);
    }
}

void log_write(enum log_level level, const char *format, ...)
{
    if (level > threshold)
        return;
    int saved = errno;
    char message[MESSAGE_MAX], line[LINE_MAX_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    size_t len = format_line(level, message, line);
    log_catch_up();
    if (len > 0 && (rest_len > 0 || lost > told || !put_line(line, len)))
        lost++;
    errno = saved;
}
