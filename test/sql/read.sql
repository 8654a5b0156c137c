-- events_since: the head, what is new since (S, hi), pages, and a new timeline.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
-- A log as several transactions would have left it: (id, xid, tli).
CREATE FUNCTION pg_temp.log(VARIADIC rows text[]) RETURNS void LANGUAGE sql AS $$
    TRUNCATE vantage6_events.event;
    INSERT INTO vantage6_events.event (slot, id, xid, tli, namespace, rooms, name, payload)
    OVERRIDING SYSTEM VALUE
    SELECT i % 3, i, split_part(r, '/', 1)::xid8, coalesce(nullif(split_part(r, '/', 2), ''),
        '1')::integer,
           '/tasks', ARRAY['everyone', 'node_1'], 'e', '["e"]'
    FROM unnest(rows) WITH ORDINALITY AS x (r, i)
$$;
CREATE FUNCTION pg_temp.ids(since pg_snapshot, hi bigint, seen_tli integer DEFAULT NULL,
    upto pg_snapshot DEFAULT '1000:1000:', after bigint DEFAULT 0, max_rows integer DEFAULT 100)
    RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(coalesce(id::text, 'head'), ' ')
    FROM vantage6_events.events_since(since, hi, seen_tli, upto, after, max_rows)
$$;
\set ECHO all
-- The head comes first, also when nothing is new.
SELECT id, xid, nsp, rooms, except_principal, payload,
    snapshot::text = pg_current_snapshot()::text AS present, epoch
FROM vantage6_events.events_since(pg_current_snapshot(), 0, NULL, NULL, 0, 10);
SELECT vantage6_events.emit('x', '{"a": 1}', ARRAY['a', 'b'], '/other') AS id \gset
SELECT id = :id AS id, xid IS NOT NULL AS xid, nsp, rooms, except_principal, payload, snapshot,
    epoch
FROM vantage6_events.events_since('3:3:', 0, NULL, NULL, 0, 10) OFFSET 1;
-- What the reader's own transaction emitted is not committed yet.
BEGIN;
SELECT vantage6_events.emit('own', NULL, 'everyone') IS NOT NULL AS emitted;
SELECT count(*) FROM vantage6_events.events_since('3:3:', :id, NULL, NULL, 0, 10);
ROLLBACK;

-- xids 10 20 30 40 50; S saw all below 40 but 20 (open) and 30 (ended).
SELECT pg_temp.log('10', '20', '30', '20', '40', '50', '20', '60');
SELECT pg_temp.ids('20:40:20', 0) AS all_of_them;
SELECT pg_temp.ids('20:40:20', 8) AS open_or_later;
SELECT pg_temp.ids('20:40:20', 6) AS and_beyond_hi;
SELECT pg_temp.ids('20:40:20', 3, after => 4) AS after_4;
SELECT pg_temp.ids('70:70:', 8) AS nothing;
SELECT pg_temp.ids('70:70:', 6) AS used_again_after_a_crash;
-- The upper snapshot bounds what is returned, whatever has been committed since.
SELECT pg_temp.ids('10:10:', 0, upto => '20:50:20');
SELECT pg_temp.ids('20:40:20', 6, upto => '20:60:20');
-- Pages under one upper snapshot make up the whole.
SELECT pg_temp.ids('20:40:20', 3, max_rows => 2), pg_temp.ids('20:40:20', 3, after => 4,
    max_rows => 2),
       pg_temp.ids('20:40:20', 3, after => 6, max_rows => 2), pg_temp.ids('20:40:20', 3, after => 8,
           max_rows => 2);
-- After a failover: rows of the new timeline, though hi and S say that they are old.
SELECT pg_temp.log('10', '20/2', '30', '30/2', '90/2', '20/3');
SELECT pg_temp.ids('40:40:', 100), pg_temp.ids('40:40:', 100, seen_tli => 1),
       pg_temp.ids('40:40:', 100, seen_tli => 2), pg_temp.ids('20:40:20', 3, seen_tli => 1);
SELECT pg_temp.ids('40:40:', 100, seen_tli => 1, max_rows => 2),
       pg_temp.ids('40:40:', 100, seen_tli => 1, after => 4, max_rows => 2);
-- A page ends with the event that makes max_bytes; more says whether another follows.
SELECT string_agg(coalesce(id::text, 'head') || coalesce(' ' || more, ''),
    ', ') AS three_of_five_bytes
FROM vantage6_events.events_since('3:3:', 0, NULL, '99:99:', 0, 10, 11);
SELECT string_agg(coalesce(id::text, 'head') || coalesce(' ' || more, ''), ', ') AS one_at_least
FROM vantage6_events.events_since('3:3:', 0, NULL, '99:99:', 0, 10, 1);
-- The epoch comes with each read.
SELECT epoch AS opened FROM vantage6_events.open('regress', '1.0.0') \gset
SELECT epoch = :'opened' AS epoch FROM vantage6_events.events_since('3:3:', 100, NULL, NULL, 0, 10)
    LIMIT 1;
\set ECHO none
\i test/hq/regress-down.psql
