/*
 * query: reads the parameters of Engine.IO in a request's query string.
 *
 * Other parameters (cache busters, additions of users) are ignored. The last of two equal names
 * counts. An empty value counts as absent. Nothing is percent-decoded: no legal value needs it.
 */
#ifndef PUSHD_QUERY_H
#define PUSHD_QUERY_H

/*
 * Each value has room for more than the longest legal one. A longer value is cut and so equals no
 * legal one.
 */
struct parameters {
    char eio[8], transport[16], sid[32];
};

/* query: the text after the '?', or NULL. */
struct parameters query_parse(const char *query);

#endif
