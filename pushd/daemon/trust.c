/* trust: see trust.h. */
#include "daemon/trust.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

/* --- the CAs --- */

/* OpenSSL keeps errors per thread; the next caller must not find them. */
static const char *why_not_loaded(const char *ca_file)
{
    FILE *file = fopen(ca_file, "r");
    bool readable = file && (fgetc(file) != EOF || !ferror(file));
    const char *reason =
        readable ? ERR_reason_error_string(ERR_peek_last_error()) : strerror(errno);
    if (file)
        fclose(file);
    return reason ? reason : "no reason is given";
}

/* OpenSSL reads the system's CAs when it needs them, not here. */
static bool load_cas(SSL_CTX *ctx, const char *ca_file, char *err, size_t errlen)
{
    int loaded = *ca_file != '\0' ? SSL_CTX_load_verify_file(ctx, ca_file)
                                  : SSL_CTX_set_default_verify_paths(ctx);
    if (loaded != 1)
        snprintf(err, errlen,
                 "jwks_ca_file: expected certificates (PEM) in %s, found: %s: correct the option "
                 "or the file",
                 *ca_file ? ca_file : "the system's folder", why_not_loaded(ca_file));
    ERR_clear_error();
    return loaded == 1;
}

bool trust_check(const char *ca_file, char *err, size_t errlen)
{
    SSL_CTX *ctx = must(SSL_CTX_new(TLS_client_method()));
    bool good = load_cas(ctx, ca_file, err, errlen);
    SSL_CTX_free(ctx);
    return good;
}

/* --- why a certificate is not trusted --- */

static void say_name(BIO *out, const X509_NAME *name)
{
    X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253);
}

/* The names that count. The subject counts only if there are no others. */
static void say_hosts(BIO *out, X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        BIO_puts(out, i > 0 ? ", " : "");
        GENERAL_NAME_print(out, sk_GENERAL_NAME_value(names, i));
    }
    if (!names)
        say_name(out, X509_get_subject_name(certificate));
    GENERAL_NAMES_free(names);
}

static void say_period(BIO *out, X509 *certificate, bool of_server, bool expired)
{
    BIO_puts(out, of_server ? "that of the server (" : "that of its CA (");
    say_name(out, X509_get_subject_name(certificate));
    BIO_puts(out, expired ? ") expired on " : ") is valid from ");
    ASN1_TIME_print_ex(out,
                       expired ? X509_get0_notAfter(certificate) : X509_get0_notBefore(certificate),
                       ASN1_DTFLGS_ISO8601);
    BIO_puts(out, !expired    ? ": correct the clock of this machine, or wait"
                  : of_server ? ": renew it"
                              : ": renew it, at the server or in jwks_ca_file");
}

static void say_issuer(BIO *out, X509 *certificate, bool unknown)
{
    BIO_puts(out, "found ");
    say_name(out, X509_get_subject_name(certificate));
    BIO_puts(out, ", issued by ");
    say_name(out, X509_get_issuer_name(certificate));
    if (unknown)
        BIO_puts(out, ": set jwks_ca_file to the certificate of that CA");
}

static void explain(BIO *out, X509_STORE_CTX *store, const struct trust *t)
{
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    bool of_server = X509_STORE_CTX_get_error_depth(store) == 0;
    int error = X509_STORE_CTX_get_error(store);
    BIO_printf(out, "TLS: the certificate is not trusted: %s",
               X509_verify_cert_error_string(error));
    if (!certificate)
        return;
    BIO_puts(out, ": ");
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        say_period(out, certificate, of_server, error == X509_V_ERR_CERT_HAS_EXPIRED);
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        BIO_printf(out, "expected one for %s, found one for ", t->host);
        say_hosts(out, certificate);
        BIO_puts(out, ": use a name that it has, or give the server another certificate");
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        say_issuer(out, certificate, true);
        break;
    default:
        say_issuer(out, certificate, false);
    }
}

static int verify(X509_STORE_CTX *store, void *ctx)
{
    struct trust *t = ctx;
    int good = X509_verify_cert(store);
    if (good <= 0) {
        BIO *out = must(BIO_new(BIO_s_mem()));
        explain(out, store, t);
        int n = BIO_read(out, t->problem, (int)t->size - 1);
        t->problem[n > 0 ? n : 0] = '\0';
        BIO_free(out);
    }
    return good;
}

bool trust_apply(struct trust *t, SSL_CTX *ctx)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);
    if (!load_cas(ctx, t->ca_file, t->problem, t->size))
        return false;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if ((t->numeric ? X509_VERIFY_PARAM_set1_ip_asc(param, t->host)
                    : X509_VERIFY_PARAM_set1_host(param, t->host, 0)) != 1) {
        snprintf(t->problem, t->size, "expected a host that a certificate can name, found %s",
                 t->host);
        return false;
    }
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_cert_verify_callback(ctx, verify, t);
    return true;
}
