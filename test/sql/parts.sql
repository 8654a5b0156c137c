-- What fails in beat() or upkeep() keeps nothing else from being done, is told and counted. What is
-- published does not fail them.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
\i test/hq/receive.psql
-- Old, so that each part has something to do. parts() has what was not done.
CREATE FUNCTION pg_temp.age() RETURNS void LANGUAGE sql AS $$
    UPDATE vantage6_events.instance SET (beat_at, log_bytes) =
        (now() - interval '19 s', NULL) WHERE name = 'regress';
    INSERT INTO vantage6_events.instance (name, version, opened_at, beat_at)
    VALUES ('dead', '1', now() - interval '1 day', now() - interval '1 day');
    UPDATE vantage6_events.lease SET transport = 'polling';
    UPDATE authenticatable SET last_seen = '2000-01-01' WHERE id = 1;
    INSERT INTO vantage6_events.deferred (principal_id, name, since)
    VALUES (1, 'node_info_update', now());
    INSERT INTO vantage6_events.log_line (run_id, line, at) VALUES (1, 'a line', '2000-01-01');
    INSERT INTO vantage6_events.instruction (id, node_id, namespace, name, created_at, expires_at,
        told_at) VALUES (1, 1, '/tasks', 'e', now(), now() + interval '1 h', '2000-01-01'),
        (2, 1, '/tasks', 'e', now(), '2000-01-01', now());
    INSERT INTO vantage6_events.done_once (deed, task_id, xid) VALUES ('killed', 1, '3');
    INSERT INTO vantage6_events.rights_change (scopes, changed_at) VALUES ('{all}', '2000-01-01');
    INSERT INTO vantage6_events.announced VALUES (99, 'node', 'n', 1, false, '{}', '2000-01-01');
    INSERT INTO vantage6_events.resumable (key, principal_id, subject, nsp, ended_at)
    VALUES ('k', 1, '1', '/tasks', '2000-01-01');
    INSERT INTO vantage6_events.received VALUES ('s', 1, '2000-01-01');
    INSERT INTO vantage6_events.sent VALUES (1, 0, 1, 1, '2000-01-01');
    INSERT INTO vantage6_events.failure VALUES ('f', 1, 1, '2000-01-01', 'e');
    INSERT INTO vantage6_events.event (slot, tli, emitted_at, namespace, rooms, name, payload)
    SELECT i, 1, '2000-01-01', '/tasks', '{everyone}', 'old', '["old"]'
    FROM generate_series(0, 2) AS i;
$$;
CREATE FUNCTION pg_temp.undone() RETURNS TABLE (undone text) LANGUAGE sql AS $$
    SELECT part FROM (VALUES
        ('sign of life', (SELECT beat_at < now() - interval '10 s' FROM vantage6_events.instance
                          WHERE name = 'regress')),
        ('note_upgraded', EXISTS (SELECT FROM vantage6_events.lease WHERE transport = 'polling')),
        ('end_dead', EXISTS (SELECT FROM vantage6_events.instance WHERE name = 'dead')),
        ('keep_seen', (SELECT last_seen < '2001-01-01' FROM authenticatable WHERE id = 1)),
        ('retry_deferred', EXISTS (SELECT FROM vantage6_events.deferred)),
        ('fold_logs', EXISTS (SELECT FROM vantage6_events.log_line)),
        ('repeat_instructions', EXISTS (SELECT FROM vantage6_events.instruction
                                        WHERE told_at < '2001-01-01')),
        ('tidy_tasks', EXISTS (SELECT FROM vantage6_events.done_once WHERE xid = '3')),
        ('tidy_instructions', EXISTS (SELECT FROM vantage6_events.instruction WHERE id = 2)),
        ('tidy_rights', EXISTS (SELECT FROM vantage6_events.rights_change
                                WHERE changed_at < '2001-01-01')),
        ('tidy_announced', EXISTS (SELECT FROM vantage6_events.announced WHERE NOT online)),
        ('tidy_resumable', EXISTS (SELECT FROM vantage6_events.resumable WHERE key = 'k')),
        ('tidy_received', EXISTS (SELECT FROM vantage6_events.received WHERE stream = 's')),
        ('measure_log', (SELECT log_bytes IS NULL FROM vantage6_events.instance
                         WHERE name = 'regress')),
        ('tidy_sent', EXISTS (SELECT FROM vantage6_events.sent)),
        ('tidy_failures', EXISTS (SELECT FROM vantage6_events.failure WHERE part = 'f')),
        ('empty_slot', (SELECT count(*) = 3 FROM vantage6_events.event WHERE name = 'old'))
    ) AS v (part, undone) WHERE undone
$$;
CREATE FUNCTION pg_temp.beat() RETURNS boolean LANGUAGE sql AS $$
    SELECT vantage6_events.beat(incarnation, '{s1}') FROM vantage6_events.instance
    WHERE name = 'regress'
$$;
SELECT pg_temp.arrive('{1}') \g /dev/null
SELECT vantage6_events.presence(10) \g /dev/null
\set ECHO all
-- All tables that are logged can be published: FOR ALL TABLES.
SELECT c.oid::regclass FROM pg_class c
WHERE c.relnamespace = 'vantage6_events'::regnamespace AND c.relkind = 'r'
    AND c.relpersistence = 'p' AND c.relreplident <> 'f'
    AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary);
SET client_min_messages = error;
CREATE PUBLICATION regress_everything FOR ALL TABLES;
RESET client_min_messages;
BEGIN;
SELECT pg_temp.age();
SELECT * FROM pg_temp.undone();
SELECT pg_temp.beat();
SELECT * FROM pg_temp.undone();
SELECT part, failures, error FROM vantage6_events.failure;
ROLLBACK;
DROP PUBLICATION regress_everything;
-- Each part, failing alone.
\set VERBOSITY terse
SET client_min_messages = error;
CREATE FUNCTION pg_temp.broken(part text) RETURNS TABLE (beats boolean, others text, counted text)
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_temp.age();
    EXECUTE format('ALTER FUNCTION vantage6_events.%I RENAME TO broken', part);
    beats := pg_temp.beat() AND pg_temp.beat();
    others := (SELECT string_agg(u, ' ') FROM pg_temp.undone() u WHERE u <> part);
    counted := (SELECT string_agg(concat_ws(' ', f.part, f.failures, left(f.error, 5)), ', ')
                FROM vantage6_events.failure f WHERE f.part <> 'f');
    RAISE EXCEPTION USING ERRCODE = 'P0099';
EXCEPTION WHEN SQLSTATE 'P0099' THEN
    RETURN NEXT;
END $$;
SELECT p, b.* FROM unnest(ARRAY['note_upgraded', 'end_dead', 'keep_seen', 'retry_deferred',
    'fold_logs', 'repeat_instructions', 'tidy_tasks', 'tidy_instructions', 'tidy_rights',
    'tidy_announced', 'tidy_resumable', 'tidy_received', 'tidy_sent', 'tidy_failures',
    'measure_log', 'empty_slot']) AS p,
    pg_temp.broken(p) AS b;
RESET client_min_messages;
-- A trigger of HQ that runs when the transaction commits.
CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'not today' USING DETAIL = 'It is Sunday.'; END $$;
CREATE CONSTRAINT TRIGGER fail AFTER UPDATE OF last_seen ON authenticatable
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.fail();
BEGIN;
ALTER TABLE authenticatable DISABLE TRIGGER fail;
SELECT pg_temp.age();
ALTER TABLE authenticatable ENABLE TRIGGER fail;
COMMIT;
\set VERBOSITY default
SET ROLE regress_pushd;
SELECT vantage6_events.beat(1, '{s1}');
RESET ROLE;
\set VERBOSITY terse
SELECT * FROM pg_temp.undone();
SELECT failures FROM vantage6_events.status;
\set ECHO none
DROP FUNCTION public.fail() CASCADE;
\i test/hq/regress-down.psql
