-- From an earlier version to this one: as much of it is made anew as in a fresh installation, by
-- the same pieces. So the two are equal, and what changed in which version is written down nowhere.
--
-- before  (this file) what attach() made is dropped, as are the extension's functions and views;
--         its tables step aside into a schema of their own
-- pieces  sql/*.sql, as for CREATE EXTENSION
-- after   (after.sql) rows and sequences go into the new tables
--
-- Nothing is granted here: in the script of an extension that would count as the extension's own,
-- and pg_dump would leave it out. attach() grants, and makes what it made, again.
\echo Use "ALTER EXTENSION vantage6_events UPDATE" to load this file. \quit

-- All locks together, given up together and tried again, as attach() does and for its reasons. With
-- more patience each time, since pushd opens again and again.
DO $$
DECLARE
    until timestamptz := clock_timestamp() + interval '10 s';
    tries integer := 0; -- time alone may pass while the machine stands still
    first CONSTANT name[] := '{attachment, epoch, instance, resumable, lease, interrupted, pending,
                               announced}';
    mine text;
    others text;
    hqs text;
BEGIN
    PERFORM set_config('lock_timeout', '1s', true), set_config('deadlock_timeout', '100ms', true),
        -- For the functions of the earlier version: see 93-spelling.sql.
        set_config('quote_all_identifiers', 'off', true),
        set_config('standard_conforming_strings', 'on', true);
    -- pushd's functions begin with these; then HQ's tables, whose triggers go on to the others.
    SELECT string_agg(c.oid::regclass::text, ', ' ORDER BY array_position(first, c.relname))
               FILTER (WHERE c.relname = ANY (first)),
           string_agg(c.oid::regclass::text, ', ' ORDER BY c.oid)
               FILTER (WHERE c.relname <> ALL (first))
    INTO mine, others FROM pg_catalog.pg_class AS c
    WHERE c.relnamespace = 'vantage6_events'::regnamespace AND c.relkind IN ('r', 'p');
    LOOP
        BEGIN
            SELECT string_agg(DISTINCT g.tgrelid::regclass::text, ', ') INTO hqs
            FROM pg_catalog.pg_trigger AS g
            JOIN pg_catalog.pg_proc AS p ON p.oid = g.tgfoid
            WHERE p.pronamespace = 'vantage6_events'::regnamespace AND NOT g.tgisinternal;
            EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE',
                           concat_ws(', ', mine, hqs, others));
            PERFORM vantage6_events.unmake(); -- that of the earlier version
            RETURN;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            tries := tries + 1;
            IF tries >= 5 AND clock_timestamp() >= until THEN
                RAISE 'tables of vantage6 or vantage6_events could not be locked: they are in use'
                    USING ERRCODE = 'lock_not_available', DETAIL = sqlerrm, 
                        HINT = 'Nothing was changed. pg_locks and pg_stat_activity show who holds '
                        'them. Do it again when those transactions have ended.';
            END IF;
        END;
        PERFORM pg_sleep(0.2 + 0.2 * random());
    END LOOP;
END $$;

CREATE SCHEMA vantage6_events_before;

DO $$
DECLARE
    item record;
    act text;
BEGIN
    FOR item IN
        SELECT m.type, m.identity, m.oid, EXISTS (
                   SELECT FROM pg_catalog.pg_depend AS d
                   WHERE d.classid = m.classid AND d.objid = m.oid
                     AND d.deptype IN ('a', 'i')) AS owned
        FROM (SELECT i.*, d.classid, d.objid AS oid FROM pg_catalog.pg_depend AS d
              JOIN pg_catalog.pg_extension AS e
                  ON e.oid = d.refobjid AND e.extname = 'vantage6_events',
              pg_catalog.pg_identify_object(d.classid, d.objid, 0) AS i
              WHERE d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e') AS m
        ORDER BY array_position(ARRAY['view', 'function', 'sequence', 'table', 'schema'], m.type),
                 m.oid
    LOOP
        -- Not CASCADE: a view of somebody else on ours is not ours to drop.
        act := CASE item.type
            WHEN 'view' THEN format('DROP VIEW %s', item.identity)
            WHEN 'function' THEN format('DROP FUNCTION %s', item.identity)
            WHEN 'table' THEN format('ALTER EXTENSION vantage6_events DROP TABLE %1$s;'
                                     'ALTER TABLE %1$s SET SCHEMA vantage6_events_before',
                                     item.identity)
            WHEN 'sequence' THEN -- an owned one goes with its table
                format('ALTER EXTENSION vantage6_events DROP SEQUENCE %1$s' || CASE
                    WHEN item.owned THEN ''
                    ELSE ';ALTER SEQUENCE %1$s SET SCHEMA vantage6_events_before' END,
                    item.identity)
            WHEN 'type' THEN CASE WHEN item.owned THEN '' -- a table's; a member since PostgreSQL 17
                ELSE format('DROP TYPE %s', item.identity) END
            WHEN 'schema' THEN ''
        END;
        IF act IS NULL THEN
            RAISE 'expected a member that the update of vantage6_events can replace, found a %: %',
                item.type, item.identity;
        ELSIF act <> '' THEN
            EXECUTE act;
        END IF;
    END LOOP;
    FOR item IN
        SELECT DISTINCT a.grantee::regrole::text AS grantee FROM pg_catalog.pg_namespace AS n,
               pg_catalog.aclexplode(n.nspacl) AS a
        WHERE n.nspname = 'vantage6_events' AND a.grantee NOT IN (0, n.nspowner)
    LOOP
        EXECUTE format('REVOKE ALL ON SCHEMA vantage6_events FROM %s', item.grantee);
    END LOOP;
END $$;

