/*
 * payload: the form in which an event is stored and sent, ["name",argument,...] without needless
 * space. pushd puts the packet's head before it and parses nothing.
 */
#include "postgres.h"

#include "vantage6_events.h"

static bool space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Copies valid JSON without the white space between its tokens. */
static void compact(StringInfo out, const char *p, const char *end)
{
    bool in_string = false;

    while (p < end) {
        const char *from = p;

        while (p < end && (in_string || !space(*p))) {
            if (*p == '"')
                in_string = !in_string;
            else if (*p == '\\')
                p++; /* only strings have escapes; what is escaped ends no string */
            p++;
        }
        appendBinaryStringInfo(out, from, p - from);
        while (p < end && space(*p))
            p++;
    }
}

/* A JSON array is the list of arguments, any other value the only one. */
void v6e_payload(StringInfo out, const char *event, size_t event_len, const char *args,
                 size_t args_len)
{
    const char *end = args ? args + args_len : NULL;
    int list;

    appendStringInfoString(out, "[\"");
    appendBinaryStringInfo(out, event, event_len);
    appendStringInfoChar(out, '"');
    while (args && args_len > 0 && space(*args)) {
        args++;
        args_len--;
    }
    if (!args || args_len == 0) {
        appendStringInfoChar(out, ']');
        return;
    }
    list = out->len;
    if (*args != '[') {
        appendStringInfoChar(out, ',');
        compact(out, args, end);
        appendStringInfoChar(out, ']');
        return;
    }
    compact(out, args, end);
    if (out->len > list + 2) {
        out->data[list] = ',';
    } else { /* [] */
        out->data[list] = ']';
        out->data[--out->len] = '\0';
    }
}
