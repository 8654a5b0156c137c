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
-- Re-created in the same session, the extension still emits.
\set ECHO none
\i test/hq/regress-down.psql
\i test/hq/regress-up.psql
\set ECHO all
SELECT vantage6_events.emit('again', NULL, 'everyone');
\set ECHO none
\i test/hq/regress-down.psql
