/* tls: see tls.h. */
#include "daemon/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

struct tls {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out; /* the SSL's */
    char problem[256];
};

/* What OpenSSL says last; its errors are of the thread and must not be found by the next. */
static const char *last_error(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(code);
    ERR_clear_error();
    return reason ? reason : "no reason is given";
}

/* The system's CAs are looked up as they are needed: their files are not read here. */
static SSL_CTX *make_context(const char *ca_file, char *err, size_t errlen)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    int loaded = !ctx               ? 0
                 : *ca_file != '\0' ? SSL_CTX_load_verify_file(ctx, ca_file)
                                    : SSL_CTX_set_default_verify_paths(ctx);
    if (loaded != 1) {
        snprintf(err, errlen,
                 "jwks_ca_file: expected certificates (PEM) in %s, found: %s: correct the option "
                 "or the file's permissions",
                 *ca_file ? ca_file : "the system's folder", last_error());
        SSL_CTX_free(ctx);
        return NULL;
    }
    ERR_clear_error();
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return ctx;
}

bool tls_check_ca(const char *ca_file, char *err, size_t errlen)
{
    SSL_CTX *ctx = make_context(ca_file, err, errlen);
    SSL_CTX_free(ctx);
    return ctx != NULL;
}

static bool set_peer(SSL *ssl, const char *host, bool numeric)
{
    if (numeric)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

struct tls *tls_new(const char *host, bool numeric, const char *ca_file, char *err, size_t errlen)
{
    SSL_CTX *ctx = make_context(ca_file, err, errlen);
    struct tls *t = ctx ? calloc(1, sizeof *t) : NULL;
    if (!t) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    t->ctx = ctx;
    t->ssl = SSL_new(ctx);
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    if (!t->ssl || !t->in || !t->out)
        abort();
    SSL_set_bio(t->ssl, t->in, t->out);
    SSL_set_connect_state(t->ssl);
    if (set_peer(t->ssl, host, numeric))
        return t;
    snprintf(err, errlen, "expected a host that a certificate can name, found \"%s\"", host);
    ERR_clear_error();
    tls_free(t);
    return NULL;
}

void tls_free(struct tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl); /* and both BIOs */
    SSL_CTX_free(t->ctx);
    free(t);
}

void tls_receive(struct tls *t, const char *data, size_t len)
{
    if (BIO_write(t->in, data, (int)len) != (int)len)
        abort(); /* it is memory */
}

size_t tls_send(struct tls *t, char *out, size_t size)
{
    int n = BIO_read(t->out, out, (int)size);
    return n > 0 ? (size_t)n : 0;
}

static void explain(struct tls *t)
{
    long verdict = SSL_get_verify_result(t->ssl);
    if (verdict != X509_V_OK)
        snprintf(t->problem, sizeof t->problem, "TLS: the certificate is not trusted: %s",
                 X509_verify_cert_error_string(verdict));
    else
        snprintf(t->problem, sizeof t->problem, "TLS: %s", last_error());
    ERR_clear_error();
}

/* 0: more must come; -1: it has ended. */
static int result_of(struct tls *t, int n)
{
    int error = SSL_get_error(t->ssl, n);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return 0;
    if (error != SSL_ERROR_ZERO_RETURN)
        explain(t);
    return -1;
}

int tls_handshake(struct tls *t)
{
    ERR_clear_error();
    int n = SSL_do_handshake(t->ssl);
    return n == 1 ? 1 : result_of(t, n);
}

bool tls_write(struct tls *t, const char *data, size_t len)
{
    ERR_clear_error();
    return SSL_write(t->ssl, data, (int)len) == (int)len;
}

ssize_t tls_read(struct tls *t, char *out, size_t size)
{
    ERR_clear_error();
    int n = SSL_read(t->ssl, out, (int)size);
    return n > 0 ? n : result_of(t, n);
}

const char *tls_problem(const struct tls *t)
{
    return *t->problem ? t->problem : NULL;
}
