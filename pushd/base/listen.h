/*
 * listen: reads the addresses to listen on: a numeric address and a port, such as 127.0.0.1:7602 or
 * [::1]:7602.
 */
#ifndef PUSHD_LISTEN_H
#define PUSHD_LISTEN_H

#include <stdbool.h>
#include <sys/socket.h>

/* False if text is no such address. */
bool listen_parse(const char *text, struct sockaddr_storage *out);

#endif
