/* scope: see scope.h. */
#include "net/scope.h"

const struct refusal scope_full = {503, "{\"code\":4,\"message\":\"Too many connections\"}",
                                   METRIC_REFUSED_CONNECTIONS};

const char *scope_date(struct server_scope *scope)
{
    time_t now = time(NULL);
    if (now != scope->dated)
        answer_date(scope->date, now);
    scope->dated = now;
    return scope->date;
}

void scope_count(struct server_scope *scope, int more)
{
    scope->open += (size_t)more;
    engine_connections(scope->engine, more);
}
