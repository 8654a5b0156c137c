-- emit: every way to call it, and what it stores.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
SET ROLE regress_hq;
\set ECHO all
-- Untyped, json, jsonb and text arguments, with one room or several.
SELECT vantage6_events.emit('untyped', '{"a": 1}', 'everyone');
SELECT vantage6_events.emit('json', '{"b": 1, "a": 2}'::json, 'everyone');
SELECT vantage6_events.emit('jsonb', '{"b": 1, "a": 2}'::jsonb, 'everyone');
SELECT vantage6_events.emit('text', '{"a": 1}'::text, 'everyone');
SELECT vantage6_events.emit('rooms', '{"a": 1}', ARRAY['node_1', 'user_11', 'node_1']);
SELECT vantage6_events.emit('rooms', '{"a": 1}'::json, ARRAY['node_1']);
SELECT vantage6_events.emit('rooms', '{"a": 1}'::jsonb, '{node_1,node_2}'::text[]);
SELECT vantage6_events.emit(event => 'named', args => '[]', rooms => '{node_1}',
    namespace => '/other');
SELECT vantage6_events.emit('no-args', NULL, 'everyone', durable => NULL);
-- An array is the list of arguments, any other value the only one; white space only in strings.
SELECT count(vantage6_events.emit('args', a, 'everyone')) FROM unnest(ARRAY[
    NULL, '[]', '[ ]', E' [\t1 , "x  y" ]\n', '"s"', ' 1.50 ', 'null', 'true', '[[1, 2]]', '[null]',
    '{"a": [ {"b" : "[ ] { }"} ], "c\" d": "\\"}', '"\\\" \" "', '"é \u00e9"', '{}', '""', '[""]'
    ]::text[]) AS a;
RESET ROLE;
SELECT namespace, rooms, payload FROM vantage6_events.event ORDER BY id;
SELECT DISTINCT slot BETWEEN 0 AND 2 AS slot, tli = vantage6_events.timeline() AS tli,
    emitted_at <= now() AS time, durable, except_principal FROM vantage6_events.event;
SELECT count(*) AS not_json FROM vantage6_events.event
    WHERE payload::json ->> 0 IS DISTINCT FROM name;
-- The transaction, not the savepoint; what is rolled back was not said.
TRUNCATE vantage6_events.event;
BEGIN;
SELECT vantage6_events.emit('outer', NULL, 'everyone') IS NOT NULL;
SAVEPOINT a;
SELECT vantage6_events.emit('undone', NULL, 'everyone') IS NOT NULL;
ROLLBACK TO a;
SAVEPOINT b;
SELECT vantage6_events.emit('inner', NULL, 'everyone') IS NOT NULL;
RELEASE b;
SELECT name, xid = pg_current_xact_id() AS top FROM vantage6_events.event ORDER BY id;
COMMIT;
BEGIN;
SELECT vantage6_events.emit('rolled-back', NULL, 'everyone') IS NOT NULL;
ROLLBACK;
SELECT name FROM vantage6_events.event ORDER BY id;
-- What clients heard is on disk, also when HQ commits asynchronously.
SET synchronous_commit = off;
BEGIN;
SELECT vantage6_events.emit('kept', NULL, 'everyone') IS NOT NULL;
SELECT pg_current_wal_insert_lsn() AS written \gset
COMMIT;
SELECT pg_current_wal_flush_lsn() >= :'written' AS on_disk;
RESET synchronous_commit;
-- The slot follows the clock and the retention.
SET vantage6_events.retention = '1min';
SELECT vantage6_events.emit('slot', NULL, 'everyone') IS NOT NULL;
SELECT slot = floor(extract(epoch FROM emitted_at - '2000-01-01 00:00Z') / 60)::bigint % 3 AS slot
FROM vantage6_events.event WHERE name = 'slot';
-- A reader cannot write.
BEGIN READ ONLY;
SELECT vantage6_events.emit('x', NULL, 'everyone');
ROLLBACK;
-- Whatever somebody has put on the log counts for events as for other rows.
BEGIN;
CREATE INDEX ON vantage6_events.event (upper(name COLLATE "C")) WHERE NOT durable;
SELECT vantage6_events.emit('indexed', NULL, 'everyone') IS NOT NULL;
SELECT vantage6_events.announce('first', NULL, 'second', '[2]'::json, ARRAY['everyone'])
    IS NOT NULL;
SET LOCAL enable_seqscan = off;
SELECT name FROM vantage6_events.event
WHERE upper(name COLLATE "C") IN ('INDEXED', 'FIRST', 'SECOND') AND NOT durable ORDER BY id;
CREATE FUNCTION pg_temp.seen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE NOTICE 'seen: %', NEW.name; RETURN NEW; END $$;
CREATE TRIGGER seen BEFORE INSERT ON vantage6_events.event
    FOR EACH ROW EXECUTE FUNCTION pg_temp.seen();
SELECT vantage6_events.emit('third', NULL, 'everyone') IS NOT NULL;
SELECT vantage6_events.announce('fourth', NULL, 'fifth', '[5]'::json, ARRAY['everyone'])
    IS NOT NULL;
DROP TRIGGER seen ON vantage6_events.event;
ALTER TABLE vantage6_events.event ADD note text DEFAULT 'none';
SELECT vantage6_events.emit('noted', NULL, 'everyone') IS NOT NULL;
ALTER TABLE vantage6_events.event ADD CHECK (name <> 'checked');
SELECT name, payload, note FROM vantage6_events.event ORDER BY id DESC LIMIT 6;
DO $$ BEGIN
    PERFORM vantage6_events.emit('checked', NULL, 'everyone');
EXCEPTION WHEN check_violation THEN RAISE NOTICE 'refused';
END $$;
ROLLBACK;
-- A large one too, and one whose rooms come from a table.
CREATE TABLE pg_temp.given AS SELECT ARRAY(SELECT 'room_' || repeat(md5(i::text), 3)
    FROM generate_series(1, 100) AS i) AS rooms;
SELECT vantage6_events.emit('large', json_build_array(repeat('0123456789', 90000)), g.rooms)
    IS NOT NULL FROM given AS g;
DROP TABLE given;
SELECT cardinality(rooms), length(payload) FROM vantage6_events.event WHERE name = 'large';
-- Re-created in the same session, the extension still emits.
\set ECHO none
\i test/hq/regress-down.psql
\i test/hq/regress-up.psql
\set ECHO all
SELECT vantage6_events.emit('again', NULL, 'everyone');
\set ECHO none
\i test/hq/regress-down.psql
