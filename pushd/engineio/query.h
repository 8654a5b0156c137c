/*
 * query: the parameters in a request's query string that Engine.IO gives a meaning to.
 *
 * Of the others (cache busters, what users add) nothing is kept. A parameter given twice counts as
 * the last, an empty one as absent. Names and values are compared as they came: no legal value
 * needs percent-encoding, so an encoded one is another value.
 */
#ifndef PUSHD_QUERY_H
#define PUSHD_QUERY_H

/*
 * Each value has room for more than the longest legal one: what does not fit is cut, and still
 * equals none.
 */
struct parameters {
    char eio[8], transport[16], sid[32];
};

/* query: what follows the '?', or NULL. */
struct parameters query_parse(const char *query);

#endif
