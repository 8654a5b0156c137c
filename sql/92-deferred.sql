-- Deferred triggers: as whom they run when a function of the agent's writes rows of HQ.
--
-- Before PostgreSQL 18 a deferred trigger runs as whoever the user is by then, not as the one whose
-- write has made it wait.

CREATE FUNCTION has_pending_triggers(relation regclass) RETURNS boolean
    LANGUAGE c VOLATILE STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'v6e_sql_has_pending_triggers';
COMMENT ON FUNCTION has_pending_triggers(regclass) IS
    'Whether this transaction has still to run a trigger of the table.';

-- The caller may have made a trigger of its own wait, on a table of its own. fire_deferred() would
-- run it as the agent, so it could do whatever HQ can. A transaction without an id has written
-- nothing. A trigger is the agent's or a superuser's if its table and its function are.
CREATE FUNCTION refuse_deferred() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    waits regclass;
BEGIN
    IF pg_current_xact_id_if_assigned() IS NULL OR vantage6_events.asker() = current_user THEN
        RETURN;
    END IF;
    SELECT g.tgrelid INTO waits FROM pg_trigger AS g JOIN pg_class AS c ON c.oid = g.tgrelid
    JOIN pg_proc AS p ON p.oid = g.tgfoid
    JOIN pg_roles AS r ON r.oid IN (c.relowner, p.proowner)
    WHERE g.tgdeferrable AND r.rolname <> current_user AND NOT r.rolsuper
      AND vantage6_events.has_pending_triggers(g.tgrelid) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'deferred triggers of table % have not run yet', waits
            USING ERRCODE = 'object_in_use',
            DETAIL = format('They would run as role "%s".', current_user),
            HINT = 'Run SET CONSTRAINTS ALL IMMEDIATE first, or commit.';
    END IF;
END $$;
COMMENT ON FUNCTION refuse_deferred() IS
    'The beginning of what ends with fire_deferred(). 55006 if deferred triggers of others than '
    'the agent and superusers wait, which that would run as the agent.';

-- At commit the user is not the agent any more but our caller, maybe a superuser. The owner of HQ's
-- tables may have made a trigger.
CREATE FUNCTION fire_deferred() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF vantage6_events.asker() <> current_user THEN
        SET CONSTRAINTS ALL IMMEDIATE;
        SET CONSTRAINTS ALL DEFERRED;
    END IF;
END $$;
COMMENT ON FUNCTION fire_deferred() IS
    'The end of what writes rows of HQ for others than the agent: deferred triggers run '
    'now, as the agent. Those that can be deferred are so for the rest of the transaction.';
