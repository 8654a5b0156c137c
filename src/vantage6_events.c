/*
 * vantage6_events: the module's magic, its settings, and facts of the server that SQL cannot ask
 * for: the timeline that is being written, the system identifier, whether triggers of a table wait,
 * and the value of a setting (current_setting() does not know it before the module is loaded).
 */
#include "postgres.h"

#include "access/xlog.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "bell.h"
#include "vantage6_events.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

#define SETTING(name, ...) int v6e_##name;
#include "settings.def"
#undef SETTING
static bool folding;

static const char *const setting_names[] = {
#define SETTING(name, ...) #name,
#include "settings.def"
#undef SETTING
};

void _PG_init(void)
{
#define SETTING(name, unit, value, least, most, who, what, more)                                   \
    DefineCustomIntVariable("vantage6_events." #name, what, more, &v6e_##name, value, least, most, \
                            who, unit, NULL, NULL, NULL);
#include "settings.def"
#undef SETTING
    DefineCustomBoolVariable(
        "vantage6_events.folding", "Internal: this transaction folds lines into the log of a run.",
        NULL, &folding, false, PGC_USERSET,
        GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE, NULL, NULL, NULL);
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

PG_FUNCTION_INFO_V1(v6e_sql_has_pending_triggers);
Datum v6e_sql_has_pending_triggers(PG_FUNCTION_ARGS)
{
    PG_RETURN_BOOL(AfterTriggerPendingOnRel(PG_GETARG_OID(0)));
}

PG_FUNCTION_INFO_V1(v6e_sql_system_id);
Datum v6e_sql_system_id(PG_FUNCTION_ARGS)
{
    PG_RETURN_TEXT_P(cstring_to_text(psprintf(UINT64_FORMAT, GetSystemIdentifier())));
}

static void check_setting(const char *name)
{
    StringInfoData all;

    initStringInfo(&all);
    for (size_t i = 0; i < lengthof(setting_names); i++) {
        if (strcmp(name, setting_names[i]) == 0)
            return;
        appendStringInfo(&all, "%s%s", i ? ", " : "", setting_names[i]);
    }
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("expected a setting, found \"%s\"", name),
             errhint("The settings of vantage6_events are %s.", all.data)));
}

PG_FUNCTION_INFO_V1(v6e_sql_setting);
Datum v6e_sql_setting(PG_FUNCTION_ARGS)
{
    char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));

    check_setting(name);
    name = psprintf("vantage6_events.%s", name);
    PG_RETURN_TEXT_P(cstring_to_text(GetConfigOptionByName(name, NULL, false)));
}
