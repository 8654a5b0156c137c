-- What changes of HQ's tables announce, and to whom.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
CREATE ROLE regress_app; -- HQ need not work as the owner of its tables
GRANT USAGE ON SCHEMA "HQ's tables" TO regress_app;
GRANT ALL ON ALL TABLES IN SCHEMA "HQ's tables" TO regress_app;
GRANT ALL ON ALL SEQUENCES IN SCHEMA "HQ's tables" TO regress_app;
CREATE TABLE pg_temp.seen AS SELECT 0::bigint AS id;
CREATE FUNCTION pg_temp.news() RETURNS TABLE (rooms text, payload text)
    LANGUAGE sql SECURITY DEFINER AS $$
    WITH new AS (SELECT e.* FROM vantage6_events.event e, pg_temp.seen s WHERE e.id > s.id),
    mark AS (UPDATE pg_temp.seen SET id = (SELECT max(e.id) FROM vantage6_events.event e))
    SELECT array_to_string(n.rooms, ' '), n.payload FROM new n ORDER BY n.id
$$;
SET ROLE regress_app;
\set ECHO all
-- Three runs of one task in three commits: each organization's nodes hear it once, users thrice.
INSERT INTO task (id, collaboration_id, job_id, parent_id) VALUES (10, 1, 7, 1);
INSERT INTO run (id, task_id, organization_id, status) VALUES (21, 10, 1, 'pending');
INSERT INTO run (id, task_id, organization_id, status) VALUES (22, 10, 2, 'pending');
INSERT INTO run (id, task_id, organization_id, status) VALUES (23, 10, 3, 'pending');
SELECT * FROM pg_temp.news();
-- Several runs of one organization in one transaction: its nodes hear the task once.
BEGIN;
INSERT INTO run (id, task_id, organization_id, status) VALUES (24, 10, 1, 'pending'),
    (25, 10, 1, 'pending');
SAVEPOINT a;
INSERT INTO run (id, task_id, organization_id, status) VALUES (26, 10, 2, 'pending');
ROLLBACK TO a;
INSERT INTO run (id, task_id, organization_id, status) VALUES (26, 10, 2, 'pending');
COMMIT;
SELECT * FROM pg_temp.news();
-- In the next transaction it is another announcement.
INSERT INTO run (id, task_id, organization_id, status) VALUES (27, 10, 1, 'pending');
SELECT * FROM pg_temp.news();
-- Nobody's: no task, a task of no collaboration, no organization.
INSERT INTO task (id) VALUES (11);
INSERT INTO run (id, task_id, organization_id) VALUES (28, NULL, 1), (29, 11, 1), (30, 10, NULL);
UPDATE run SET status = 'failed' WHERE id IN (28, 29);
SELECT * FROM pg_temp.news();
-- A status, whoever writes it; nothing if it is the same, or something else changed.
RESET ROLE;
SELECT ctid AS place FROM vantage6_events.open_run WHERE run_id = 21 \gset
SET ROLE regress_app;
UPDATE run SET status = 'active' WHERE id = 21;
-- It is as open as before: nothing is written of that.
RESET ROLE;
SELECT ctid = :'place' AND xmax = '0' AS untouched FROM vantage6_events.open_run WHERE run_id = 21;
SET ROLE regress_app;
UPDATE run SET status = 'active', log = 'x' WHERE id = 21;
UPDATE run SET log = 'y', finished_at = now() WHERE id = 21;
SELECT * FROM pg_temp.news();
UPDATE run SET status = 'a "quoted" \ status' WHERE id = 22;
UPDATE run SET status = 'active' WHERE id = 30;
SELECT * FROM pg_temp.news();
-- HQ's own write never fails for the size of what it announces: long texts are cut.
RESET ROLE;
SET vantage6_events.max_payload = 64;
UPDATE run SET status = repeat('s', 100000) WHERE id = 21;
RESET vantage6_events.max_payload;
SELECT length(r.status) AS hq, length(e.payload::json -> 1 ->> 'status') AS told
FROM run AS r, vantage6_events.event AS e
WHERE r.id = 21 AND e.id = (SELECT max(id) FROM vantage6_events.event);
SELECT count(*) FROM pg_temp.news();
SET ROLE regress_app;
-- What is rolled back was not said.
BEGIN;
UPDATE run SET status = 'failed' WHERE id = 21;
ROLLBACK;
SELECT * FROM pg_temp.news();
-- The node of an organization in a collaboration, as nodes come, move and go.
RESET ROLE;
INSERT INTO authenticatable (id, type) VALUES (6, 'node'), (7, 'node');
INSERT INTO node (id, name, organization_id, collaboration_id)
    VALUES (6, 'n6', 3, 2), (7, 'n7', NULL, 2);
UPDATE node SET organization_id = 3 WHERE id = 7;
UPDATE node SET collaboration_id = NULL WHERE id = 5;
UPDATE node SET name = 'renamed' WHERE id = 4;
DELETE FROM node WHERE id = 6;
SELECT * FROM vantage6_events.node_at ORDER BY node_id;
UPDATE run SET status = 'z' WHERE id = 22;
SELECT * FROM pg_temp.news();
BEGIN;
SET LOCAL client_min_messages = warning;
TRUNCATE node CASCADE;
SELECT * FROM vantage6_events.node_at ORDER BY node_id;
ROLLBACK;
-- A change of a status calls one function, and the one that writes the log: HQ pays for each.
BEGIN;
SET LOCAL track_functions = 'all';
UPDATE run SET status = 'y' WHERE id = 22;
SELECT f.funcname, f.calls FROM pg_stat_xact_user_functions AS f
WHERE f.schemaname = 'vantage6_events' ORDER BY f.funcname COLLATE "C";
ROLLBACK;
-- beat() forgets which transactions announced what.
SELECT count(*) > 0 AS some FROM vantage6_events.done_once WHERE deed = 'announced';
SELECT vantage6_events.beat((SELECT incarnation FROM vantage6_events.open('regress', '1.0.0')));
SELECT count(*) FROM vantage6_events.done_once;
\set ECHO none
DROP OWNED BY regress_app;
DROP ROLE regress_app;
\i test/hq/regress-down.psql
-- Version 4 calls the event new_task, and has statuses of its own.
\set hq 4
\i test/hq/regress-up.psql
\set ECHO all
INSERT INTO run (id, task_id, organization_id, status) VALUES (21, 2, 1, 'pending');
UPDATE run SET status = 'completed' WHERE id = 21;
SELECT rooms, payload FROM vantage6_events.event ORDER BY id;
\set ECHO none
\i test/hq/regress-down.psql
