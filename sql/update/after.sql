
-- The end of an update: see before.sql. A table that is here and there gets its rows back, by the
-- names of its columns; a new column gets its default, and must have one. Where 1.0.0 had the name
-- of a role, a row goes if there is no such role. What is UNLOGGED begins empty, as after a crash:
-- pushd opens again.
DO $$
DECLARE
    item record;
    att record;
BEGIN
    FOR item IN
        SELECT o.relname AS name, o.relispartition,
               n.oid IS NOT NULL AND n.relpersistence = 'p' AND o.relpersistence = 'p' AS kept,
               c.columns, c.given, c.condition
        FROM pg_catalog.pg_class AS o
        LEFT JOIN pg_catalog.pg_class AS n ON n.relname = o.relname AND n.relkind = o.relkind
            AND n.relnamespace = 'vantage6_events'::regnamespace
        CROSS JOIN LATERAL (
            SELECT string_agg(format('%I', x.name), ', ' ORDER BY x.n) AS columns,
                   string_agg(format(CASE WHEN x.role THEN 'to_regrole(quote_ident(%I))'
                                     ELSE '%I' END, x.name), ', ' ORDER BY x.n) AS given,
                   concat('true', string_agg(format(' AND to_regrole(quote_ident(%I)) IS NOT NULL',
                                                    x.name), '') FILTER (WHERE x.role)) AS condition
            FROM (SELECT a.attname AS name, a.attnum AS n, a.atttypid = 'name'::regtype
                         AND b.atttypid = 'regrole'::regtype AS role
                  FROM pg_catalog.pg_attribute AS a
                  JOIN pg_catalog.pg_attribute AS b USING (attname)
                  WHERE a.attrelid = o.oid AND b.attrelid = n.oid AND a.attnum > 0 AND b.attnum > 0
                    AND NOT a.attisdropped AND NOT b.attisdropped) AS x) AS c
        WHERE o.relnamespace = 'vantage6_events_before'::regnamespace AND o.relkind IN ('r', 'p')
        ORDER BY o.oid
    LOOP
        IF item.kept AND NOT item.relispartition THEN
            EXECUTE format('INSERT INTO vantage6_events.%1$I (%2$s) OVERRIDING SYSTEM VALUE'
                           ' SELECT %3$s FROM vantage6_events_before.%1$I WHERE %4$s',
                           item.name, item.columns, item.given, item.condition);
        END IF;
    END LOOP;
    FOR item IN
        SELECT o.relname AS name FROM pg_catalog.pg_class AS o
        WHERE o.relnamespace = 'vantage6_events_before'::regnamespace AND o.relkind = 'S'
          AND to_regclass(format('vantage6_events.%I', o.relname)) IS NOT NULL
    LOOP
        EXECUTE format('SELECT pg_catalog.setval(%L, s.last_value, s.is_called)'
                       ' FROM vantage6_events_before.%I AS s',
                       format('vantage6_events.%I', item.name), item.name);
    END LOOP;
    FOR item IN
        SELECT o.oid::regclass AS name FROM pg_catalog.pg_class AS o
        WHERE o.relnamespace = 'vantage6_events_before'::regnamespace AND o.relkind IN ('r', 'p')
          AND NOT o.relispartition
    LOOP
        EXECUTE format('DROP TABLE %s', item.name);
    END LOOP;
    FOR item IN -- those that no table owned
        SELECT o.oid::regclass AS name FROM pg_catalog.pg_class AS o
        WHERE o.relnamespace = 'vantage6_events_before'::regnamespace AND o.relkind = 'S'
    LOOP
        EXECUTE format('DROP SEQUENCE %s', item.name);
    END LOOP;
    DROP SCHEMA vantage6_events_before;
    SELECT * INTO att FROM vantage6_events.attachment;
    IF FOUND THEN
        RAISE WARNING
            'until attach() has run again, no event is announced and HQ may not call emit()'
            USING HINT = format('As a superuser, best in this transaction: '
                                'SELECT vantage6_events.attach(%L)', att.hq_schema);
    END IF;
END $$;
