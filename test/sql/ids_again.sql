-- Ids that come again: what was noted of an earlier run, task or node is not of the new one.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
CREATE TEMP VIEW told AS SELECT i.node_id, i.args::json -> 'kill_list' AS list
    FROM vantage6_events.pending_instructions AS i WHERE i.name = 'kill_containers' ORDER BY i.id;
DELETE FROM task_depends_on;
DELETE FROM dataframetobedeletedatnode;
\set ECHO all
-- A kill outlives its run.
UPDATE run SET status = 'killed by user' WHERE id IN (1, 2);
DELETE FROM run WHERE id IN (1, 2);
SELECT * FROM told;
-- A new run has the id: it is on no list, and can be killed.
INSERT INTO run (id, task_id, organization_id, status) VALUES (1, 2, 3, 'pending');
SELECT * FROM told;
UPDATE run SET status = 'killed by user' WHERE id = 1;
SELECT * FROM told;
-- All in one transaction.
BEGIN;
UPDATE run SET status = 'killed by user' WHERE id = 3;
DELETE FROM run WHERE id = 3;
INSERT INTO run (id, task_id, organization_id, status) VALUES (3, 1, 3, 'pending');
COMMIT;
SELECT * FROM told;
-- TRUNCATE, with its numbers from the beginning.
SET client_min_messages = warning;
BEGIN;
TRUNCATE run RESTART IDENTITY CASCADE;
SELECT count(*) FROM told;
ROLLBACK;
SELECT count(*) FROM told;
INSERT INTO vantage6_events.relayed VALUES (1, 'pending', 'active');
TRUNCATE run RESTART IDENTITY CASCADE;
SELECT count(*) FROM told;
SELECT count(*) FROM vantage6_events.killed_run;
INSERT INTO run (task_id, organization_id, status) VALUES (1, 1, 'pending') RETURNING id;
SELECT count(*) FROM vantage6_events.relayed;
UPDATE run SET status = 'killed by user' WHERE id = 1;
SELECT * FROM told;
SELECT vantage6_events.kill_task(1);
UPDATE run SET status = 'active' WHERE id = 1;
SELECT vantage6_events.kill_task(1);
SELECT * FROM told;
-- What a node said of an earlier run, and what that has logged.
DELETE FROM run WHERE id = 1;
INSERT INTO vantage6_events.relayed VALUES (1, 'pending', 'active');
INSERT INTO vantage6_events.log_line (run_id, line, at) VALUES (1, 'old', now());
INSERT INTO run (id, task_id, organization_id, status) VALUES (1, 1, 1, 'pending');
SELECT (SELECT count(*) FROM vantage6_events.relayed) AS relayed,
    (SELECT count(*) FROM vantage6_events.log_line) AS lines;
-- A task that waits has the id of one that was announced.
INSERT INTO vantage6_events.ready_task VALUES (2);
INSERT INTO run (id, task_id, organization_id, status) VALUES (12, 2, 1, 'pending');
INSERT INTO task_depends_on VALUES (2, 1);
SELECT max(id) AS before FROM vantage6_events.event \gset
UPDATE run SET finished_at = now() WHERE id = 1;
SELECT count(*) FROM vantage6_events.event WHERE id > :before AND name = 'new_task_update'
    AND (payload::json -> 1 ->> 'id')::integer = 2 AND 'collaboration_1_organization_1/users' = ANY
    (rooms) AND 'collaboration_1_organization_1/nodes' = ANY (rooms);
-- A new node is told nothing of an earlier one: a list without a run of its own would make it kill
-- everything.
SELECT vantage6_events.emit('order', NULL::json, 'node_1', durable => true) > 0 AS emitted;
SELECT node_id, name FROM vantage6_events.pending_instructions ORDER BY id;
BEGIN;
UPDATE node SET name = 'renamed' WHERE id = 1;
SELECT count(*) FROM vantage6_events.pending_instructions;
DELETE FROM nodeconfig;
DELETE FROM node WHERE id = 1;
SELECT count(*) FROM vantage6_events.pending_instructions;
INSERT INTO node (id, name, organization_id, collaboration_id) VALUES (1, 'new', 2, 1);
SELECT count(*) FROM vantage6_events.pending_instructions;
SELECT count(*) FROM vantage6_events.killed_run;
ROLLBACK;
BEGIN;
TRUNCATE node CASCADE;
SELECT count(*) FROM vantage6_events.pending_instructions;
ROLLBACK;
\set ECHO none
DROP VIEW told;
\i test/hq/regress-down.psql
