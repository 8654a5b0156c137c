-- Instructions: kept for each node that is addressed, sent until acknowledged, and never after.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
CREATE TABLE pg_temp.seen AS SELECT 0::bigint AS id;
CREATE FUNCTION pg_temp.again(node integer,
    namespace text DEFAULT '/tasks') RETURNS TABLE (ack bigint, payload text) LANGUAGE sql AS $$
    SELECT x.ack - (SELECT min(e.id) FROM vantage6_events.event e), x.payload
    FROM vantage6_events.connect((SELECT incarnation FROM vantage6_events.instance),
        json_build_array(json_build_object(
        'sid', 's' || node, 'nsp', namespace, 'subject',
            '00000000-0000-4000-8000-00000000000' || node))) AS c,
        json_to_recordset(c.greeting) AS x (ack bigint, payload text)
$$;
CREATE FUNCTION pg_temp.greeting(node integer,
    namespace text DEFAULT '/tasks') RETURNS TABLE (ack bigint, payload text) LANGUAGE sql AS $$
    DELETE FROM vantage6_events.lease WHERE sid = 's' || node;
    SELECT * FROM pg_temp.again(node, namespace)
$$;
-- "<n-th event> <principal> <acked>"
CREATE FUNCTION pg_temp.acks(VARIADIC said text[]) RETURNS json LANGUAGE sql AS $$
    SELECT vantage6_events.ack((SELECT incarnation FROM vantage6_events.instance), (
        SELECT json_agg(json_build_object('id', w[1]::bigint + (SELECT min(e.id)
            FROM vantage6_events.event e), 'principal', w[2]::integer,
                                          'sid', 's' || w[2], 'acked', w[3]::boolean))
        FROM unnest(said) AS s, string_to_array(s, ' ') AS w))
$$;
CREATE FUNCTION pg_temp.rows() RETURNS TABLE (n bigint, node_id integer, name text, namespace text,
    args text, ttl interval, sends integer,
    sent_to text, sent boolean, acked boolean) LANGUAGE sql AS $$
    SELECT i.id - (SELECT min(e.id) FROM vantage6_events.event e), i.node_id, i.name, i.namespace,
        i.args::text, i.expires_at - i.created_at, i.sends,
           i.sent_to, i.sent_at IS NOT NULL, i.acked_at IS NOT NULL
    FROM vantage6_events.instruction i ORDER BY i.id, i.node_id
$$;
CREATE FUNCTION pg_temp.beat() RETURNS boolean LANGUAGE sql AS $$
    SELECT vantage6_events.beat((SELECT incarnation FROM vantage6_events.instance)) $$;
-- by the log, since :seen
CREATE FUNCTION pg_temp.told() RETURNS TABLE (rooms text, nsp text, payload text, ack bigint)
    LANGUAGE sql AS $$
    SELECT rooms, nsp, payload, e.ack - (SELECT min(v.id) FROM vantage6_events.event v)
    FROM vantage6_events.events_since('3:3:', (SELECT seen.id FROM pg_temp.seen), NULL, NULL, 0,
        10000, 100000000) AS e WHERE e.ack IS NOT NULL AND e.id > (SELECT seen.id FROM pg_temp.seen)
$$;
SELECT count(*) FROM vantage6_events.open('regress', '1.0.0') \g /dev/null
DELETE FROM dataframetobedeletedatnode;
TRUNCATE vantage6_events.event;
SELECT vantage6_events.emit('before', NULL, 'everyone') \g /dev/null
\set ECHO all
-- One row for each node that is in a room now, connected or not; the id is the event's.
SET ROLE regress_hq;
SELECT vantage6_events.emit('first', '{"a": 1.50}', 'node_1', durable => true) = max(i.id) + 1 AS id
    FROM vantage6_events.recent_events AS i;
SELECT vantage6_events.emit('all', '[1, "x"]', ARRAY['node_1', 'collaboration_1/nodes',
    'collaboration_2_organization_2/nodes'], durable => true, ttl => '1 h') > 0 AS id;
SELECT vantage6_events.emit('none', NULL, 'node_2', '/other', true) > 0 AS id;
SELECT vantage6_events.emit('nobody', NULL, ARRAY['node_99', 'node_1', 'node_11',
    'collaboration_99/nodes', 'other/nodes'], durable => true) > 0 AS id;
SELECT vantage6_events.emit('x', NULL, 'everyone', durable => true);
SELECT vantage6_events.emit('x', NULL, 'node_1', ttl => '1 h');
SELECT vantage6_events.emit('x', NULL, 'node_1', durable => true, ttl => '0');
SELECT vantage6_events.emit('x', NULL, 'node_1', durable => true, ttl => '-1 s');
BEGIN;
SELECT vantage6_events.emit('x', NULL, 'node_1', durable => true) > 0 AS id;
ROLLBACK;
RESET ROLE;
SELECT * FROM pg_temp.rows();
SELECT * FROM pg_temp.told();
-- In order, then sync; only in its namespace.
SELECT * FROM pg_temp.greeting(1);
SELECT * FROM pg_temp.greeting(2);
SELECT * FROM pg_temp.greeting(2, '/other');
-- What was sent, and to whom; of another principal nothing counts, nor what nobody knows.
SELECT pg_temp.acks('1 1 f', '2 1 f', '2 1 f', '1 2 t', '77 1 t', '2 11 t', '-5 1 t');
SELECT id IS NOT NULL AS id, node_id, name, args, expires_at - created_at AS ttl,
    sent_at IS NOT NULL AS sent, sends, sent_to
FROM vantage6_events.pending_instructions ORDER BY 2, vantage6_events.pending_instructions.id;
-- Acknowledged, never again: neither at a connection nor later. Twice is once.
SELECT pg_temp.acks('1 1 t', '1 1 t'), pg_temp.acks('1 1 t'), pg_temp.acks('1 1 f');
SELECT * FROM pg_temp.rows() WHERE node_id = 1;
SELECT * FROM pg_temp.greeting(1);
-- Repeated to who is connected, not before instruction_repeat is over.
UPDATE pg_temp.seen SET id = (SELECT max(id) FROM vantage6_events.event);
SELECT pg_temp.beat();
SELECT * FROM pg_temp.told();
UPDATE vantage6_events.instruction SET told_at = told_at - interval '9 min 50 s';
SELECT pg_temp.beat();
SELECT * FROM pg_temp.told();
SET vantage6_events.instruction_repeat = '9 min';
SELECT pg_temp.beat();
SELECT * FROM pg_temp.told();
UPDATE pg_temp.seen SET id = (SELECT max(id) FROM vantage6_events.event);
SELECT pg_temp.beat();
SELECT * FROM pg_temp.told();
RESET vantage6_events.instruction_repeat;
-- A connection that is registered again is not greeted, so it is told by the log.
SELECT count(*) FROM pg_temp.again(1);
SELECT pg_temp.beat();
SELECT * FROM pg_temp.told();
UPDATE pg_temp.seen SET id = (SELECT max(id) FROM vantage6_events.event);
SELECT pg_temp.beat();
SELECT * FROM pg_temp.told();
-- Expired, it is no more.
UPDATE vantage6_events.instruction SET expires_at = now() WHERE node_id = 2 AND name = 'all';
SELECT * FROM pg_temp.greeting(2);
SELECT node_id, name FROM vantage6_events.pending_instructions ORDER BY 1, 2;
-- A greeting has 1000 instructions, or a megabyte and the one that exceeds it; the others are due
-- at the next beat.
DELETE FROM vantage6_events.instruction;
SELECT count(vantage6_events.emit('many', to_json(i), 'node_1', durable => true))
    FROM generate_series(1, 1002) AS i;
SELECT count(*), max(payload) FROM pg_temp.greeting(1) WHERE ack IS NOT NULL;
UPDATE pg_temp.seen SET id = (SELECT max(id) FROM vantage6_events.event);
SELECT pg_temp.beat();
SELECT payload FROM pg_temp.told();
DELETE FROM vantage6_events.instruction;
SELECT count(vantage6_events.emit('large', to_json(i || repeat('x', 400000)), 'node_1',
    durable => true)) FROM generate_series(1, 9) AS i;
SELECT left(payload, 12) AS payload FROM pg_temp.greeting(1);
UPDATE pg_temp.seen SET id = (SELECT max(id) FROM vantage6_events.event);
SELECT pg_temp.beat();
SELECT left(payload, 12) AS payload FROM pg_temp.told();
SELECT pg_temp.beat();
SELECT left(payload, 12) AS payload FROM pg_temp.told();
-- Whoever was acknowledged is forgotten a day later.
UPDATE vantage6_events.instruction SET acked_at = now() - interval '1 day 1 s'
    WHERE args::text ~ '^"[1-8]';
SELECT pg_temp.beat();
SELECT count(*) FROM vantage6_events.instruction;
-- For pushd alone, of an incarnation that lives.
SELECT vantage6_events.ack(0, '[]');
SET ROLE regress_hq;
SELECT vantage6_events.ack(1, '[]');
SET ROLE regress_pushd;
SELECT vantage6_events.ack((SELECT max(incarnation) FROM vantage6_events.open('other', '1.0.0')),
    '[]') IS NULL AS nothing;
SELECT vantage6_events.instruct_rooms(1, '{node_1}', '/tasks', 'x', NULL, NULL);
RESET ROLE;
-- Connections of a node that come together have one greeting, which is returned once: for each
-- namespace, and not for an earlier vantage6-pushd.
DELETE FROM vantage6_events.instruction;
SELECT count(vantage6_events.emit('shared', to_json(i), 'node_1', durable => true))
    FROM generate_series(1, 2) AS i;
CREATE FUNCTION pg_temp.together(version text) RETURNS TABLE (sid text, greeting text)
    LANGUAGE plpgsql AS $$
DECLARE
    one bigint := (SELECT o.incarnation FROM vantage6_events.open('regress', version) AS o);
BEGIN
    RETURN QUERY SELECT c.sid, CASE json_typeof(c.greeting)
                                   WHEN 'array' THEN json_array_length(c.greeting) || ' events'
                                   ELSE c.greeting #>> '{}' END
    FROM vantage6_events.connect(one, (
        SELECT json_agg(json_build_object('sid', s, 'nsp', n, 'subject',
                            '00000000-0000-4000-8000-00000000000' || i))
        FROM (VALUES ('d', '/tasks', 1), ('a', '/tasks', 1), ('c', '/tasks', 2),
                     ('b', '/tasks', 1), ('e', '/other', 1), ('f', '/other', 1)) AS v (s, n, i))
        ) AS c;
END $$;
SELECT * FROM pg_temp.together('1.1.0');
SELECT * FROM pg_temp.together('1.0.0');
-- What was sent to many connections is said at once.
SELECT vantage6_events.ack((SELECT incarnation FROM vantage6_events.instance
                            WHERE name = 'regress'), (
    SELECT json_agg(json_build_object('id', i.id, 'principal', 1, 'sid', 'd', 'acked', false,
                                      'times', 3)) FROM vantage6_events.instruction AS i));
SELECT sends, sent_to FROM vantage6_events.pending_instructions;
\set ECHO none
\i test/hq/regress-down.psql
