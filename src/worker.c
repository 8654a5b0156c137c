/*
 * worker: the background worker of one database. It rings the bells that commits ask for (bell.c),
 * and calls upkeep() every vantage6_events.upkeep_interval.
 *
 * It ends when the database has no extension any more, and when it is told to.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/async.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#if PG_VERSION_NUM >= 140000
#include "utils/wait_event.h"
#endif

#include "bell.h"
#include "vantage6_events.h"

/* Before a bell that could not be rung is tried again: the notification queue may be full. */
#define RETRY_MS 1000

PGDLLEXPORT void v6e_worker_main(Datum arg);

static bool connected;

static void upkeep(void)
{
    List *name = list_make2(makeString("vantage6_events"), makeString("upkeep"));

    /* The script of the version before has none. */
    if (!OidIsValid(LookupFuncName(name, 0, NULL, true)))
        return;
    if (SPI_connect() != SPI_OK_CONNECT)
        elog(ERROR, "cannot connect to SPI");
    PushActiveSnapshot(GetTransactionSnapshot());
    if (SPI_execute("SELECT vantage6_events.upkeep()", false, 0) != SPI_OK_SELECT)
        elog(ERROR, "cannot call upkeep(): %s", SPI_result_code_string(SPI_result));
    PopActiveSnapshot();
    SPI_finish();
}

static void look_for_extension(void)
{
    if (!OidIsValid(get_extension_oid("vantage6_events", true)))
        proc_exit(0);
}

/* One transaction; false if it failed, which is in the server's log. */
static bool attempt(void (*work)(void))
{
    MemoryContext context = CurrentMemoryContext;
    volatile bool good = true;

    PG_TRY();
    {
        SetCurrentStatementStartTimestamp();
        StartTransactionCommand();
        work();
        CommitTransactionCommand();
#if PG_VERSION_NUM < 150000
        ProcessCompletedNotifies(); /* there the commit does not signal the listeners */
#endif
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(context);
        EmitErrorReport();
        FlushErrorState();
        AbortCurrentTransaction();
        good = false;
    }
    PG_END_TRY();
    MemoryContextSwitchTo(context);
    return good;
}

/* Who could not connect has no successor: there is no such database any more. */
static void leave(int code, Datum arg)
{
    (void)code;
    v6e_box_leave(DatumGetObjectId(arg), connected);
}

static void begin(Oid database)
{
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
    BackgroundWorkerUnblockSignals();
    if (!v6e_box_enter(database, MyLatch))
        proc_exit(0);
    before_shmem_exit(leave, ObjectIdGetDatum(database));
    BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
    connected = true;
    /* A bell tells of what is on the disk, and need not be there itself. */
    SetConfigOption("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION);
    /* What upkeep() sees under a lock is to be what there is then. */
    SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_SESSION);
    pgstat_report_activity(STATE_IDLE, NULL);
}

static void obey(void)
{
    if (ShutdownRequestPending)
        proc_exit(0);
    CHECK_FOR_INTERRUPTS();
    if (ConfigReloadPending) {
        ConfigReloadPending = false;
        ProcessConfigFile(PGC_SIGHUP);
    }
}

void v6e_worker_main(Datum arg)
{
    Oid database = DatumGetObjectId(arg);
    TimestampTz kept = GetCurrentTimestamp();

    begin(database);
    for (;;) {
        long wait;

        ResetLatch(MyLatch);
        obey();
        wait = v6e_upkeep_interval * 1000L;
        if (v6e_box_take(database)) {
            wait = v6e_bell_pause;
            if (!attempt(v6e_notify)) {
                v6e_box_put_back(database);
                wait = RETRY_MS;
            }
        }
        if (TimestampDifferenceExceeds(kept, GetCurrentTimestamp(), v6e_upkeep_interval * 1000)) {
            attempt(look_for_extension);
            attempt(upkeep);
            kept = GetCurrentTimestamp();
        }
        WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, wait,
                  PG_WAIT_EXTENSION);
    }
}
