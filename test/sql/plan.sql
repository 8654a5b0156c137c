-- The plan of a read: index scans only, and in the branches for what is not beyond hi the index on
-- (xid, id). A read of nothing new touches nothing, whatever the log holds and whoever is open.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
-- The very query of events_since, under its own settings, its variables as parameters.
CREATE FUNCTION pg_temp.prepare() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    q text;
    v text[];
    setting text;
BEGIN
    SELECT (regexp_match(prosrc, 'RETURN QUERY(.*);\s*END'))[1] INTO STRICT q FROM pg_proc
    WHERE oid = 'vantage6_events.events_since'::regproc;
    FOREACH v SLICE 1 IN ARRAY ARRAY[['hi', '$1'], ['seen_tli', '$2'], ['after', '$3'],
            ['max_rows', '$4'], ['max_bytes', '262144'],
            ['upper_snapshot', '$5'], ['since_max', '$6'], ['since_open', '$7']] LOOP
        q := regexp_replace(q, '([^.])\m' || v[1] || '\M', '\1' || v[2], 'g');
    END LOOP;
    FOR setting IN SELECT unnest(proconfig) FROM pg_proc
                   WHERE oid = 'vantage6_events.events_since'::regproc LOOP
        PERFORM set_config(split_part(setting, '=', 1), split_part(setting, '=', 2), true);
    END LOOP;
    EXECUTE 'PREPARE read (bigint, integer, bigint, integer, pg_snapshot, xid8, xid8[]) AS' || q;
    RETURN 'prepared';
END $$;
CREATE FUNCTION pg_temp.nodes(plan json) RETURNS SETOF json LANGUAGE sql AS $$
    WITH RECURSIVE n AS (
        SELECT plan AS node
        UNION ALL
        SELECT c FROM n, json_array_elements(n.node -> 'Plans') AS c)
    SELECT node FROM n
$$;
-- Which kinds of scan by which indexes, and how many rows they met.
CREATE FUNCTION pg_temp.scans(since pg_snapshot, hi bigint, OUT scans text, OUT rows_met bigint)
    LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE format('EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON)'
        ' EXECUTE read (%s, NULL, 0, 1000, %L, %L, %L)',
        hi, pg_current_snapshot(), pg_snapshot_xmax(since), array(SELECT pg_snapshot_xip(since)))
    INTO plan;
    SELECT string_agg(DISTINCT x.kind || ' by ' || x.index, ', '), sum(x.rows) INTO scans, rows_met
    FROM (SELECT n ->> 'Node Type' AS kind,
                 coalesce(regexp_replace(n ->> 'Index Name', 'event_\d_', ''), 'none') || ': '
                 || count(*) OVER (PARTITION BY
                                   regexp_replace(n ->> 'Index Name', 'event_\d_', '')) AS index,
                 (n ->> 'Actual Rows')::numeric
                 + coalesce((n ->> 'Rows Removed by Filter')::numeric, 0) AS rows
          FROM pg_temp.nodes(plan -> 0 -> 'Plan') AS n WHERE n ->> 'Node Type' LIKE '%Scan'
            AND n ->> 'Node Type' <> 'Subquery Scan') AS x;
END $$;
\set ECHO all
-- On an empty log, never analyzed: this plan is kept while the log fills.
BEGIN;
SELECT pg_temp.prepare();
SELECT * FROM pg_temp.scans('3:3:', 0);
INSERT INTO vantage6_events.event (slot, xid, tli, namespace, rooms, name, payload)
SELECT i % 3, CASE WHEN i % 100 = 0 THEN '7' ELSE '5' END::xid8, 1, '/tasks', '{everyone}', 'e',
    '["e"]'
FROM generate_series(1, 60000) AS i;
SELECT max(id) AS hi FROM vantage6_events.event \gset
SELECT * FROM pg_temp.scans('1000:1000:', :hi);
SELECT * FROM pg_temp.scans('6:1000:6', :hi) AS behind_an_open_transaction;
SELECT * FROM pg_temp.scans('7:1000:7', :hi) AS one_that_has_ended;
SELECT * FROM pg_temp.scans('1000:1000:', :hi - 10) AS ten_new;
SELECT scans, rows_met < 1010 AS a_page_of_many FROM pg_temp.scans('1000:1000:', 0);
DEALLOCATE read;
COMMIT;
-- On a full one, analyzed: planned anew.
ANALYZE vantage6_events.event;
BEGIN;
SELECT pg_temp.prepare();
SELECT * FROM pg_temp.scans('1000:1000:', :hi);
SELECT * FROM pg_temp.scans('6:1000:6', :hi) AS behind_an_open_transaction;
SELECT scans, rows_met < 1010 AS a_page_of_many FROM pg_temp.scans('1000:1000:', 0);
COMMIT;
\set ECHO none
DEALLOCATE read;
\i test/hq/regress-down.psql
