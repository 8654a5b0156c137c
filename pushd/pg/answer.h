/*
 * answer: what a result of libpq says, above all when the database refused: in one line that says
 * what to do.
 */
#ifndef PUSHD_ANSWER_H
#define PUSHD_ANSWER_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Neither rows nor a command done. */
bool answer_failed(const PGresult *result);
int64_t answer_integer(const PGresult *result, int row, int column);

/* What to do where a pooler changes the session under a link. */
extern const char answer_pooled[];

/* Message, SQLSTATE, database (unless NULL) and hint. */
void answer_explain(const PGresult *result, const char *database, char *text, size_t len);
/* Copy as one line. */
void answer_fold(char *to, size_t len, const char *from);

/* A lock or a serialization stood in the way: the same statement may succeed later. */
bool answer_is_passing(const PGresult *result);
/* The incarnation that the statement was for has been ended. */
bool answer_is_ended(const PGresult *result);
/* The server closes the connection after this. */
bool answer_is_farewell(const PGresult *result);
/* The statement's own data are at fault: the same will be refused again. */
bool answer_is_data(const PGresult *result);

#endif
