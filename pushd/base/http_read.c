/* http_read: see http_read.h. */
#include "base/http_read.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DIGITS "0123456789"
/* Far above every limit, and far below an overflow. */
enum { SIZE_DIGITS = 12 };

void http_read_init(struct http_reader *r, size_t max)
{
    memset(r, 0, sizeof *r);
    r->max = max;
}

void http_read_clear(struct http_reader *r)
{
    free(r->body);
    memset(r, 0, sizeof *r);
}

static void fail(struct http_reader *r, const char *problem)
{
    r->state = HTTP_BAD;
    r->problem = problem;
}

static void finish(struct http_reader *r)
{
    r->part = HTTP_OVER;
    r->state = HTTP_DONE;
}

/* --- lines --- */

static void take_status(struct http_reader *r)
{
    const char *at = r->line;
    if (strncmp(at, "HTTP/1.", 7) != 0 || strspn(at + 7, DIGITS) != 1 || at[8] != ' ' ||
        strspn(at + 9, DIGITS) != 3 || (at[12] != ' ' && at[12] != '\0')) {
        fail(r, "expected HTTP/1.1, found something else");
        return;
    }
    r->status = (int)strtol(at + 9, NULL, 10);
    r->part = HTTP_FIELDS;
}

static const char *value_of(const char *line, const char *name)
{
    size_t len = strlen(name);
    if (strncasecmp(line, name, len) != 0 || line[len] != ':')
        return NULL;
    return line + len + 1 + strspn(line + len + 1, " \t");
}

static void take_length(struct http_reader *r, const char *value)
{
    size_t digits = strspn(value, DIGITS);
    uint64_t n = strtoull(value, NULL, 10);
    if (digits == 0 || digits > SIZE_DIGITS || value[digits + strspn(value + digits, " \t")] ||
        (r->sized && n != r->left))
        fail(r, "expected one Content-Length, found none that can be understood");
    r->sized = true;
    r->left = n;
}

static void take_location(struct http_reader *r, const char *value)
{
    size_t n = 0;
    for (; *value && n < sizeof r->location - 1; value++)
        if (*value > ' ' && *value < 0x7f)
            r->location[n++] = *value;
    r->location[n] = '\0';
}

static void take_field(struct http_reader *r)
{
    const char *value;
    if ((value = value_of(r->line, "Content-Length")) != NULL)
        take_length(r, value);
    else if ((value = value_of(r->line, "Location")) != NULL)
        take_location(r, value);
    else if ((value = value_of(r->line, "Transfer-Encoding")) != NULL) {
        r->chunked = true;
        if (strncasecmp(value, "chunked", 7) != 0 || value[7 + strspn(value + 7, " \t")] != '\0')
            fail(r, "expected Transfer-Encoding: chunked, found another one");
    }
}

/* An empty line: what follows the head? */
static void end_head(struct http_reader *r)
{
    if (r->status < 200) { /* "100 Continue" and the like stand before the answer */
        *r->location = '\0';
        r->sized = r->chunked = false;
        r->part = HTTP_STATUS;
    } else if (r->status != 200) {
        finish(r);
    } else if (r->chunked) {
        r->part = HTTP_CHUNK_SIZE;
    } else {
        r->part = r->sized ? HTTP_SIZED : HTTP_TO_THE_END;
        if (r->sized && r->left == 0)
            finish(r);
        else if (r->sized && r->left > r->max)
            fail(r, "it is too large");
    }
}

static void take_chunk_size(struct http_reader *r)
{
    size_t digits = strspn(r->line, DIGITS "abcdefABCDEF");
    char after = r->line[digits];
    if (digits == 0 || digits > SIZE_DIGITS || !strchr("; \t", after)) {
        fail(r, "expected the size of a chunk, found something else");
        return;
    }
    r->left = strtoull(r->line, NULL, 16);
    r->part = r->left > 0 ? HTTP_CHUNK : HTTP_TRAILER;
}

static void take_line(struct http_reader *r)
{
    switch (r->part) {
    case HTTP_STATUS:
        take_status(r);
        break;
    case HTTP_FIELDS:
        if (*r->line == '\0')
            end_head(r);
        else
            take_field(r);
        break;
    case HTTP_CHUNK_SIZE:
        take_chunk_size(r);
        break;
    case HTTP_CHUNK_END:
        if (*r->line != '\0')
            fail(r, "expected the end of a chunk, found more of it");
        r->part = HTTP_CHUNK_SIZE;
        break;
    default: /* a trailer */
        if (*r->line == '\0')
            finish(r);
    }
}

/* Bytes up to the end of the line, if that is among them; returns how many. */
static size_t feed_line(struct http_reader *r, const char *data, size_t len)
{
    const char *end = memchr(data, '\n', len);
    size_t n = end ? (size_t)(end - data) : len;
    size_t room = sizeof r->line - 1 - r->line_len;
    memcpy(r->line + r->line_len, data, n < room ? n : room);
    r->line_len += n < room ? n : room;
    if (!end)
        return len;
    if (r->line_len > 0 && r->line[r->line_len - 1] == '\r')
        r->line_len--;
    r->line[r->line_len] = '\0';
    r->line_len = 0;
    take_line(r);
    return n + 1;
}

/* --- the body --- */

static bool append(struct http_reader *r, const char *data, size_t len)
{
    if (r->len + len > r->size) {
        size_t size = 2 * (r->len + len);
        char *body = realloc(r->body, size);
        if (!body) {
            fail(r, "there is no memory for it");
            return false;
        }
        r->body = body;
        r->size = size;
    }
    memcpy(r->body + r->len, data, len);
    r->len += len;
    return true;
}

static size_t feed_body(struct http_reader *r, const char *data, size_t len)
{
    bool counted = r->part != HTTP_TO_THE_END;
    size_t n = counted && r->left < len ? (size_t)r->left : len;
    if (!append(r, data, n) || !counted)
        return n;
    r->left -= n;
    if (r->left == 0 && r->part == HTTP_SIZED)
        finish(r);
    else if (r->left == 0)
        r->part = HTTP_CHUNK_END;
    return n;
}

enum http_state http_read_feed(struct http_reader *r, const char *data, size_t len)
{
    while (len > 0 && r->state == HTTP_MORE) {
        bool body = r->part == HTTP_SIZED || r->part == HTTP_TO_THE_END || r->part == HTTP_CHUNK;
        size_t may = r->max - r->taken < len ? r->max - r->taken : len;
        if (may == 0) {
            fail(r, "it is too large");
            break;
        }
        size_t n = body ? feed_body(r, data, may) : feed_line(r, data, may);
        r->taken += n;
        data += n;
        len -= n;
    }
    return r->state;
}

enum http_state http_read_end(struct http_reader *r)
{
    if (r->state == HTTP_MORE && r->part == HTTP_TO_THE_END)
        finish(r);
    else if (r->state == HTTP_MORE)
        fail(r, r->taken == 0 ? "the connection ended without one"
                              : "the connection ended before it was complete");
    return r->state;
}
