-- A task that waits for others is announced once, when the last run that it waits for has finished.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
CREATE TABLE pg_temp.seen AS SELECT 0::bigint AS id;
CREATE FUNCTION pg_temp.ready() RETURNS TABLE (rooms text, payload text) LANGUAGE sql AS $$
    WITH new AS (SELECT e.* FROM vantage6_events.event e, pg_temp.seen s WHERE e.id > s.id),
    mark AS (UPDATE pg_temp.seen SET id = (SELECT max(e.id) FROM vantage6_events.event e))
    SELECT array_to_string(n.rooms, ' '), n.payload FROM new n WHERE n.name = 'new_task_update'
        ORDER BY n.id
$$;
CREATE FUNCTION pg_temp.finish(r integer, new_status text DEFAULT 'completed') RETURNS void
    LANGUAGE sql AS $$
    UPDATE run SET status = new_status, finished_at = now() WHERE id = r
$$;
\set ECHO all
-- attach() has read what there is.
SELECT * FROM vantage6_events.open_run ORDER BY 1;
SELECT * FROM vantage6_events.child_task ORDER BY 1;
SELECT * FROM vantage6_events.dependency ORDER BY 1;
-- Task 3 waits for task 1 with its three runs.
SELECT pg_temp.finish(1);
SELECT pg_temp.finish(2);
SELECT * FROM pg_temp.ready();
SELECT pg_temp.finish(3);
SELECT * FROM pg_temp.ready();
-- Once for ever.
UPDATE run SET finished_at = NULL WHERE id = 3;
SELECT pg_temp.finish(3);
SELECT * FROM pg_temp.ready();
-- Two tasks to wait for, of which one has no runs; three organizations; a status alone is not the
-- end.
INSERT INTO task (id, collaboration_id, job_id, parent_id)
    VALUES (11, 1, 7, NULL), (12, 1, 7, NULL), (13, 1, 7, 11), (14, 1, 7, NULL);
INSERT INTO run (id, task_id, organization_id, status) VALUES (31, 11, 1, 'pending'),
    (32, 12, 2, 'pending'),
    (33, 13, 1, 'pending'), (34, 13, 3, 'pending'), (35, 13, 3, 'pending');
INSERT INTO task_depends_on VALUES (13, 11), (13, 12), (13, 14);
SELECT count(*) FROM pg_temp.ready();
UPDATE run SET status = 'completed' WHERE id = 31;
SELECT pg_temp.finish(32);
SELECT * FROM pg_temp.ready();
-- In the same transaction, several last runs: once. Not before its commit, and not if it rolls
-- back.
BEGIN;
SELECT pg_temp.finish(31);
SELECT * FROM pg_temp.ready();
ROLLBACK;
SELECT * FROM pg_temp.ready();
BEGIN;
UPDATE run SET finished_at = NULL WHERE id = 32;
SELECT pg_temp.finish(31), pg_temp.finish(32);
SAVEPOINT a;
UPDATE run SET finished_at = NULL WHERE id = 32;
ROLLBACK TO a;
COMMIT;
SELECT * FROM pg_temp.ready();
-- One that has no unfinished run itself, one of no collaboration: nobody has anything to run.
INSERT INTO task (id, collaboration_id) VALUES (15, 1), (16, 1), (17, NULL);
INSERT INTO task_depends_on VALUES (16, 15), (17, 15);
INSERT INTO run (id, task_id, organization_id, status, finished_at)
    VALUES (36, 15, 1, 'active', NULL), (37, 16, 1, 'failed', now()), (38, 17, 1, 'pending', NULL);
SELECT count(*) FROM pg_temp.ready();
SELECT pg_temp.finish(36, 'failed');
SELECT * FROM pg_temp.ready();
-- What waits for what has finished: its runs announce it, nothing else does.
INSERT INTO task (id, collaboration_id) VALUES (18, 1);
INSERT INTO task_depends_on VALUES (18, 15);
SELECT * FROM pg_temp.ready();
INSERT INTO run (id, task_id, organization_id, status) VALUES (39, 18, 2, 'pending');
SELECT * FROM pg_temp.ready();
-- A dependency that was moved or taken back.
INSERT INTO task (id, collaboration_id) VALUES (19, 1), (20, 1), (21, 1);
INSERT INTO run (id, task_id, organization_id, status) VALUES (40, 19, 1, 'active'),
    (41, 20, 1, 'active'), (42, 21, 1, 'pending');
INSERT INTO task_depends_on VALUES (21, 19), (21, 20);
SELECT count(*) FROM pg_temp.ready();
UPDATE task_depends_on SET depends_on_id = 18 WHERE depends_on_id = 20 AND task_id = 21;
DELETE FROM task_depends_on WHERE task_id = 21 AND depends_on_id = 18;
SELECT * FROM vantage6_events.dependency WHERE task_id = 21;
SELECT pg_temp.finish(40);
SELECT * FROM pg_temp.ready();
-- More organizations than an event has rooms: everybody hears it once.
INSERT INTO organization (id, name) SELECT i, 'o' || i FROM generate_series(1001, 1110) AS i;
INSERT INTO task (id, collaboration_id) VALUES (22, 1), (23, 1);
INSERT INTO task_depends_on VALUES (23, 22);
INSERT INTO run (task_id, organization_id, status) SELECT 23, i, 'pending'
    FROM generate_series(1001, 1110) AS i;
INSERT INTO run (id, task_id, organization_id, status) VALUES (43, 22, 1, 'active');
SELECT count(*) FROM pg_temp.ready();
SELECT pg_temp.finish(43);
SELECT max(cardinality(rooms)), count(DISTINCT r), count(*),
    count(*) FILTER (WHERE r = 'collaboration_1/users') AS users
FROM vantage6_events.event, unnest(rooms) AS r
    WHERE payload = '["new_task_update",{"id":23,"parent_id":null}]'
  AND id > (SELECT id FROM pg_temp.seen);
-- Runs as they change: of another task, of another organization, no task, deleted.
UPDATE run SET task_id = 19, organization_id = 2 WHERE id = 39;
SELECT * FROM vantage6_events.open_run WHERE run_id = 39;
UPDATE run SET finished_at = now() WHERE id = 39;
SELECT * FROM vantage6_events.open_run WHERE run_id = 39;
UPDATE run SET finished_at = NULL, status = 'crashed' WHERE id = 39;
SELECT * FROM vantage6_events.open_run WHERE run_id = 39;
UPDATE run SET task_id = NULL WHERE id = 39;
DELETE FROM run WHERE id = 42;
SELECT * FROM vantage6_events.open_run WHERE run_id IN (39, 42);
-- After all that attach() finds what the triggers have noted.
CREATE VIEW pg_temp.noted AS
    SELECT 'open_run' AS what, o::text AS item FROM vantage6_events.open_run AS o
    UNION ALL SELECT 'child_task', c::text FROM vantage6_events.child_task AS c
    UNION ALL SELECT 'dependency', d::text FROM vantage6_events.dependency AS d
    UNION ALL SELECT 'unwanted_dataframe', (id, node_id, df_name, session_id)::text
        FROM vantage6_events.unwanted_dataframe;
CREATE TABLE pg_temp.before AS TABLE pg_temp.noted;
SELECT vantage6_events.attach('HQ''s tables');
SELECT * FROM pg_temp.before EXCEPT TABLE pg_temp.noted;
TABLE pg_temp.noted EXCEPT SELECT * FROM pg_temp.before;
SELECT what, count(*) > 1 AS some FROM pg_temp.noted GROUP BY 1 ORDER BY 1;
-- TRUNCATE
BEGIN;
SET LOCAL client_min_messages = warning;
TRUNCATE run, task_depends_on, dataframetobedeletedatnode CASCADE;
TABLE pg_temp.noted EXCEPT SELECT 'child_task', c::text FROM vantage6_events.child_task AS c;
SELECT count(*) FROM vantage6_events.ready_task;
TRUNCATE task CASCADE;
TABLE pg_temp.noted;
ROLLBACK;
\set ECHO none
DROP VIEW pg_temp.noted;
\i test/hq/regress-down.psql
