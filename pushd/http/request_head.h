/*
 * request_head: reads the head of an HTTP request, strictly (RFC 9112).
 *
 * head     the request line and the header lines, up to the empty line at their end. A line ends in
 *          CRLF and is never folded
 * value    what a header line says, without the blanks around it
 *
 * What two readers could understand in two ways is refused, so that a proxy before us and we always
 * see the same requests. Only the headers of enum header are kept; of the others the form is
 * checked.
 */
#ifndef PUSHD_REQUEST_HEAD_H
#define PUSHD_REQUEST_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    REQUEST_HEAD_MAX = 16384,  /* bytes; more are refused with 431 */
    REQUEST_TARGET_MAX = 8192, /* bytes; more are refused with 414 */
    REQUEST_LINES_MAX = 100,   /* header lines; more are refused with 431 */
    REQUEST_VALUES_MAX = 48    /* of those in enum header; more are refused with 431 */
};

enum method { METHOD_GET, METHOD_POST, METHOD_OPTIONS, METHOD_OTHER };

enum header {
    HEADER_HOST,
    HEADER_CONNECTION,
    HEADER_CONTENT_LENGTH,
    HEADER_TRANSFER_ENCODING,
    HEADER_EXPECT,
    HEADER_CONTENT_TYPE,
    HEADER_ORIGIN,
    HEADER_AUTHORIZATION,
    HEADER_USER_AGENT,
    HEADER_FORWARDED_FOR,   /* X-Forwarded-For */
    HEADER_REQUEST_HEADERS, /* Access-Control-Request-Headers */
    HEADER_UPGRADE,
    HEADER_WS_KEY,      /* Sec-WebSocket-Key */
    HEADER_WS_VERSION,  /* Sec-WebSocket-Version */
    HEADER_WS_PROTOCOL, /* Sec-WebSocket-Protocol */
    HEADERS
};

struct request_head {
    char *text; /* borrowed; a copy of it may be put here later */
    size_t len; /* of the head, with its last line end and what came before it */
    enum method method;
    bool bodiless;         /* the method is HEAD: the answer has no body */
    bool persistent;       /* the connection may serve another request (RFC 9112, 9.3) */
    bool expects_continue; /* Expect: 100-continue */
    bool version_1_0;
    bool has_length;      /* Content-Length is present */
    uint64_t length;      /* of the body */
    uint16_t path, query; /* where in text they begin; each ends in a zero byte. query: without '?',
                             an empty text if there is none */
    uint16_t n;
    struct {
        uint8_t header;
        uint16_t at; /* in text; ends in a zero byte */
    } value[REQUEST_VALUES_MAX];
};

enum head_step { HEAD_PART, HEAD_WHOLE, HEAD_WRONG };

/*
 * Reads the head at the beginning of text, which may be followed by more. seen: so many bytes were
 * there at the last call for the same head; 0 at the first.
 *
 * HEAD_PART: it has not arrived completely; text is unchanged. HEAD_WHOLE: h is filled, and text
 * has zero bytes where its texts end. HEAD_WRONG: *status is the answer (400, 411, 414, 431, 501 or
 * 505) and *why a static text for the log; the connection cannot be used any more, but the values
 * of h that were read until then may be used (for CORS).
 */
enum head_step request_head_read(struct request_head *h, char *text, size_t len, size_t seen,
                                 int *status, const char **why);

/* The first value of this header, NULL if there is none. */
const char *request_header(const struct request_head *h, enum header header);
/*
 * All values of this header, joined by ", ". NULL if there is none. Points into the head if there
 * is one value, else to out. Of what does not fit into out, the right end is kept: there the
 * nearest proxy has written.
 */
const char *request_values(const struct request_head *h, enum header header, char *out,
                           size_t size);
/* Does this header, which is a list, have this word? Ignores case. */
bool request_lists(const struct request_head *h, enum header header, const char *word);

#endif
