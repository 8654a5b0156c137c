/*
 * bell: tells vantage6-pushd, after a commit, that there is something to read.
 *
 * plain bell  NOTIFY by the committing transaction itself. PostgreSQL lets one transaction of the
 *             cluster at a time commit with a NOTIFY, through its flush of the WAL
 * doorbell    the commit only wakes a background worker of its database (worker.c), and that does
 *             the NOTIFY: for as many commits as have asked by then, without waiting for a disk
 * pause       after a bell the worker waits for a moment, in which commits need not wake it: one
 *             more bell is for all of them. The first of many, and a single one, wait for nothing
 * board       the shared memory of the doorbell; it is there if shared_preload_libraries has us
 * box         the part of it that belongs to one database
 *
 * Each transaction takes the doorbell if a worker lives or can be had, else the plain bell. Workers
 * are started by what needs one, and by the end of one that leaves a bell unrung.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "commands/async.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "bell.h"
#include "vantage6_events.h"

/* A worker that the postmaster has not started after so long never comes. */
#define START_MS 10000

struct box {
    Oid database;         /* InvalidOid = free */
    Latch *worker;        /* of the one that lives, NULL = none */
    TimestampTz starting; /* since when one is expected; 0 = none is */
    bool awake;           /* the worker will look at asked, unwoken */
    bool asked;           /* a transaction has committed and no bell has rung since */
};

struct board {
    LWLock *lock;
    int n;
    struct box boxes[FLEXIBLE_ARRAY_MEMBER];
};

static struct board *board; /* NULL = not preloaded */
static struct box *mine;    /* that of this database when it was last looked at; NULL = never */
static bool asks;           /* this transaction rings the doorbell when it commits */

#if PG_VERSION_NUM >= 150000
static shmem_request_hook_type next_request;
#endif
static shmem_startup_hook_type next_startup;
static ProcessUtility_hook_type next_utility;

/* --- boxes; the lock of the board is held --- */

/* No more databases than background workers can have a live one, so a box is to be had as long as a
 * worker is. */
static struct box *find_box(Oid database)
{
    struct box *spare = NULL;

    for (int i = 0; i < board->n; i++) {
        struct box *b = &board->boxes[i];

        if (b->database == database)
            return b;
        if (!spare && (b->database == InvalidOid || (!b->worker && !b->starting && !b->asked)))
            spare = b;
    }
    if (spare)
        *spare = (struct box){.database = database};
    return spare;
}

static bool start_worker(struct box *b)
{
    BackgroundWorker worker = {0};

    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = BGW_NEVER_RESTART;
    strlcpy(worker.bgw_library_name, "vantage6_events", sizeof(worker.bgw_library_name));
    strlcpy(worker.bgw_function_name, "v6e_worker_main", sizeof(worker.bgw_function_name));
    strlcpy(worker.bgw_type, "vantage6_events", sizeof(worker.bgw_type));
    snprintf(worker.bgw_name, sizeof(worker.bgw_name), "vantage6_events of database %u",
             b->database);
    worker.bgw_main_arg = ObjectIdGetDatum(b->database);
    if (!RegisterDynamicBackgroundWorker(&worker, NULL))
        return false;
    b->starting = GetCurrentTimestamp();
    return true;
}

static bool have_worker(struct box *b)
{
    if (b->worker)
        return true;
    if (b->starting && !TimestampDifferenceExceeds(b->starting, GetCurrentTimestamp(), START_MS))
        return true;
    b->starting = 0;
    return start_worker(b);
}

/* --- asking --- */

/* Without the lock: a box with a worker is given to no other database. */
static bool worker_lives(void)
{
    const volatile struct box *b = mine;

    return b && b->database == MyDatabaseId && b->worker;
}

/* Whether there is or comes a worker for this database. */
static bool doorbell(void)
{
    bool works;

    if (!board || RecoveryInProgress())
        return false;
    if (worker_lives())
        return true;
    LWLockAcquire(board->lock, LW_EXCLUSIVE);
    mine = find_box(MyDatabaseId);
    works = mine && have_worker(mine);
    LWLockRelease(board->lock);
    return works;
}

/* A bell was asked for, and the bell will ring after this: by the worker, or by its successor. */
static bool is_asked(void)
{
    const volatile struct box *b = mine;

    pg_memory_barrier(); /* what was committed is visible before this is looked at */
    return worker_lives() && b->asked;
}

/* What was committed is visible by now. Nothing here may fail. */
static void ask(void)
{
    Latch *worker = NULL;

    if (is_asked())
        return;
    LWLockAcquire(board->lock, LW_EXCLUSIVE);
    mine = find_box(MyDatabaseId);
    if (mine) {
        mine->asked = true;
        have_worker(mine);
        worker = mine->awake ? NULL : mine->worker;
    }
    LWLockRelease(board->lock);
    if (worker)
        SetLatch(worker);
}

/* A prepared transaction has not committed: COMMIT PREPARED asks for it. */
static void at_end(XactEvent event, void *arg)
{
    (void)arg;
    if (!asks)
        return;
    switch (event) {
    case XACT_EVENT_COMMIT:
        asks = false;
        ask();
        break;
    case XACT_EVENT_ABORT:
    case XACT_EVENT_PREPARE:
        asks = false;
        break;
    default:
        break;
    }
}

/* The plain bell is empty and constant: equal ones fold into one, and a listener learns nothing. */
void v6e_ring(void)
{
    if (asks)
        return;
    if (doorbell())
        asks = true;
    else
        v6e_notify();
}

void v6e_notify(void)
{
    Async_Notify("vantage6_events", "");
}

#if PG_VERSION_NUM >= 140000
static void utility(PlannedStmt *plan, const char *text, bool read_only,
                    ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *env,
                    DestReceiver *dest, QueryCompletion *done)
#else
static void utility(PlannedStmt *plan, const char *text, ProcessUtilityContext context,
                    ParamListInfo params, QueryEnvironment *env, DestReceiver *dest,
                    QueryCompletion *done)
#endif
{
    ProcessUtility_hook_type run = next_utility ? next_utility : standard_ProcessUtility;
    bool prepared = IsA(plan->utilityStmt, TransactionStmt) &&
                    ((TransactionStmt *)plan->utilityStmt)->kind == TRANS_STMT_COMMIT_PREPARED;

#if PG_VERSION_NUM >= 140000
    run(plan, text, read_only, context, params, env, dest, done);
#else
    run(plan, text, context, params, env, dest, done);
#endif
    /* Whether that transaction emitted is not known; a bell too many costs one read. */
    if (prepared && OidIsValid(get_extension_oid("vantage6_events", true)))
        ask();
}

/* --- the worker's side --- */

bool v6e_box_enter(Oid database, Latch *worker)
{
    struct box *b;
    bool mine;

    LWLockAcquire(board->lock, LW_EXCLUSIVE);
    b = find_box(database);
    mine = b && !b->worker;
    if (mine) {
        b->worker = worker;
        b->starting = 0;
        b->awake = true;
    }
    LWLockRelease(board->lock);
    return mine;
}

void v6e_box_leave(Oid database, bool replace)
{
    struct box *b;

    LWLockAcquire(board->lock, LW_EXCLUSIVE);
    b = find_box(database);
    if (b) {
        b->worker = NULL;
        b->awake = false;
        if (!replace)
            b->asked = false;
        else if (b->asked)
            have_worker(b);
    }
    LWLockRelease(board->lock);
}

bool v6e_box_take(Oid database)
{
    struct box *b;
    bool asked;

    LWLockAcquire(board->lock, LW_EXCLUSIVE);
    b = find_box(database);
    asked = b && b->asked;
    if (b) {
        b->asked = false;
        b->awake = asked;
    }
    LWLockRelease(board->lock);
    return asked;
}

void v6e_box_put_back(Oid database)
{
    struct box *b;

    LWLockAcquire(board->lock, LW_EXCLUSIVE);
    b = find_box(database);
    if (b)
        b->asked = true;
    LWLockRelease(board->lock);
}

/* --- the module's side --- */

static Size board_size(void)
{
    return add_size(offsetof(struct board, boxes),
                    mul_size(max_worker_processes, sizeof(struct box)));
}

static void request(void)
{
#if PG_VERSION_NUM >= 150000
    if (next_request)
        next_request();
#endif
    RequestAddinShmemSpace(board_size());
    RequestNamedLWLockTranche("vantage6_events", 1);
}

/* Also after a crash: what was asked is forgotten, but pushd has lost its connections and reads. */
static void startup(void)
{
    bool found;

    if (next_startup)
        next_startup();
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    board = ShmemInitStruct("vantage6_events", board_size(), &found);
    if (!found) {
        memset(board, 0, board_size());
        board->lock = &GetNamedLWLockTranche("vantage6_events")->lock;
        board->n = max_worker_processes;
    }
    LWLockRelease(AddinShmemInitLock);
}

void v6e_bell_init(void)
{
    if (!process_shared_preload_libraries_in_progress)
        return;
#if PG_VERSION_NUM >= 150000
    next_request = shmem_request_hook;
    shmem_request_hook = request;
#else
    request();
#endif
    next_startup = shmem_startup_hook;
    shmem_startup_hook = startup;
    next_utility = ProcessUtility_hook;
    ProcessUtility_hook = utility;
    RegisterXactCallback(at_end, NULL);
}

/* bell() */
PG_FUNCTION_INFO_V1(v6e_sql_bell);
Datum v6e_sql_bell(PG_FUNCTION_ARGS)
{
    PG_RETURN_TEXT_P(cstring_to_text(doorbell() ? "worker" : "notify"));
}
