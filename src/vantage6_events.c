/*
 * vantage6_events: the module's magic, its settings, and facts of the server that SQL cannot ask
 * for: the timeline that is being written, the system identifier, and the value of a setting
 * (current_setting() does not know it before the module is loaded).
 */
#include "postgres.h"

#include "access/xlog.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "bell.h"
#include "vantage6_events.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

int v6e_max_payload;
int v6e_retention;
int v6e_upkeep_interval;
int v6e_bell_pause;
static int upkeep_lock_timeout;
static int drain_grace;
static int epoch_grace;
static int instruction_ttl;
static int instruction_repeat;
static int recovery;
static int resume_identity;
static int recovery_events;
static int max_log_line;
static int max_run_log;
static int max_node_config;
static int max_gpus;
static int max_deferred;
static bool folding;

/* What the background worker does, and emptying the log. */
static void define_upkeep(void)
{
    DefineCustomIntVariable("vantage6_events.bell_pause",
                            "Time between two bells of the background worker, at least.",
                            "A bell that is not preceded by another rings at once.",
                            &v6e_bell_pause, 2, 0, 1000, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
    DefineCustomIntVariable(
        "vantage6_events.retention", "Time for which an event is kept at least.",
        "Events go into a ring of three slots, each of this length.", &v6e_retention, 7 * 86400, 60,
        366 * 86400, PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
    DefineCustomIntVariable("vantage6_events.upkeep_interval",
                            "Time between two looks of the background worker for what is old.",
                            "There is one if shared_preload_libraries has vantage6_events.",
                            &v6e_upkeep_interval, 10, 1, 3600, PGC_SIGHUP, GUC_UNIT_S, NULL, NULL,
                            NULL);
    DefineCustomIntVariable("vantage6_events.upkeep_lock_timeout",
                            "Time that upkeep waits for a lock on a slot of the log, at most.",
                            "Whoever wants to read or write that slot waits behind it.",
                            &upkeep_lock_timeout, 100, 1, 10000, PGC_SUSET, GUC_UNIT_MS, NULL, NULL,
                            NULL);
}

/* What the extension tells clients and itself. */
static void define_times(void)
{
    DefineCustomIntVariable("vantage6_events.max_payload",
                            "Largest event that emit accepts, name and arguments together.", NULL,
                            &v6e_max_payload, 1000000, 64, 64 * 1024 * 1024, PGC_SUSET,
                            GUC_UNIT_BYTE, NULL, NULL, NULL);
    DefineCustomIntVariable("vantage6_events.drain_grace",
                            "Time to come back in, for clients whose connection a daemon ended.",
                            NULL, &drain_grace, 30, 0, 3600, PGC_SUSET, GUC_UNIT_S, NULL, NULL,
                            NULL);
    DefineCustomIntVariable("vantage6_events.epoch_grace",
                            "Time to come back in, for all clients after the leases were lost.",
                            "The leases are lost with a crash of the server and with a failover.",
                            &epoch_grace, 60, 0, 3600, PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
    DefineCustomIntVariable("vantage6_events.instruction_ttl",
                            "Time for which a node is told again what it was told to do.", NULL,
                            &instruction_ttl, 7 * 86400, 60, 366 * 86400, PGC_SUSET, GUC_UNIT_S,
                            NULL, NULL, NULL);
    DefineCustomIntVariable(
        "vantage6_events.instruction_repeat",
        "Time after which a connected node is told again what it was told to do.", NULL,
        &instruction_repeat, 600, 1, 86400, PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
    DefineCustomIntVariable("vantage6_events.recovery",
                            "Time in which a user's client gets what it missed while it was away.",
                            NULL, &recovery, 120, 0, 3600, PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
    DefineCustomIntVariable(
        "vantage6_events.resume_identity",
        "Time in which it may come back with a token that has expired meanwhile.", NULL,
        &resume_identity, 12 * 3600, 0, 7 * 86400, PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
}

/* What clients may cost. */
static void define_limits(void)
{
    DefineCustomIntVariable("vantage6_events.max_log_line",
                            "Most that an event of a node may add to a log; the rest is cut.", NULL,
                            &max_log_line, 256 * 1024, 1024, 64 * 1024 * 1024, PGC_SUSET,
                            GUC_UNIT_BYTE, NULL, NULL, NULL);
    DefineCustomIntVariable("vantage6_events.max_run_log",
                            "Size of a run's log from which nothing is added to it.", NULL,
                            &max_run_log, 64 * 1024 * 1024, 1024, 512 * 1024 * 1024, PGC_SUSET,
                            GUC_UNIT_BYTE, NULL, NULL, NULL);
    DefineCustomIntVariable("vantage6_events.max_node_config",
                            "Largest configuration that a node may share, as JSON.", NULL,
                            &max_node_config, 256 * 1024, 1024, 64 * 1024 * 1024, PGC_SUSET,
                            GUC_UNIT_BYTE, NULL, NULL, NULL);
    DefineCustomIntVariable("vantage6_events.max_gpus",
                            "GPUs of a node that have gauges; there is none of those beyond.", NULL,
                            &max_gpus, 64, 0, 1024, PGC_SUSET, 0, NULL, NULL, NULL);
    DefineCustomIntVariable("vantage6_events.max_deferred",
                            "Events of a node that may wait for locked rows of HQ.", NULL,
                            &max_deferred, 1000, 1, 1000000, PGC_SUSET, 0, NULL, NULL, NULL);
    DefineCustomIntVariable(
        "vantage6_events.recovery_events",
        "Events of the log since it was away, beyond which it is not recovered.", NULL,
        &recovery_events, 10000, 0, 1000000, PGC_SUSET, 0, NULL, NULL, NULL);
    DefineCustomBoolVariable(
        "vantage6_events.folding", "Internal: this transaction folds lines into the log of a run.",
        NULL, &folding, false, PGC_USERSET,
        GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE, NULL, NULL, NULL);
}

void _PG_init(void)
{
    define_upkeep();
    define_times();
    define_limits();
    v6e_bell_init();
#if PG_VERSION_NUM >= 150000
    MarkGUCPrefixReserved("vantage6_events");
#else
    EmitWarningsOnPlaceholders("vantage6_events");
#endif
}

/* The timeline that rows written now are on. Not for a standby. */
int v6e_timeline(void)
{
#if PG_VERSION_NUM >= 150000
    return (int)GetWALInsertionTimeLine();
#else
    return (int)ThisTimeLineID;
#endif
}

static void refuse_standby(void)
{
    if (RecoveryInProgress())
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("a standby has no timeline of its own"),
                        errhint("Connect to the primary server.")));
}

PG_FUNCTION_INFO_V1(v6e_sql_timeline);
Datum v6e_sql_timeline(PG_FUNCTION_ARGS)
{
    refuse_standby();
    PG_RETURN_INT32(v6e_timeline());
}

PG_FUNCTION_INFO_V1(v6e_sql_system_id);
Datum v6e_sql_system_id(PG_FUNCTION_ARGS)
{
    PG_RETURN_TEXT_P(cstring_to_text(psprintf(UINT64_FORMAT, GetSystemIdentifier())));
}

PG_FUNCTION_INFO_V1(v6e_sql_setting);
Datum v6e_sql_setting(PG_FUNCTION_ARGS)
{
    char *name = psprintf("vantage6_events.%s", text_to_cstring(PG_GETARG_TEXT_PP(0)));

    PG_RETURN_TEXT_P(cstring_to_text(GetConfigOptionByName(name, NULL, false)));
}
