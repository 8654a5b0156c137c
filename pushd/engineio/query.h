/*
 * query: reads the parameters of Engine.IO in a request's query string.
 *
 * Other parameters (cache busters, additions of users) are ignored, and may hold anything. The last
 * of two equal names counts. An empty value counts as absent.
 *
 * Names and values are percent-decoded, once, after they were split. What is no %XX stays as it is,
 * and so does %00: a text that it would end could equal a legal one.
 */
#ifndef PUSHD_QUERY_H
#define PUSHD_QUERY_H

/*
 * The values, decoded. Each has room for more than the longest legal one. A longer value is cut and
 * so equals no legal one.
 */
struct parameters {
    char eio[8], transport[16], sid[32];
};

/* query: the text after the '?', as it was sent, or NULL. */
struct parameters query_parse(const char *query);

#endif
