/*
 * log: events as rows of the event log.
 *
 * straight  a row goes into the table of its slot and its indexes past the executor, which takes
 *           as long as all else of an event; two rows that belong together share a record of the
 *           WAL, and a row does not have the NULLs at its end, as if it were older than their
 *           columns. Only into a table that is as the script makes it, without a trigger
 * SPI       any other log: somebody's trigger is on it, or it is that of the script of 1.0.0
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/tupdesc.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "vantage6_events.h"

#define SLOTS 3
#define COLUMNS 12

static const char *const columns[COLUMNS] = {
    "id",    "xid",  "emitted_at", "tli",     "slot",    "namespace",
    "rooms", "name", "payload",    "durable", "repeats", "except_principal"};

static int16 slot_of(TimestampTz at)
{
    return (int16)(at / USECS_PER_SEC / v6e_retention % SLOTS);
}

/* --- straight --- */

static bool plain(Relation rel, char kind)
{
    TupleDesc desc = RelationGetDescr(rel);

    if (rel->rd_rel->relkind != kind || rel->trigdesc || rel->rd_rel->relrowsecurity ||
        desc->natts != COLUMNS || (desc->constr && desc->constr->num_check > 0))
        return false;
    for (int i = 0; i < COLUMNS; i++)
        if (strcmp(NameStr(TupleDescAttr(desc, i)->attname), columns[i]) != 0)
            return false;
    return true;
}

/* The first columns, all but the NULLs at the end. Without NULLs a row needs no map of them. */
static HeapTuple form(TupleDesc whole, Datum *values, bool *nulls)
{
    TupleDesc part;
    int n = COLUMNS;

    while (nulls[n - 1])
        n--;
    if (n == COLUMNS)
        return heap_form_tuple(whole, values, nulls);
    part = CreateTemplateTupleDesc(n);
    for (int i = 1; i <= n; i++)
        TupleDescCopyEntry(part, i, whole, i);
    return heap_form_tuple(part, values, nulls);
}

static TupleTableSlot *row(Relation rel, int64 id, TimestampTz now, int16 slot,
                           const struct event *e)
{
    TupleTableSlot *row = table_slot_create(rel, NULL);
    Datum values[COLUMNS] = {
        Int64GetDatum(id),           FullTransactionIdGetDatum(GetTopFullTransactionId()),
        TimestampTzGetDatum(now),    Int32GetDatum(v6e_timeline()),
        Int16GetDatum(slot),         PointerGetDatum(e->nsp),
        PointerGetDatum(e->rooms),   PointerGetDatum(e->name),
        PointerGetDatum(e->payload), BoolGetDatum(e->durable),
        Int64GetDatum(e->repeats),   Int32GetDatum(e->except_principal)};
    bool nulls[COLUMNS] = {[10] = !e->repetition, [11] = !e->except};

    ExecForceStoreHeapTuple(form(RelationGetDescr(rel), values, nulls), row, true);
    return row;
}

static void insert_index_entries(EState *estate, ResultRelInfo *info, TupleTableSlot *row)
{
#if PG_VERSION_NUM >= 160000
    list_free(ExecInsertIndexTuples(info, row, estate, false, false, NULL, NIL, false));
#elif PG_VERSION_NUM >= 140000
    list_free(ExecInsertIndexTuples(info, row, estate, false, false, NULL, NIL));
#else
    estate->es_result_relation_info = info;
    list_free(ExecInsertIndexTuples(row, estate, false, NULL, NIL));
#endif
}

static void insert_rows(Relation rel, TupleTableSlot **rows, int n)
{
    EState *estate = CreateExecutorState();
    ResultRelInfo *info = makeNode(ResultRelInfo);

    InitResultRelInfo(info, rel, 1, NULL, 0);
    ExecOpenIndices(info, false);
    if (n == 1)
        table_tuple_insert(rel, rows[0], GetCurrentCommandId(true), 0, NULL);
    else
        table_multi_insert(rel, rows, n, GetCurrentCommandId(true), 0, NULL);
    for (int i = 0; i < n; i++) {
        insert_index_entries(estate, info, rows[i]);
        ResetPerTupleExprContext(estate);
        ExecDropSingleTupleTableSlot(rows[i]);
    }
    ExecCloseIndices(info);
    FreeExecutorState(estate);
    CommandCounterIncrement(); /* the transaction sees them */
}

/* The id of the first; 0 if it is no log to write into so. */
static int64 insert_straight(const struct event *events, int n)
{
    TimestampTz now = GetCurrentTimestamp();
    int16 slot = slot_of(now);
    char name[NAMEDATALEN];
    Oid nsp = get_namespace_oid("vantage6_events", false);
    Oid sequence = get_relname_relid("event_id_seq", nsp);
    Relation log = table_open(get_relname_relid("event", nsp), RowExclusiveLock), rel;
    TupleTableSlot *rows[V6E_MOST_ROWS];
    int64 first = 0;

    snprintf(name, sizeof(name), "event_%d", slot);
    rel = table_open(get_relname_relid(name, nsp), RowExclusiveLock);
    if (OidIsValid(sequence) && plain(log, RELKIND_PARTITIONED_TABLE) &&
        plain(rel, RELKIND_RELATION)) {
        for (int i = 0; i < n; i++) {
            int64 id = nextval_internal(sequence, false);

            first = i == 0 ? id : first;
            rows[i] = row(rel, id, now, slot, &events[i]);
        }
        insert_rows(rel, rows, n);
    }
    table_close(rel, NoLock);
    table_close(log, NoLock);
    return first;
}

/* --- SPI --- */

/* The script of 1.0.0, until it is updated, has no repetitions, and no column for them. */
static SPIPlanPtr insert_plan(bool repetition)
{
    static SPIPlanPtr plans[2] = {NULL, NULL};
    SPIPlanPtr *plan = &plans[repetition];
    Oid types[] = {INT2OID, INT4OID, TIMESTAMPTZOID, TEXTOID, TEXTARRAYOID,
                   TEXTOID, TEXTOID, INT4OID,        BOOLOID, INT8OID};

    if (*plan == NULL) {
        SPIPlanPtr fresh = SPI_prepare(
            repetition
                ? "INSERT INTO vantage6_events.event"
                  " (slot, tli, emitted_at, namespace, rooms, name, payload, except_principal,"
                  " durable, repeats) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
                  " RETURNING id"
                : "INSERT INTO vantage6_events.event"
                  " (slot, tli, emitted_at, namespace, rooms, name, payload, except_principal,"
                  " durable) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id",
            repetition ? lengthof(types) : lengthof(types) - 1, types);

        if (fresh == NULL || SPI_keepplan(fresh) != 0)
            elog(ERROR, "cannot prepare the insert of an event: %s",
                 SPI_result_code_string(SPI_result));
        *plan = fresh;
    }
    return *plan;
}

static int64 insert_by_spi(const struct event *e)
{
    TimestampTz now = GetCurrentTimestamp();
    Datum values[] = {Int16GetDatum(slot_of(now)), Int32GetDatum(v6e_timeline()),
                      TimestampTzGetDatum(now),    PointerGetDatum(e->nsp),
                      PointerGetDatum(e->rooms),   PointerGetDatum(e->name),
                      PointerGetDatum(e->payload), Int32GetDatum(e->except_principal),
                      BoolGetDatum(e->durable),    Int64GetDatum(e->repeats)};
    const char nulls[] = {
        ' ', ' ', ' ', ' ', ' ', ' ', ' ', e->except ? ' ' : 'n', ' ', e->repetition ? ' ' : 'n'};
    bool isnull;
    int64 id;

    if (SPI_connect() != SPI_OK_CONNECT)
        elog(ERROR, "cannot connect to SPI");
    if (SPI_execute_plan(insert_plan(e->repetition), values, nulls, false, 0) !=
            SPI_OK_INSERT_RETURNING ||
        SPI_processed != 1)
        elog(ERROR, "cannot insert an event: %s", SPI_result_code_string(SPI_result));
    id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
    SPI_finish();
    return id;
}

int64 v6e_log(const struct event *events, int n)
{
    int64 first;

    PreventCommandIfReadOnly("INSERT");
    PreventCommandIfParallelMode("INSERT");
    first = insert_straight(events, n);
    if (first == 0) {
        first = insert_by_spi(&events[0]);
        for (int i = 1; i < n; i++)
            insert_by_spi(&events[i]);
    }
    return first;
}
