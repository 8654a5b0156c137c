/* fetch: see fetch.h. Each fetch has a multi handle of its own, with one transfer. */
#include "daemon/fetch.h"

#define CURL_DISABLE_DEPRECATION /* of curl_multi_socket_all() */
#include <curl/curl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/url.h"
#include "daemon/trust.h"
#include "loop/timers.h"

/* The interval at which libcurl is called. 7.88 does not ask for it when it tries the next address
 * of a name, and only curl_multi_socket_all() makes it do so. */
enum { TICK_MS = 100, PROBLEM_MAX = 1536 };

struct fetch {
    uv_loop_t *loop;
    struct fetch_request request;
    void (*done)(void *ctx, const struct fetched *f);
    void *ctx;
    struct url url;
    struct trust trust;
    bool connected; /* TLS has begun */
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    uv_timer_t *timer; /* until the next tick, or the time that libcurl asks for */
    FILE *body;        /* writes to text */
    char *text;
    size_t len;
    size_t taken;                /* bytes of the answer, including its head */
    char error[CURL_ERROR_SIZE]; /* libcurl's message */
    char problem[PROBLEM_MAX];   /* the message for the log */
};

/* --- errors --- */

static void say(struct fetch *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct fetch *f, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(f->problem, sizeof f->problem, format, args);
    va_end(args);
}

static long status_of(struct fetch *f)
{
    long status = 0;
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static void say_status(struct fetch *f, long status)
{
    char *to = NULL;
    curl_easy_getinfo(f->easy, CURLINFO_REDIRECT_URL, &to);
    if (to)
        say(f,
            "expected status 200, found %ld, a redirect to %.*s: redirects are not followed, give "
            "the address that has the keys",
            status, (int)url_length_to_tell(to), to);
    else
        say(f, "expected status 200, found %ld", status);
}

static bool reached(struct fetch *f, CURLINFO phase)
{
    curl_off_t us = 0; /* remains 0 until then */
    curl_easy_getinfo(f->easy, phase, &us);
    return us > 0;
}

static const char *unreached(struct fetch *f)
{
    if (!reached(f, CURLINFO_NAMELOOKUP_TIME_T))
        return "while looking up the name";
    if (!reached(f, CURLINFO_PRETRANSFER_TIME_T))
        return f->connected ? "in the TLS handshake" : "while connecting";
    return reached(f, CURLINFO_STARTTRANSFER_TIME_T) ? "while reading the answer"
                                                     : "while waiting for the answer";
}

static void say_connect(struct fetch *f)
{
    long error = 0;
    curl_easy_getinfo(f->easy, CURLINFO_OS_ERRNO, &error);
    say(f, "cannot connect to port %s: %s", f->url.port,
        error ? uv_strerror(uv_translate_sys_error((int)error)) : f->error);
}

/* OpenSSL's part of "error:0A00010B:SSL routines::wrong version number". */
static const char *tls_reason(const struct fetch *f)
{
    const char *colons = strstr(f->error, "::");
    return colons ? colons + 2 : f->error;
}

static void say_failure(struct fetch *f, CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        say(f,
            "cannot look up the name %s: expected an address of it, found none: correct the name, "
            "or /etc/hosts or the name server of this machine",
            f->url.host);
        break;
    case CURLE_COULDNT_CONNECT:
        say_connect(f);
        break;
    case CURLE_OPERATION_TIMEDOUT:
        say(f, "no complete answer within keys_timeout (%llu ms): it was over %s",
            (unsigned long long)f->request.timeout, unreached(f));
        break;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
        say(f, "TLS: %s", tls_reason(f));
        break;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        say(f, "the connection was lost: %s", f->error);
        break;
    case CURLE_UNSUPPORTED_PROTOCOL:
        say(f, "the answer cannot be used: expected HTTP/1.1, found something else");
        break;
    case CURLE_GOT_NOTHING:
        say(f, "the answer cannot be used: the connection ended without one");
        break;
    case CURLE_PARTIAL_FILE:
        say(f, "the answer cannot be used: the connection ended before it was complete");
        break;
    default:
        say(f, "the answer cannot be used: %s", *f->error ? f->error : curl_easy_strerror(code));
    }
}

static void judge(struct fetch *f, CURLcode code)
{
    long status = status_of(f);
    if (*f->problem != '\0') /* of the certificate */
        return;
    if (f->taken > f->request.max)
        say(f, "the answer cannot be used: it is too large for keys_bytes (%zu)", f->request.max);
    else if (status > 200)
        say_status(f, status);
    else if (code != CURLE_OK)
        say_failure(f, code);
}

/* --- the end --- */

void fetch_cancel(struct fetch *f)
{
    curl_multi_remove_handle(f->multi, f->easy);
    curl_easy_cleanup(f->easy);
    curl_multi_cleanup(f->multi);
    curl_slist_free_all(f->headers);
    timers_free(f->timer);
    fclose(f->body);
    free(f->text);
    free(f);
}

static void end(struct fetch *f, CURLcode code)
{
    judge(f, code);
    fflush(f->body);
    for (char *c = f->problem; *c != '\0'; c++)
        if ((unsigned char)*c < ' ') /* a server's text, in one line */
            *c = '?';
    struct fetched result = {*f->problem ? f->problem : NULL, f->text, f->len};
    f->done(f->ctx, &result);
    fetch_cancel(f);
}

/* --- the loop --- */

static void end_if_done(struct fetch *f)
{
    int left;
    CURLMsg *message = curl_multi_info_read(f->multi, &left);
    if (message)
        end(f, message->data.result);
}

static void on_timer(void *ctx)
{
    struct fetch *f = ctx;
    int running;
    timers_start(f->timer, TICK_MS);
    curl_multi_socket_all(f->multi, &running);
    end_if_done(f);
}

static int on_timeout(CURLM *multi, long ms, void *ctx)
{
    struct fetch *f = ctx;
    (void)multi;
    timers_start(f->timer, ms < 0 || ms > TICK_MS ? TICK_MS : (uint64_t)ms);
    return 0;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct fetch *f = poll->data;
    uv_os_fd_t socket;
    int running;
    uv_fileno((uv_handle_t *)poll, &socket);
    curl_multi_socket_action(f->multi, socket,
                             (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                                 (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0) |
                                 (status < 0 ? CURL_CSELECT_ERR : 0),
                             &running);
    end_if_done(f);
}

static uv_poll_t *poll_new(struct fetch *f, curl_socket_t socket)
{
    uv_poll_t *poll = alloc(sizeof *poll);
    if (uv_poll_init_socket(f->loop, poll, socket) != 0)
        abort();
    poll->data = f;
    curl_multi_assign(f->multi, socket, poll);
    return poll;
}

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *ctx, void *known)
{
    uv_poll_t *poll = known;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        uv_close((uv_handle_t *)poll, (uv_close_cb)free);
        return 0;
    }
    if (!poll)
        poll = poll_new(ctx, socket);
    uv_poll_start(
        poll, (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0),
        on_ready);
    return 0;
}

/* --- the answer: accepting less than there is ends the transfer --- */

static bool fits(struct fetch *f, size_t len)
{
    f->taken += len;
    return f->taken <= f->request.max;
}

static size_t on_head(char *data, size_t size, size_t len, void *ctx)
{
    (void)data;
    (void)size;
    return fits(ctx, len) ? len : 0;
}

static size_t on_body(char *data, size_t size, size_t len, void *ctx)
{
    struct fetch *f = ctx;
    (void)size;
    return fits(f, len) && status_of(f) == 200 ? fwrite(data, 1, len, f->body) : 0;
}

/* --- the request --- */

static CURLcode on_tls(CURL *easy, void *ssl_ctx, void *ctx)
{
    struct fetch *f = ctx;
    (void)easy;
    f->connected = true;
    return trust_apply(&f->trust, ssl_ctx) ? CURLE_OK : CURLE_SSL_CACERT_BADFILE;
}

/* trust_apply(), which obeys SSL_CERT_FILE, sets the CAs. Stopping must not wait for the thread of
 * a name lookup (QUICK_EXIT); the thread then frees its memory. */
static bool set_options(struct fetch *f)
{
    CURL *e = f->easy;
    int bad = 0;
    bad |= curl_easy_setopt(e, CURLOPT_URL, f->request.url);
    bad |= curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
    bad |= curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    bad |= curl_easy_setopt(e, CURLOPT_PROXY, "");
    bad |= curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    bad |= curl_easy_setopt(e, CURLOPT_HTTPHEADER, f->headers);
    bad |= curl_easy_setopt(e, CURLOPT_USERAGENT, "vantage6-pushd/" PUSHD_VERSION);
    bad |= curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)f->request.timeout);
    bad |= curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
    bad |= curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    bad |= curl_easy_setopt(e, CURLOPT_ERRORBUFFER, f->error);
    bad |= curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_head);
    bad |= curl_easy_setopt(e, CURLOPT_HEADERDATA, f);
    bad |= curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    bad |= curl_easy_setopt(e, CURLOPT_WRITEDATA, f);
    bad |= curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    bad |= curl_easy_setopt(e, CURLOPT_SSL_OPTIONS, (long)CURLSSLOPT_NO_PARTIALCHAIN);
    bad |= curl_easy_setopt(e, CURLOPT_CAINFO, NULL);
    bad |= curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
    bad |= curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, on_tls);
    bad |= curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, f);
    return bad == 0;
}

static bool set_multi(struct fetch *f)
{
    int bad = 0;
    bad |= curl_multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    bad |= curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
    bad |= curl_multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    bad |= curl_multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
    return bad == 0;
}

struct fetch *fetch_start(uv_loop_t *loop, const struct fetch_request *request,
                          void (*done)(void *ctx, const struct fetched *f), void *ctx)
{
    struct fetch *f = alloc(sizeof *f);
    if (!url_parse(request->url, &f->url))
        abort();
    f->loop = loop;
    f->request = *request;
    f->done = done;
    f->ctx = ctx;
    f->trust = (struct trust){request->ca_file, f->url.host, f->url.numeric, f->problem,
                              sizeof f->problem};
    f->timer = timers_new(loop, on_timer, f);
    f->body = must(open_memstream(&f->text, &f->len));
    f->headers = must(curl_slist_append(NULL, "Accept: application/json"));
    must(curl_slist_append(f->headers, "Connection: close"));
    f->easy = must(curl_easy_init());
    f->multi = must(curl_multi_init());
    if (!set_options(f) || !set_multi(f) || curl_multi_add_handle(f->multi, f->easy) != CURLM_OK)
        abort();
    return f;
}

bool fetch_check(const char *ca_file, char *err, size_t errlen)
{
    const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);
    bool threaded = v->features & CURL_VERSION_ASYNCHDNS;
    if (!threaded || !v->ssl_version || !strstr(v->ssl_version, "OpenSSL")) {
        snprintf(err, errlen,
                 "expected libcurl with OpenSSL that looks names up in a thread (AsynchDNS), found "
                 "libcurl %s with %s%s: install the system's own, libcurl4",
                 v->version, v->ssl_version ? v->ssl_version : "no TLS",
                 threaded ? "" : ", without such a thread");
        return false;
    }
    return trust_check(ca_file, err, errlen);
}
