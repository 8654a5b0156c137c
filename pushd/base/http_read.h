/*
 * http_read: an HTTP/1.1 answer (RFC 9112), read as it arrives.
 *
 * The body is that of status 200; of any other status only the head is read. A body is as long as
 * its Content-Length says, or comes in chunks, or ends with the connection.
 */
#ifndef PUSHD_HTTP_READ_H
#define PUSHD_HTTP_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_LINE = 1024 };

enum http_state { HTTP_MORE, HTTP_DONE, HTTP_BAD };

struct http_reader {
    size_t max; /* bytes of the whole answer */
    size_t taken;
    enum {
        HTTP_STATUS,
        HTTP_FIELDS,
        HTTP_SIZED,      /* so many bytes are left of the body */
        HTTP_TO_THE_END, /* of the connection */
        HTTP_CHUNK_SIZE,
        HTTP_CHUNK,
        HTTP_CHUNK_END,
        HTTP_TRAILER,
        HTTP_OVER
    } part;
    enum http_state state;
    const char *problem; /* if BAD: what was expected and found */
    int status;
    char location[HTTP_LINE]; /* visible ASCII; "" = none */
    bool chunked, sized;
    uint64_t left;
    char line[HTTP_LINE]; /* of a longer one, the beginning */
    size_t line_len;
    char *body;
    size_t len, size;
};

void http_read_init(struct http_reader *r, size_t max);
void http_read_clear(struct http_reader *r);
/* What came; what follows the answer is ignored. */
enum http_state http_read_feed(struct http_reader *r, const char *data, size_t len);
/* The connection has ended. */
enum http_state http_read_end(struct http_reader *r);

#endif
