/* answer: see answer.h. */
#include "pg/answer.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *sqlstate(const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return state ? state : "none";
}

bool answer_failed(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK;
}

int64_t answer_integer(const PGresult *result, int row, int column)
{
    return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

void answer_fold(char *to, size_t len, const char *from)
{
    size_t n = 0;
    while (isspace((unsigned char)*from))
        from++;
    while (*from && n + 3 < len) {
        size_t blank = strspn(from, " \t\r\n");
        if (!blank) {
            to[n++] = *from++;
            continue;
        }
        bool broken = memchr(from, '\n', blank) && n && !strchr(":;.,", to[n - 1]);
        from += blank;
        if (*from && broken)
            to[n++] = ';';
        if (*from)
            to[n++] = ' ';
    }
    to[n] = '\0';
}

const char answer_pooled[] =
    "A connection pooler in between gives each transaction another session: connect"
    " to PostgreSQL itself, or through a pool in session mode";

/* The hint for errors whose repair the server cannot know. */
static const char *repair(const char *state)
{
    static const char *const repairs[][2] = {
        {"3F000",
         "The extension is missing in this database: run CREATE EXTENSION vantage6_events, then"
         " its attach() and grant_pushd()"},
        {"42883", "The extension is not attached, or not of the daemon's version: run its attach(),"
                  " or install both of one version"},
        {"42703", "The extension is too old: run ALTER EXTENSION vantage6_events UPDATE"},
        {"42501",
         "Grant the rights of pushd to the role that it connects as: run SELECT"
         " vantage6_events.grant_pushd(role), or after an update of the extension its attach()"},
    };
    if (strcmp(state, "26000") == 0 || strcmp(state, "42P05") == 0) /* a prepared statement */
        return answer_pooled;
    for (size_t i = 0; i < sizeof repairs / sizeof repairs[0]; i++)
        if (strcmp(state, repairs[i][0]) == 0)
            return repairs[i][1];
    return NULL;
}

void answer_explain(const PGresult *result, const char *database, char *text, size_t len)
{
    char line[2048];
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *hint = repair(sqlstate(result));
    if (!hint)
        hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    snprintf(line, sizeof line, "%s (SQLSTATE %s%s%s)%s%s",
             message ? message : PQresultErrorMessage(result), sqlstate(result),
             database ? ", database " : "", database ? database : "", hint ? ". " : "",
             hint ? hint : "");
    answer_fold(text, len, line);
}

bool answer_is_passing(const PGresult *result)
{
    static const char *const states[] = {"55P03", "40001", "40P01"};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (strcmp(sqlstate(result), states[i]) == 0)
            return true;
    return false;
}

bool answer_is_ended(const PGresult *result)
{
    return strcmp(sqlstate(result), "V6010") == 0;
}

bool answer_is_farewell(const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return (severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0)) ||
           strncmp(sqlstate(result), "57P", 3) == 0;
}

bool answer_is_data(const PGresult *result)
{
    static const char *const classes[] = {"22", "23", "54", "P0"};
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (strncmp(sqlstate(result), classes[i], 2) == 0)
            return true;
    return false;
}

bool answer_is_encoding(const PGresult *result)
{
    return strcmp(sqlstate(result), "22P05") == 0;
}
