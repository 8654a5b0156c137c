/*
 * answer: explains a result of libpq: when the database refuses a statement, one line says what to
 * do.
 */
#ifndef PUSHD_ANSWER_H
#define PUSHD_ANSWER_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True if there are neither rows nor a completed command. */
bool answer_failed(const PGresult *result);
int64_t answer_integer(const PGresult *result, int row, int column);

/* What to do if a pooler changes the session under a link. */
extern const char answer_pooled[];

/* Writes message, SQLSTATE, database (unless NULL) and hint. */
void answer_explain(const PGresult *result, const char *database, char *text, size_t len);
/* Copies the text as one line. */
void answer_fold(char *to, size_t len, const char *from);

/* A lock or a serialization failure: the same statement may succeed later. */
bool answer_is_passing(const PGresult *result);
/* The incarnation of the statement has ended. */
bool answer_is_ended(const PGresult *result);
/* The server closes the connection after this. */
bool answer_is_farewell(const PGresult *result);
/* The data of the statement are wrong: the same statement will be refused again. */
bool answer_is_data(const PGresult *result);
/* A character of the data does not exist in the encoding of the database. */
bool answer_is_encoding(const PGresult *result);

#endif
