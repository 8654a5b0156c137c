-- What is old goes: slots of the log whose newest event is older than the retention, and what is
-- over besides.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
-- A slot by its distance from the one that is written now, as the retention has it; an event in it
-- of some age.
CREATE FUNCTION pg_temp.slot(ahead integer) RETURNS integer LANGUAGE sql AS $$
    SELECT (floor(extract(epoch FROM clock_timestamp() - timestamptz '2000-01-01 00:00Z'))::bigint
            / extract(epoch FROM current_setting('vantage6_events.retention')::interval)::bigint +
                ahead)::integer % 3
$$;
CREATE FUNCTION pg_temp.write(ahead integer, age interval) RETURNS void LANGUAGE sql AS $$
    INSERT INTO vantage6_events.event (slot, tli, emitted_at, namespace, rooms, name, payload)
    VALUES (pg_temp.slot(ahead), 1, clock_timestamp() - age, '/tasks', '{everyone}', 'old',
        '["old"]')
$$;
CREATE VIEW pg_temp.held AS
    SELECT ahead, (SELECT count(*) FROM vantage6_events.event AS e
        WHERE e.slot = pg_temp.slot(ahead)) AS events
    FROM generate_series(0, 2) AS ahead;
-- The load makes its settings known.
SELECT vantage6_events.timeline() > 0 AS loaded;
\set ECHO all
SHOW vantage6_events.retention;
SHOW vantage6_events.upkeep_lock_timeout;
SELECT vantage6_events.upkeep() AS nothing_to_do;
-- The newest event decides, and nothing is taken from the slot that is written now.
SELECT pg_temp.write(ahead, age)
    FROM (VALUES (0, interval '30 days'), (0, '29 days'), (1, '30 days'), (1, '8 days'),
    (2, '30 days'), (2, '6 days')) AS v (ahead, age) \g /dev/null
SELECT vantage6_events.upkeep() = pg_temp.slot(1) AS the_old_one;
SELECT * FROM pg_temp.held;
SELECT vantage6_events.upkeep() AS nothing_to_do;
-- It waits for no standby, with everybody else behind its lock.
SELECT pg_temp.write(1, '8 days') \g /dev/null
BEGIN;
SHOW synchronous_commit;
SELECT vantage6_events.upkeep() IS NOT NULL AS one;
SHOW synchronous_commit;
COMMIT;
SELECT pg_temp.write(1, '8 days') \g /dev/null
BEGIN;
SELECT vantage6_events.emit('emitted', NULL, 'everyone') IS NOT NULL AS emitted;
SELECT vantage6_events.upkeep() IS NOT NULL AS one;
SHOW synchronous_commit;
COMMIT;
DELETE FROM vantage6_events.event WHERE name = 'emitted';
-- One slot a call.
SELECT pg_temp.write(1, '8 days') \g /dev/null
UPDATE vantage6_events.event SET emitted_at = emitted_at - interval '2 days';
SELECT vantage6_events.upkeep() IS NOT NULL AS one, vantage6_events.upkeep() IS NOT NULL AS another,
    vantage6_events.upkeep();
SELECT * FROM pg_temp.held;
SELECT count(*) AS empty_files FROM pg_class
WHERE oid::regclass::text ~ '^vantage6_events.event_[012]$' AND pg_relation_size(oid) = 0;
-- An emptied log is not one that was set back: reading begins where ids go on.
TRUNCATE vantage6_events.event;
SELECT vantage6_events.emit('x', NULL, 'everyone') AS id \gset
DELETE FROM vantage6_events.event;
SELECT hi = :id AS hi FROM vantage6_events.open('regress', '1.0.0');
-- Another retention: other slots than before are in turn, and their events stay while they are
-- younger than it.
TRUNCATE vantage6_events.event;
SELECT pg_temp.write(ahead, '50 minutes') FROM generate_series(0, 2) AS ahead \g /dev/null
SET vantage6_events.retention = '1h';
SELECT vantage6_events.upkeep() AS younger_than_both;
SELECT sum(events) FROM pg_temp.held;
UPDATE vantage6_events.event SET emitted_at = emitted_at - interval '11 minutes';
SET vantage6_events.retention = '2h';
SELECT vantage6_events.upkeep() AS longer_again;
SET vantage6_events.retention = '1h';
SELECT vantage6_events.upkeep() IS NOT NULL AS one, vantage6_events.upkeep() IS NOT NULL AS another,
    vantage6_events.upkeep();
SELECT sum(events) FROM pg_temp.held;
RESET vantage6_events.retention;
-- beat() does it, by a role that may not itself.
TRUNCATE vantage6_events.event;
SELECT pg_temp.write(1, '8 days') \g /dev/null
SET ROLE regress_pushd;
SELECT vantage6_events.upkeep();
SELECT vantage6_events.beat((SELECT incarnation FROM vantage6_events.open('regress', '1.0.0')));
RESET ROLE;
SELECT sum(events) FROM pg_temp.held;
-- What is over besides the log.
INSERT INTO vantage6_events.instruction (id, node_id, namespace, name, args, created_at, expires_at,
    told_at)
VALUES (1, 1, '/tasks', 'over', '{}', now() - interval '8 days', now() - interval '1 day', now()),
       (2, 1, '/tasks', 'not_over', '{}', now(), now() + interval '1 day', now());
INSERT INTO vantage6_events.received (stream, seq, taken_at)
    VALUES ('over', 1, now() - interval '8 days');
INSERT INTO vantage6_events.rights_change (scopes, changed_at)
    VALUES ('{all}', now() - interval '22 days');
INSERT INTO vantage6_events.announced (principal_id, kind, name, online, rooms, changed_at)
SELECT x.id, 'node', x.name, x.online, '{}', now() - x.age
FROM (VALUES (1, 'away', false, interval '2 days'), (2, 'just left', false, '23 hours'),
    (3, 'here', true, '2 days')) AS x (id, name, online, age);
SELECT vantage6_events.upkeep();
SELECT name FROM vantage6_events.announced ORDER BY 1;
SELECT name FROM vantage6_events.instruction;
SELECT (SELECT count(*) FROM vantage6_events.received WHERE stream = 'over') AS received,
    (SELECT count(*) FROM vantage6_events.rights_change WHERE 'all' = ANY (scopes)
        AND changed_at < now() - interval '1 day') AS changes;
-- Limits of the settings.
\set VERBOSITY sqlstate
SET vantage6_events.upkeep_lock_timeout = 0;
\set VERBOSITY default
SET vantage6_events.upkeep_interval = '1s';
\set ECHO none
DROP VIEW pg_temp.held;
\i test/hq/regress-down.psql
