/*
 * option_check: what the text of an option must look like.
 *
 * Each returns NULL if the text is right, else what was expected and an example.
 */
#ifndef PUSHD_OPTION_CHECK_H
#define PUSHD_OPTION_CHECK_H

const char *wrong_address(const char *text);
const char *wrong_path(const char *text);
const char *wrong_origins(const char *text);
const char *wrong_namespaces(const char *text);
const char *wrong_client_types(const char *text);
const char *wrong_claims(const char *text);
const char *wrong_event(const char *text);
const char *wrong_name(const char *text);
const char *wrong_proxies(const char *text);
const char *wrong_cookie(const char *text);
const char *wrong_url(const char *text);
const char *wrong_base_url(const char *text); /* without a query */
const char *wrong_realm(const char *text);
const char *wrong_algorithms(const char *text);

#endif
