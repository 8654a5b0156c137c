-- The plan of a read: index scans only, for what is not beyond hi of the index on (xid, id). A read
-- of nothing new touches nothing, whatever the log holds and whoever is open. A page costs a page.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
-- The very query of a function, that of its page or the part that matches, under the settings of
-- events_since, its variables as parameters.
CREATE FUNCTION pg_temp.prepare(
    name text, part text DEFAULT 'RETURN QUERY\s+SELECT(\s+p\.id.*);\s*END')
    RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    q text;
    v text[];
    setting text;
BEGIN
    SELECT (regexp_match(prosrc, part))[1] INTO STRICT q FROM pg_proc
    WHERE oid = format('vantage6_events.%I', name)::regproc;
    FOREACH v SLICE 1 IN ARRAY ARRAY[['hi', '$1'], ['seen_tli', '$2'], ['after', '$3'],
            ['max_rows', '$4'], ['max_bytes', '262144'],
            ['upper_snapshot', '$5'], ['upto', '$5'], ['since_max', '$6'],
            ['upto_max', 'pg_snapshot_xmax($5)'],
            ['since_open', '$7'], ['xids', '$8'], ['until', '$1']] LOOP
        q := regexp_replace(q, '([^.])\m' || v[1] || '\M', '\1' || v[2], 'g');
    END LOOP;
    FOR setting IN SELECT unnest(proconfig) FROM pg_proc
                   WHERE oid = 'vantage6_events.events_since'::regproc LOOP
        PERFORM set_config(split_part(setting, '=', 1), split_part(setting, '=', 2), true);
    END LOOP;
    EXECUTE 'PREPARE read (bigint, integer, bigint, integer, pg_snapshot, xid8, xid8[], xid8[]) AS'
        ' SELECT ' || q;
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
        ' EXECUTE read (%s, NULL, 0, 1000, %L, %L, %L, %L)',
        hi, pg_current_snapshot(), pg_snapshot_xmax(since), array(SELECT pg_snapshot_xip(since)),
        vantage6_events.overtaken(since, hi, pg_current_snapshot(), 0))
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
SELECT pg_temp.prepare('late_events');
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
-- Whether one is late is seen in the index on (xid, id), too.
BEGIN;
SELECT pg_temp.prepare('events_since', '(EXISTS \(SELECT FROM event AS o.*?\))\s+INTO');
SELECT * FROM pg_temp.scans('1000:1000:', :hi) AS none_is_late;
DEALLOCATE read;
COMMIT;
-- On a full one, analyzed: planned anew.
ANALYZE vantage6_events.event;
BEGIN;
SELECT pg_temp.prepare('late_events');
SELECT * FROM pg_temp.scans('1000:1000:', :hi);
SELECT * FROM pg_temp.scans('6:1000:6', :hi) AS behind_an_open_transaction;
SELECT scans, rows_met < 1010 AS a_page_of_many FROM pg_temp.scans('1000:1000:', 0);
DEALLOCATE read;
-- Mostly no event is late.
SELECT pg_temp.prepare('events_since');
SELECT * FROM pg_temp.scans('1000:1000:', :hi);
SELECT * FROM pg_temp.scans('1000:1000:', :hi - 10) AS ten_new;
SELECT scans, rows_met < 1010 AS a_page_of_many FROM pg_temp.scans('1000:1000:', 0);
DEALLOCATE read;
SELECT pg_temp.prepare('events_since', '(EXISTS \(SELECT FROM event AS o.*?\))\s+INTO');
SELECT * FROM pg_temp.scans('1000:1000:', :hi) AS none_is_late;
COMMIT;
DEALLOCATE read;
-- What pages meet, in the index, of 20,000 events of transactions that were overtaken: of one, of
-- five at once, of five in turn, and with 10,000 others that have committed since. The log holds
-- 60,000 more that were read long ago.
SET max_parallel_workers_per_gather = 0;
CREATE FUNCTION pg_temp.met() RETURNS numeric LANGUAGE sql AS $$
    SELECT sum(pg_stat_get_xact_tuples_returned(indexrelid)) FROM pg_index
    WHERE indrelid IN ('vantage6_events.event_0'::regclass, 'vantage6_events.event_1'::regclass,
                       'vantage6_events.event_2'::regclass)
$$;
CREATE FUNCTION pg_temp.pages(since pg_snapshot, hi bigint, OUT events bigint, OUT pages integer,
                              OUT in_order boolean, OUT few_met boolean) LANGUAGE plpgsql AS $$
DECLARE
    upto pg_snapshot := '20000:20000:';
    after bigint := 0;
    before numeric := pg_temp.met();
    page record;
BEGIN
    events := 0;
    pages := 0;
    in_order := true;
    LOOP
        SELECT count(e.id) AS n, max(e.id) AS last, bool_or(e.more) AS more,
               array_agg(e.id ORDER BY n) = array_agg(e.id ORDER BY e.id) AS in_order
        INTO page
        FROM vantage6_events.events_since(since, hi, NULL, upto, after, 1000) WITH ORDINALITY AS e
            (id, xid, nsp, rooms, except_principal, payload, snapshot, epoch, more, ack, n)
        WHERE e.id IS NOT NULL;
        EXIT WHEN page.n = 0;
        events := events + page.n;
        pages := pages + 1;
        in_order := in_order AND page.in_order;
        after := page.last;
        EXIT WHEN NOT page.more;
    END LOOP;
    few_met := pg_temp.met() - before < 4 * events;
END $$;
CREATE FUNCTION pg_temp.log(xids text[], n integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO vantage6_events.event (slot, xid, tli, namespace, rooms, name, payload)
    SELECT i % 3, xids[1 + i % cardinality(xids)]::xid8, 1, '/tasks', '{everyone}', 'e', '["e"]'
    FROM generate_series(1, n) AS i
$$;
BEGIN;
SELECT pg_temp.log('{200}', 20000);
SELECT pg_temp.log('{201}', 1);
SELECT max(id) AS hi FROM vantage6_events.event \gset
SELECT * FROM pg_temp.pages('200:202:200', :hi) AS of_one_that_ran;
SELECT * FROM pg_temp.pages('199:200:', :hi) AS of_one_that_began_later;
SELECT pg_temp.log(ARRAY(SELECT i::text FROM generate_series(1001, 11000) AS i), 10000);
SELECT * FROM pg_temp.pages('200:202:200', :hi) AS of_one_and_others_since;
ROLLBACK;
BEGIN;
SELECT pg_temp.log('{200, 201, 202, 203, 204}', 20000);
SELECT pg_temp.log('{205}', 1);
SELECT max(id) AS hi FROM vantage6_events.event \gset
SELECT * FROM pg_temp.pages('200:206:200,201,202,203,204', :hi) AS of_five_that_ran;
SELECT * FROM pg_temp.pages('200:202:200', :hi) AS of_five_some_of_which_began_later;
ROLLBACK;
BEGIN;
SELECT count(pg_temp.log(ARRAY[xid], 4000)) FROM unnest('{204, 202, 200, 203, 201}'::text[]) AS xid;
SELECT pg_temp.log('{205}', 1);
SELECT max(id) AS hi FROM vantage6_events.event \gset
SELECT * FROM pg_temp.pages('200:206:200,201,202,203,204', :hi) AS of_five_in_turn;
ROLLBACK;
-- One that is still open costs nothing.
BEGIN;
SELECT pg_temp.log('{200}', 20000);
SELECT pg_temp.log('{201}', 1);
SELECT max(id) AS hi FROM vantage6_events.event \gset
SELECT pg_temp.met() AS before \gset
SELECT count(*) AS head
FROM vantage6_events.events_since('200:202:200', :hi, NULL, '200:202:200', 0, 1000);
SELECT pg_temp.met() - :before < 10 AS met_nothing;
ROLLBACK;
\set ECHO none
\i test/hq/regress-down.psql
