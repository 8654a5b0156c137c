-- Many runs that HQ kills by its own UPDATE: one list for each node, transaction and 1000 runs.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
CREATE TABLE pg_temp.seen AS SELECT 0::bigint AS id;
CREATE FUNCTION pg_temp.lists() RETURNS TABLE (rooms text, runs integer, first text)
    LANGUAGE sql AS $$
    WITH new AS (SELECT e.* FROM vantage6_events.event e, pg_temp.seen s WHERE e.id > s.id),
    mark AS (UPDATE pg_temp.seen SET id = (SELECT max(e.id) FROM vantage6_events.event e))
    SELECT array_to_string(n.rooms, ' '), json_array_length(l), l -> 0 ->> 'run_id'
    FROM new n, json_extract_path(n.payload::json, '1', 'kill_list') AS l
    WHERE n.name = 'kill_containers' ORDER BY n.id
$$;
\set ECHO all
INSERT INTO task (id, collaboration_id, parent_id) VALUES (51, 1, NULL), (52, 1, NULL), (53, 1, 51);
INSERT INTO run (id, task_id, organization_id, status)
SELECT 10000 + i, 51 + i % 2, CASE WHEN i <= 2500 THEN 1 ELSE 2 END, 'active'
FROM generate_series(1, 2800) AS i;
INSERT INTO run (id, task_id, organization_id, status) VALUES (20000, 53, 1, 'active');
SELECT count(*) FROM pg_temp.lists();
-- By one statement; run 20000 is of a task below.
UPDATE run SET status = 'killed by user' WHERE id BETWEEN 10001 AND 12800;
SELECT * FROM pg_temp.lists();
SELECT count(*) FROM vantage6_events.pending_instructions WHERE name = 'kill_containers';
-- Run by run, as HQ's session writes them: told when it commits, and what was rolled back is not.
INSERT INTO run (id, task_id, organization_id, status)
SELECT 30000 + i, 52, 1 + i % 2, 'active' FROM generate_series(1, 7) AS i;
BEGIN;
UPDATE run SET status = 'killed by user' WHERE id = 30001;
UPDATE run SET status = 'killed by user' WHERE id = 30002;
SAVEPOINT s;
UPDATE run SET status = 'killed by user' WHERE id = 30003;
ROLLBACK TO s;
UPDATE run SET status = 'killed by user' WHERE id = 30004;
UPDATE run SET status = 'killed by user' WHERE id = 30005;
SELECT count(*) FROM pg_temp.lists();
-- Set back before the commit: never told.
UPDATE run SET status = 'active' WHERE id = 30005;
COMMIT;
SELECT * FROM pg_temp.lists();
BEGIN;
UPDATE run SET status = 'killed by user' WHERE id = 30006;
ROLLBACK;
SELECT count(*) FROM pg_temp.lists();
-- HQ asks for its deferred triggers early: what comes afterwards makes a list of its own.
BEGIN;
UPDATE run SET status = 'killed by user' WHERE id IN (30003, 30005);
SET CONSTRAINTS ALL IMMEDIATE;
UPDATE run SET status = 'killed by user' WHERE id = 30006;
SET CONSTRAINTS ALL DEFERRED;
UPDATE run SET status = 'killed by user' WHERE id = 30007;
COMMIT;
SELECT * FROM pg_temp.lists();
SELECT count(*) FROM vantage6_events.run_to_kill;
\set ECHO none
\i test/hq/regress-down.psql
