-- Each refusal of emit has its own SQLSTATE and says what to do.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
SET ROLE regress_hq;
CREATE FUNCTION pg_temp.refusal(event text, args text DEFAULT NULL,
    rooms text[] DEFAULT '{everyone}',
    namespace text DEFAULT '/tasks', durable boolean DEFAULT false, ttl interval DEFAULT NULL)
    RETURNS text LANGUAGE plpgsql AS $$
DECLARE s text; m text; d text; h text;
BEGIN
    PERFORM vantage6_events.emit(event, args, rooms, namespace, durable, ttl);
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS s = RETURNED_SQLSTATE, m = MESSAGE_TEXT, h = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n    ', s || ': ' || m, nullif(h, ''));
END $$;
\pset format unaligned
\pset tuples_only on
\set ECHO all
SELECT pg_temp.refusal('x', namespace => n) FROM unnest(ARRAY[
    'tasks', '', '/a,b', '/a?b', '/a/b', '/' || repeat('n', 64), NULL, '/é', '/', '/admin',
    '/' || repeat('n', 63)]) AS n;
SELECT pg_temp.refusal('x', rooms => ARRAY['everyone', r]) FROM unnest(ARRAY[
    '', 'a,b', 'a b', 'é', '{a,b}', repeat('r', 129), NULL, repeat('r', 128), 'a_b.c:d/e-F9']) AS r;
SELECT pg_temp.refusal('x', rooms => NULL);
SELECT pg_temp.refusal('x', rooms => '{}');
SELECT pg_temp.refusal('x', rooms => array_fill('everyone'::text, ARRAY[101]));
SELECT pg_temp.refusal('x', rooms => array_fill('everyone'::text, ARRAY[100]));
SELECT pg_temp.refusal(e) FROM unnest(ARRAY[
    '', 'a b', 'a"b', E'a\nb', 'é', repeat('é', 100), repeat('e', 129), NULL,
        repeat('e', 128)]) AS e;
SELECT pg_temp.refusal(e)
    FROM unnest(ARRAY['connect', 'connect_error', 'disconnect', 'disconnecting',
    'newListener', 'removeListener', 'Connect', 'connected']) AS e;
SELECT pg_temp.refusal('x', args => a) FROM unnest(ARRAY['{', '', 'x', '[1,]', '{"a":1} 2']) AS a;
-- The limit counts what is stored: ["x","..."] is 8 bytes and the string.
RESET ROLE;
SET vantage6_events.max_payload = 1000;
SET ROLE regress_hq;
SET vantage6_events.max_payload = 2000;
SELECT pg_temp.refusal('x', to_json(repeat('p', 992))::text);
SELECT pg_temp.refusal('x', to_json(repeat('p', 993))::text);
SELECT pg_temp.refusal('x', '[' || repeat(' ', 2000) || ']');
-- Durable is for nodes only, and a ttl for what is durable.
SELECT pg_temp.refusal('x', durable => true);
SELECT pg_temp.refusal('x', rooms => ARRAY[r], durable => true) FROM unnest(ARRAY[
    'node_1', 'collaboration_1/nodes', 'node_', 'node_x', '/nodes', 'collaboration_1']) AS r;
SELECT pg_temp.refusal('x', ttl => '1 hour');
-- No role but those granted may emit.
SET ROLE regress_pushd;
SELECT vantage6_events.emit('x', NULL, 'everyone');
\set ECHO none
\pset tuples_only off
\pset format aligned
\i test/hq/regress-down.psql
