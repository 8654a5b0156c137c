/*
 * request_head: see request_head.h.
 *
 * The verdict on what has arrived is a function of these bytes alone, and more bytes do not change
 * it: however a head is split, it gets the same answer. So what only the whole head tells (a header
 * twice, too many lines) is judged at its end. `seen` only says where to go on.
 */
#include "http/request_head.h"

#include <string.h>
#include <strings.h>

#include "base/address.h"
#include "base/decimal.h"
#include "base/words.h"
#include "http/characters.h"

struct reader {
    struct request_head *h;
    char *text;
    size_t len, seen;
    unsigned lines, values; /* those of h, and those that have no place in it */
    unsigned present;       /* bits of enum header */
    const char *twice;
    uint16_t path_end, query_end, value_end[REQUEST_VALUES_MAX];
    int status;
    const char *why;
};

#define NAME(header, name, twice) [header] = {name, sizeof(name) - 1, twice}
static const struct {
    const char *name;
    size_t len;
    const char *twice; /* what is wrong with two; NULL = they are one list, or the first counts */
} NAMES[HEADERS] = {
    NAME(HEADER_HOST, "Host", "Host twice"),
    NAME(HEADER_CONNECTION, "Connection", NULL),
    NAME(HEADER_CONTENT_LENGTH, "Content-Length", "Content-Length twice"),
    NAME(HEADER_TRANSFER_ENCODING, "Transfer-Encoding", NULL),
    NAME(HEADER_EXPECT, "Expect", NULL),
    NAME(HEADER_CONTENT_TYPE, "Content-Type", "Content-Type twice"),
    NAME(HEADER_ORIGIN, "Origin", "Origin twice"),
    NAME(HEADER_AUTHORIZATION, "Authorization", "Authorization twice"),
    NAME(HEADER_USER_AGENT, "User-Agent", NULL),
    NAME(HEADER_FORWARDED_FOR, "X-Forwarded-For", NULL),
    NAME(HEADER_REQUEST_HEADERS, "Access-Control-Request-Headers", NULL),
    NAME(HEADER_UPGRADE, "Upgrade", NULL),
    NAME(HEADER_WS_KEY, "Sec-WebSocket-Key", "Sec-WebSocket-Key twice"),
    NAME(HEADER_WS_VERSION, "Sec-WebSocket-Version", NULL),
    NAME(HEADER_WS_PROTOCOL, "Sec-WebSocket-Protocol", NULL),
};

static enum head_step wrong(struct reader *r, int status, const char *why)
{
    r->status = status;
    r->why = why;
    return HEAD_WRONG;
}

/* As characters_run(), where what was seen before is known to be right. */
static const char *run(const struct reader *r, const char *text, const char *end, unsigned place)
{
    const char *seen = r->text + r->seen;
    return characters_run(seen > end ? end : seen > text ? seen : text, end, place);
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* A name, which may be empty (RFC 3986, 3.2.2). */
static bool is_name(const char *text, const char *end)
{
    if (characters_run(text, end, IN_HOST) != end)
        return false;
    while ((text = memchr(text, '%', (size_t)(end - text))) != NULL) {
        if (end - text < 3 || !is_hex(text[1]) || !is_hex(text[2]))
            return false;
        text += 3;
    }
    return true;
}

/* uri-host [ ":" port ] (RFC 9110, 7.2). */
static bool is_host(const char *text, const char *end)
{
    struct address v6;
    const char *port = text < end ? memrchr(text, ':', (size_t)(end - text)) : NULL;
    if (!port || memchr(port, ']', (size_t)(end - port)))
        port = end;
    for (const char *p = port + 1; p < end; p++)
        if (*p < '0' || *p > '9')
            return false;
    if (port == text || *text != '[')
        return is_name(text, port);
    size_t len = (size_t)(port - text);
    return port[-1] == ']' && memchr(text, ':', len) && address_parse(text + 1, len - 2, &v6);
}

static void take_method(struct request_head *h, const char *method, size_t len)
{
    h->method = METHOD_OTHER;
    if (len == 3 && memcmp(method, "GET", 3) == 0)
        h->method = METHOD_GET;
    else if (len == 4 && memcmp(method, "POST", 4) == 0)
        h->method = METHOD_POST;
    else if (len == 7 && memcmp(method, "OPTIONS", 7) == 0)
        h->method = METHOD_OPTIONS;
    h->bodiless = len == 4 && memcmp(method, "HEAD", 4) == 0;
}

/* RFC 9112, 3.2. The authority of an absolute-form is not used, as Host is not. */
static bool take_target(struct reader *r, const char *method, const char *target, const char *end)
{
    const char *path = target;
    if (memcmp(method, "CONNECT ", 8) == 0) /* its target is a host, and for proxies */
        return false;
    if (strncasecmp(target, "http://", 7) == 0 || strncasecmp(target, "https://", 8) == 0) {
        const char *authority = target + (target[4] == ':' ? 7 : 8);
        path = authority + strcspn(authority, "/? ");
        if (path == authority || *authority == ':' || !is_host(authority, path))
            return false;
    } else if (*target != '/') {
        if (*target != '*' || end - target > 1 || r->h->method != METHOD_OPTIONS)
            return false;
    }
    const char *mark = memchr(path, '?', (size_t)(end - path));
    r->h->path = (uint16_t)(path - r->text);
    r->path_end = (uint16_t)((mark ? mark : end) - r->text);
    r->h->query = (uint16_t)(r->path_end + (mark != NULL));
    r->query_end = (uint16_t)(end - r->text);
    return true;
}

/* "HTTP/" digit "." digit CR LF */
static bool is_version(const char *text, size_t len)
{
    return len >= 10 && memcmp(text, "HTTP/", 5) == 0 && text[5] >= '0' && text[5] <= '9' &&
           text[6] == '.' && text[7] >= '0' && text[7] <= '9' && memcmp(text + 8, "\r\n", 2) == 0;
}

/* Begins at *at, and moves it behind the line. */
static enum head_step read_request_line(struct reader *r, size_t *at)
{
    const char *method = r->text + *at, *end = r->text + r->len;
    const char *blank = memchr(method, ' ', (size_t)(end - method));
    const char *method_end = blank ? blank : end;
    /* A CR was seen, but could have been half of an empty line. */
    if (*method == '\r' || blank == method || run(r, method, method_end, IN_TOKEN) != method_end)
        return wrong(r, 400, "no method at the beginning");
    if (!blank)
        return HEAD_PART;
    const char *target = blank + 1, *second = memchr(target, ' ', (size_t)(end - target));
    const char *target_end = run(r, target, second ? second : end, IN_TARGET);
    if (target_end - target > REQUEST_TARGET_MAX)
        return wrong(r, 414, "target too long");
    if (second == target || target_end != (second ? second : end))
        return wrong(r, 400, "malformed request line");
    if (!second)
        return HEAD_PART;
    const char *version = second + 1;
    size_t left = (size_t)(end - version);
    if (left < 10 && !memchr(version, '\n', left))
        return HEAD_PART;
    if (!is_version(version, left))
        return wrong(r, 400, "malformed request line");
    if (version[5] != '1' || version[7] > '1')
        return wrong(r, 505, "version of HTTP that is neither 1.0 nor 1.1");
    r->h->version_1_0 = version[7] == '0';
    take_method(r->h, method, (size_t)(blank - method));
    *at = (size_t)(version + 10 - r->text);
    return take_target(r, method, target, target_end) ? HEAD_WHOLE
                                                      : wrong(r, 400, "malformed target");
}

static void keep(struct reader *r, enum header header, const char *value, const char *end)
{
    unsigned bit = 1U << header;
    if (r->present & bit && !r->twice)
        r->twice = NAMES[header].twice;
    r->present |= bit;
    if (r->values++ >= REQUEST_VALUES_MAX)
        return;
    r->value_end[r->h->n] = (uint16_t)(end - r->text);
    r->h->value[r->h->n].header = (uint8_t)header;
    r->h->value[r->h->n++].at = (uint16_t)(value - r->text);
}

/* line ends at the line feed lf. */
static enum head_step read_header_line(struct reader *r, const char *line, const char *lf)
{
    const char *colon = characters_run(line, lf, IN_TOKEN), *value = colon + 1;
    size_t len = (size_t)(colon - line);
    if (len == 0 && (*line == ' ' || *line == '\t'))
        return wrong(r, 400, "folded header line");
    if (len == 0 || *colon != ':')
        return wrong(r, 400, "header line without a name and a colon");
    const char *end = characters_run(value, lf, IN_VALUE);
    if (end != lf - 1 || *end != '\r')
        return wrong(r, 400,
                     end == lf ? "line that does not end in CRLF"
                               : "control character in a header line");
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    r->lines++;
    for (int i = 0; i < HEADERS; i++)
        if (len == NAMES[i].len && strncasecmp(line, NAMES[i].name, len) == 0)
            keep(r, (enum header)i, value, end);
    return HEAD_WHOLE;
}

/* Reads from the line at `at`. The lines before it were read at an earlier call. */
static enum head_step read_lines(struct reader *r, size_t at)
{
    char *text = r->text;
    *r->h = (struct request_head){.text = text};
    /* Only before the request line an empty line does not end the head. */
    if (at < 3 || text[at - 3] == '\n') {
        while (r->len - at >= 2 && memcmp(text + at, "\r\n", 2) == 0)
            at += 2;
        if (at == r->len || (at + 1 == r->len && text[at] == '\r'))
            return HEAD_PART;
        enum head_step step = read_request_line(r, &at);
        if (step != HEAD_WHOLE)
            return step;
    }
    size_t from = at < r->seen ? r->seen : at;
    for (char *lf; (lf = memchr(text + from, '\n', r->len - from)); from = at) {
        if (lf == text + at + 1 && text[at] == '\r') {
            r->h->len = at + 2;
            return HEAD_WHOLE;
        }
        if (read_header_line(r, text + at, lf) == HEAD_WRONG)
            return HEAD_WRONG;
        at = (size_t)(lf + 1 - text);
    }
    return HEAD_PART;
}

static void end_texts(struct reader *r)
{
    for (unsigned i = 0; i < r->h->n; i++)
        r->text[r->value_end[i]] = '\0';
    if (r->query_end > 0)
        r->text[r->path_end] = r->text[r->query_end] = '\0';
}

/* RFC 9112, 6.1 and 6.3. */
static enum head_step judge_encoding(struct reader *r)
{
    const struct request_head *h = r->h;
    unsigned words = 0;
    bool chunked = false, wrong_place = false;
    for (unsigned i = 0; i < h->n; i++) {
        const char *word = h->text + h->value[i].at;
        if (h->value[i].header != HEADER_TRANSFER_ENCODING)
            continue;
        for (size_t n; (n = words_get(word, 0, &word)) > 0; word += n, words++) {
            wrong_place |= chunked;
            chunked = n == 7 && strncasecmp(word, "chunked", 7) == 0;
        }
    }
    if (h->version_1_0 || h->has_length)
        return wrong(r, 400, "Transfer-Encoding with Content-Length or HTTP/1.0");
    if (words == 0 || wrong_place)
        return wrong(r, 400, "malformed Transfer-Encoding");
    if (words == 1 && chunked)
        return wrong(r, 411, "body without Content-Length");
    return wrong(r, 501, "unknown Transfer-Encoding");
}

/* What only the whole head tells. */
static enum head_step judge(struct reader *r)
{
    struct request_head *h = r->h;
    const char *host = request_header(h, HEADER_HOST);
    const char *length = request_header(h, HEADER_CONTENT_LENGTH);
    h->has_length = length != NULL;
    if (r->lines > REQUEST_LINES_MAX || r->values > REQUEST_VALUES_MAX)
        return wrong(r, 431, "too many header lines");
    if (r->twice)
        return wrong(r, 400, r->twice);
    if (!host && !h->version_1_0)
        return wrong(r, 400, "no Host");
    if (host && !is_host(host, host + strlen(host)))
        return wrong(r, 400, "malformed Host");
    if (length && !decimal(length, strlen(length), INT64_MAX, &h->length))
        return wrong(r, 400, "malformed Content-Length");
    if (request_header(h, HEADER_TRANSFER_ENCODING))
        return judge_encoding(r);
    h->persistent = !h->version_1_0 && !request_lists(h, HEADER_CONNECTION, "close");
    h->expects_continue = !h->version_1_0 && request_lists(h, HEADER_EXPECT, "100-continue");
    return HEAD_WHOLE;
}

enum head_step request_head_read(struct request_head *h, char *text, size_t len, size_t seen,
                                 int *status, const char **why)
{
    struct reader r = {.h = h, .text = text, .len = len, .seen = seen};
    if (len > REQUEST_HEAD_MAX)
        r.len = REQUEST_HEAD_MAX;
    if (r.seen > r.len)
        r.seen = r.len;
    const char *lf = memrchr(text, '\n', r.seen);
    enum head_step step = read_lines(&r, lf ? (size_t)(lf + 1 - text) : 0);
    if (step == HEAD_PART && r.len < REQUEST_HEAD_MAX)
        return HEAD_PART;
    if (lf) {
        r = (struct reader){.h = h, .text = text, .len = r.len};
        step = read_lines(&r, 0);
    }
    if (step == HEAD_PART)
        step = wrong(&r, 431, "head too long");
    end_texts(&r);
    if (step == HEAD_WHOLE)
        step = judge(&r);
    *status = r.status;
    *why = r.why;
    return step;
}

const char *request_header(const struct request_head *h, enum header header)
{
    for (unsigned i = 0; i < h->n; i++)
        if (h->value[i].header == header)
            return h->text + h->value[i].at;
    return NULL;
}

/* Writes so much of the right end of text before out[left] as fits. Returns what is left then. */
static size_t prepend(char *out, size_t left, const char *text)
{
    size_t len = strlen(text), fits = len < left ? len : left;
    memcpy(out + left - fits, text + len - fits, fits);
    return left - fits;
}

const char *request_values(const struct request_head *h, enum header header, char *out, size_t size)
{
    const char *value = NULL;
    unsigned found = 0;
    size_t left = size - 1;
    out[left] = '\0';
    for (unsigned i = h->n; i-- > 0;) {
        if (h->value[i].header != header)
            continue;
        if (found++ > 0)
            left = prepend(out, left, ", ");
        value = h->text + h->value[i].at;
        left = prepend(out, left, value);
    }
    return found < 2 ? value : memmove(out, out + left, size - left);
}

bool request_lists(const struct request_head *h, enum header header, const char *word)
{
    size_t len = strlen(word);
    for (unsigned i = 0; i < h->n; i++) {
        const char *at = h->text + h->value[i].at;
        if (h->value[i].header != header)
            continue;
        for (size_t n; (n = words_get(at, 0, &at)) > 0; at += n)
            if (n == len && strncasecmp(at, word, len) == 0)
                return true;
    }
    return false;
}
