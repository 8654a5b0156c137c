/*
 * tls: the client's side of one TLS connection, over memory: bytes of the network go in and come
 * out, whoever carries them.
 */
#ifndef PUSHD_TLS_H
#define PUSHD_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct tls;

/*
 * To a server that must show a certificate for host (numeric: an IP address), by one of the CAs in
 * ca_file (PEM), or of the system's if that is "". NULL with one line in err.
 */
struct tls *tls_new(const char *host, bool numeric, const char *ca_file, char *err, size_t errlen);
void tls_free(struct tls *t);
/* True if tls_new() can use this file. */
bool tls_check_ca(const char *ca_file, char *err, size_t errlen);

/* Bytes of the network: take in what came, and give out what must go. */
void tls_receive(struct tls *t, const char *data, size_t len);
size_t tls_send(struct tls *t, char *out, size_t size);

/* 1: done; 0: more must come; -1: failed, see tls_problem(). */
int tls_handshake(struct tls *t);
/* After the handshake; false if it failed: tls_read() will say so too. */
bool tls_write(struct tls *t, const char *data, size_t len);
/* Bytes read; 0: more must come; -1: ended, orderly if tls_problem() is NULL. */
ssize_t tls_read(struct tls *t, char *out, size_t size);
const char *tls_problem(const struct tls *t);

#endif
