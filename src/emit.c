/*
 * emit: one event into the log, in the caller's own transaction, and the bell (bell.c) that rings
 * at its commit.
 *
 * Called from SQL: emit(event, args, room | rooms, namespace, durable, ttl) with args as json,
 * jsonb or text; and announce(event, args, rooms, except_principal, durable, repeats, namespace),
 * which the extension's own functions use and which leaves one principal out, or announce(event,
 * args, then_event, then_args, rooms). ring() is the bell alone.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#include "bell.h"
#include "vantage6_events.h"

/* How many bytes of a refused name an error message shows. */
static int clip(const char *s, int len)
{
    return pg_mbcliplen(s, len, 128);
}

static void check_event(const text *name)
{
    const char *s = name ? VARDATA_ANY(name) : "";
    int len = name ? (int)VARSIZE_ANY_EXHDR(name) : 0;

    if (!v6e_event_ok(s, len))
        ereport(ERROR, (errcode(V6E_BAD_EVENT),
                        name ? errmsg("bad event name \"%.*s\"", clip(s, len), s)
                             : errmsg("the event name is NULL"),
                        errhint("Give 1 to 128 of the characters A-Z a-z 0-9 _ . : / -")));
    if (v6e_event_reserved(s, len))
        ereport(ERROR, (errcode(V6E_RESERVED_EVENT),
                        errmsg("the event name \"%.*s\" is reserved by Socket.IO", len, s),
                        errhint("Choose a name other than connect, connect_error, disconnect, "
                                "disconnecting, newListener and removeListener.")));
}

static void check_namespace(const text *nsp)
{
    const char *s = nsp ? VARDATA_ANY(nsp) : "";
    int len = nsp ? (int)VARSIZE_ANY_EXHDR(nsp) : 0;

    if (!v6e_namespace_ok(s, len))
        ereport(ERROR, (errcode(V6E_BAD_NAMESPACE),
                        nsp ? errmsg("bad namespace \"%.*s\"", clip(s, len), s)
                            : errmsg("the namespace is NULL"),
                        errhint("Give / or / followed by 1 to 63 of the characters A-Z a-z 0-9 _ "
                                ". - , such as /tasks.")));
}

static void null_room(void)
{
    ereport(ERROR, (errcode(V6E_NULL_ROOM), errmsg("the room is NULL"),
                    errhint("Name a room; every accepted client of the namespace is in the room "
                            "'everyone'.")));
}

/* Every room is good; with only_nodes, every room is also one that only nodes can be in. */
static void check_rooms(ArrayType *rooms, bool only_nodes)
{
    Datum *elems;
    bool *nulls;
    int n;

    deconstruct_array(rooms, TEXTOID, -1, false, 'i', &elems, &nulls, &n);
    if (n == 0)
        null_room();
    if (n > V6E_MAX_ROOMS)
        ereport(ERROR, (errcode(V6E_TOO_MANY_ROOMS), errmsg("%d rooms in one event", n),
                        errhint("Give at most %d rooms, or emit several events.", V6E_MAX_ROOMS)));
    for (int i = 0; i < n; i++) {
        text *room;
        const char *s;
        int len;

        if (nulls[i])
            null_room();
        room = DatumGetTextPP(elems[i]);
        s = VARDATA_ANY(room);
        len = (int)VARSIZE_ANY_EXHDR(room);
        if (!v6e_room_ok(s, len))
            ereport(ERROR, (errcode(V6E_BAD_ROOM), errmsg("bad room \"%.*s\"", clip(s, len), s),
                            errhint("Give 1 to 128 of the characters A-Z a-z 0-9 _ . : / -")));
        if (only_nodes && !v6e_node_room(s, len))
            ereport(ERROR, (errcode(V6E_DURABLE_ROOMS),
                            errmsg("a durable event cannot go to room \"%.*s\"", len, s),
                            errhint("Give rooms that only nodes are in: node_<id>, or a room "
                                    "ending in /nodes.")));
    }
}

static void check_ttl(const struct event *e)
{
    static const Interval none = {0};

    if (!e->ttl)
        return;
    if (!e->durable)
        ereport(ERROR, (errcode(V6E_BAD_TTL), errmsg("a ttl for an event that is not durable"),
                        errhint("Give durable => true as well, or no ttl.")));
    if (DatumGetInt32(DirectFunctionCall2(interval_cmp, IntervalPGetDatum(e->ttl),
                                          IntervalPGetDatum(&none))) <= 0)
        ereport(ERROR, (errcode(V6E_BAD_TTL), errmsg("the ttl is not a positive interval"),
                        errhint("Give for how long it is to be kept, or NULL for "
                                "vantage6_events.instruction_ttl.")));
}

/* It is kept for the nodes of its rooms, whether they are connected or not. */
static void keep_event(const struct event *e, int64 id)
{
    Oid types[] = {INT8OID, TEXTARRAYOID, TEXTOID, TEXTOID, JSONOID, INTERVALOID};
    Datum values[] = {Int64GetDatum(id),        PointerGetDatum(e->rooms), PointerGetDatum(e->nsp),
                      PointerGetDatum(e->name), PointerGetDatum(e->args),  PointerGetDatum(e->ttl)};
    const char nulls[] = {' ', ' ', ' ', ' ', e->args ? ' ' : 'n', e->ttl ? ' ' : 'n'};

    if (SPI_connect() != SPI_OK_CONNECT)
        elog(ERROR, "cannot connect to SPI");
    if (SPI_execute_with_args("SELECT vantage6_events.instruct_rooms($1, $2, $3, $4, $5, $6)",
                              lengthof(types), types, values, nulls, false, 0) != SPI_OK_SELECT)
        elog(ERROR, "cannot keep an event: %s", SPI_result_code_string(SPI_result));
    SPI_finish();
}

/* at_most: the largest payload in bytes; 0 = any, where it is HQ's own write that would fail. */
static void make_payload(struct event *e, int at_most)
{
    StringInfoData payload;

    initStringInfo(&payload);
    v6e_payload(&payload, VARDATA_ANY(e->name), VARSIZE_ANY_EXHDR(e->name),
                e->args ? VARDATA_ANY(e->args) : NULL, e->args ? VARSIZE_ANY_EXHDR(e->args) : 0);
    if (at_most > 0 && payload.len > at_most)
        ereport(ERROR,
                (errcode(V6E_PAYLOAD_TOO_LARGE),
                 errmsg("the event has %d bytes, at most %d are allowed", payload.len, at_most),
                 errhint("Send less, or raise vantage6_events.max_payload.")));
    e->payload = cstring_to_text_with_len(payload.data, payload.len);
}

static int64 emit(struct event *events, int n, int at_most)
{
    PreventCommandDuringRecovery("vantage6_events.emit()");
    for (int i = 0; i < n; i++)
        make_payload(&events[i], at_most);
    v6e_ring();
    /* The bell rings before an asynchronous commit is on disk: a crash would undo what clients
     * received, and give the ids out again. */
    ForceSyncCommit();
    return v6e_log(events, n);
}

/* The arguments that all six overloads share; args is what the overload made of its second one. */
static Datum emit_checked(FunctionCallInfo fcinfo, text *args, bool one_room)
{
    struct event e = {0};
    int64 id;

    e.durable = !PG_ARGISNULL(4) && PG_GETARG_BOOL(4);
    e.name = PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0);
    e.args = args;
    e.nsp = PG_ARGISNULL(3) ? NULL : PG_GETARG_TEXT_PP(3);
    check_event(e.name);
    check_namespace(e.nsp);
    if (PG_ARGISNULL(2))
        null_room();
    if (one_room) {
        Datum room = PG_GETARG_DATUM(2);

        e.rooms = construct_array(&room, 1, TEXTOID, -1, false, 'i');
    } else {
        e.rooms = PG_GETARG_ARRAYTYPE_P(2);
    }
    check_rooms(e.rooms, e.durable);
    e.ttl = PG_ARGISNULL(5) ? NULL : PG_GETARG_INTERVAL_P(5);
    check_ttl(&e);
    id = emit(&e, 1, v6e_max_payload);
    if (e.durable)
        keep_event(&e, id);
    PG_RETURN_INT64(id);
}

static text *args_json(FunctionCallInfo fcinfo)
{
    return PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1);
}

static text *args_jsonb(FunctionCallInfo fcinfo)
{
    Jsonb *args;

    if (PG_ARGISNULL(1))
        return NULL;
    args = PG_GETARG_JSONB_P(1);
    return cstring_to_text(JsonbToCString(NULL, &args->root, VARSIZE(args)));
}

/* json_in() refuses what is no JSON, as a cast would. */
static text *args_text(FunctionCallInfo fcinfo)
{
    if (PG_ARGISNULL(1))
        return NULL;
    return DatumGetTextPP(
        DirectFunctionCall1(json_in, CStringGetDatum(text_to_cstring(PG_GETARG_TEXT_PP(1)))));
}

PG_FUNCTION_INFO_V1(v6e_emit_json_room);
Datum v6e_emit_json_room(PG_FUNCTION_ARGS)
{
    return emit_checked(fcinfo, args_json(fcinfo), true);
}

PG_FUNCTION_INFO_V1(v6e_emit_json_rooms);
Datum v6e_emit_json_rooms(PG_FUNCTION_ARGS)
{
    return emit_checked(fcinfo, args_json(fcinfo), false);
}

PG_FUNCTION_INFO_V1(v6e_emit_jsonb_room);
Datum v6e_emit_jsonb_room(PG_FUNCTION_ARGS)
{
    return emit_checked(fcinfo, args_jsonb(fcinfo), true);
}

PG_FUNCTION_INFO_V1(v6e_emit_jsonb_rooms);
Datum v6e_emit_jsonb_rooms(PG_FUNCTION_ARGS)
{
    return emit_checked(fcinfo, args_jsonb(fcinfo), false);
}

PG_FUNCTION_INFO_V1(v6e_emit_text_room);
Datum v6e_emit_text_room(PG_FUNCTION_ARGS)
{
    return emit_checked(fcinfo, args_text(fcinfo), true);
}

PG_FUNCTION_INFO_V1(v6e_emit_text_rooms);
Datum v6e_emit_text_rooms(PG_FUNCTION_ARGS)
{
    return emit_checked(fcinfo, args_text(fcinfo), false);
}

/* announce(event text, args json, rooms text[], except_principal integer, durable boolean,
 * repeats bigint, namespace text) */
PG_FUNCTION_INFO_V1(v6e_announce);
Datum v6e_announce(PG_FUNCTION_ARGS)
{
    struct event e = {0};

    e.name = PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0);
    e.args = args_json(fcinfo);
    if (PG_ARGISNULL(2))
        null_room();
    e.rooms = PG_GETARG_ARRAYTYPE_P(2);
    e.except = !PG_ARGISNULL(3);
    e.except_principal = e.except ? PG_GETARG_INT32(3) : 0;
    /* The script of 1.0.0, until it is updated, declares four. */
    e.nsp = PG_NARGS() < 7    ? cstring_to_text("/tasks")
            : PG_ARGISNULL(6) ? NULL
                              : PG_GETARG_TEXT_PP(6);
    e.durable = PG_NARGS() > 4 && !PG_ARGISNULL(4) && PG_GETARG_BOOL(4);
    e.repetition = PG_NARGS() > 5 && !PG_ARGISNULL(5);
    e.repeats = e.repetition ? PG_GETARG_INT64(5) : 0;
    check_event(e.name);
    check_namespace(e.nsp);
    check_rooms(e.rooms, e.durable);
    PG_RETURN_INT64(emit(&e, 1, 0));
}

/* announce(event text, args json, then_event text, then_args json, rooms text[]) */
PG_FUNCTION_INFO_V1(v6e_announce_two);
Datum v6e_announce_two(PG_FUNCTION_ARGS)
{
    struct event events[2] = {0};
    bool both = !PG_ARGISNULL(0);

    if (PG_ARGISNULL(4))
        null_room();
    events[0].name = both ? PG_GETARG_TEXT_PP(0) : NULL;
    events[0].args = args_json(fcinfo);
    events[1].name = PG_ARGISNULL(2) ? NULL : PG_GETARG_TEXT_PP(2);
    events[1].args = PG_ARGISNULL(3) ? NULL : PG_GETARG_TEXT_PP(3);
    events[0].rooms = events[1].rooms = PG_GETARG_ARRAYTYPE_P(4);
    events[0].nsp = events[1].nsp = cstring_to_text("/tasks");
    if (both)
        check_event(events[0].name);
    check_event(events[1].name);
    check_rooms(events[0].rooms, false);
    PG_RETURN_INT64(both ? emit(events, 2, 0) : emit(&events[1], 1, 0));
}

/* payload(event text, args json) */
PG_FUNCTION_INFO_V1(v6e_sql_payload);
Datum v6e_sql_payload(PG_FUNCTION_ARGS)
{
    text *name = PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0);
    text *args = args_json(fcinfo);
    StringInfoData payload;

    check_event(name);
    initStringInfo(&payload);
    v6e_payload(&payload, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name),
                args ? VARDATA_ANY(args) : NULL, args ? VARSIZE_ANY_EXHDR(args) : 0);
    PG_RETURN_TEXT_P(cstring_to_text_with_len(payload.data, payload.len));
}

/* ring() */
PG_FUNCTION_INFO_V1(v6e_sql_ring);
Datum v6e_sql_ring(PG_FUNCTION_ARGS)
{
    PreventCommandDuringRecovery("vantage6_events.ring()");
    v6e_ring();
    PG_RETURN_VOID();
}
