/*
 * vantage6_events: what the extension's C files share.
 *
 * The C part holds what is hot or impossible in SQL: emit (emit.c, log.c), the bell after a commit
 * (bell.c, worker.c), the judgement of names (names.c), the form in which arguments are stored
 * (payload.c), settings and facts of the server (vantage6_events.c). All policy is SQL.
 */
#ifndef VANTAGE6_EVENTS_H
#define VANTAGE6_EVENTS_H

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "utils/array.h"

/* SQLSTATEs of refusals by emit. The full list stands at the head of sql/00-head.sql. */
#define V6E_BAD_NAMESPACE MAKE_SQLSTATE('V', '6', '1', '0', '1')
#define V6E_BAD_ROOM MAKE_SQLSTATE('V', '6', '1', '0', '2')
#define V6E_NULL_ROOM MAKE_SQLSTATE('V', '6', '1', '0', '3')
#define V6E_TOO_MANY_ROOMS MAKE_SQLSTATE('V', '6', '1', '0', '4')
#define V6E_BAD_EVENT MAKE_SQLSTATE('V', '6', '1', '0', '5')
#define V6E_RESERVED_EVENT MAKE_SQLSTATE('V', '6', '1', '0', '6')
#define V6E_PAYLOAD_TOO_LARGE MAKE_SQLSTATE('V', '6', '1', '0', '7')
#define V6E_DURABLE_ROOMS MAKE_SQLSTATE('V', '6', '1', '0', '8')
#define V6E_BAD_TTL MAKE_SQLSTATE('V', '6', '1', '0', '9')

#define V6E_MAX_ROOMS 100

#define SETTING(name, ...) extern int v6e_##name;
#include "settings.def"
#undef SETTING

extern int v6e_timeline(void);

/* names.c: no memory, no catalogs; names need not end in a NUL byte. */
extern bool v6e_namespace_ok(const char *name, size_t len);
extern bool v6e_room_ok(const char *name, size_t len);
extern bool v6e_node_room(const char *name, size_t len);
extern bool v6e_event_ok(const char *name, size_t len);
extern bool v6e_event_reserved(const char *name, size_t len);

/* log.c */
struct event {
    text *name;
    text *args;    /* JSON; NULL = none */
    text *payload; /* made of name and args */
    ArrayType *rooms;
    text *nsp;
    bool except; /* whether except_principal counts */
    int32 except_principal;
    bool durable;    /* whether it is an instruction */
    bool repetition; /* whether repeats counts: that is its id */
    int64 repeats;
    Interval *ttl; /* NULL = instruction_ttl */
};

#define V6E_MOST_ROWS 2

/* Writes up to V6E_MOST_ROWS events; returns the id of the first. */
extern int64 v6e_log(const struct event *events, int n);

/* payload.c: args is valid JSON, or NULL for no argument. */
extern void v6e_payload(StringInfo out, const char *event, size_t event_len, const char *args,
                        size_t args_len);

#endif
