-- Kills: each node hears of its own runs, once, and of nothing else.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
CREATE TABLE pg_temp.seen AS SELECT 0::bigint AS id;
CREATE FUNCTION pg_temp.kills() RETURNS TABLE (rooms text, durable boolean, payload text)
    LANGUAGE sql AS $$
    WITH new AS (SELECT e.* FROM vantage6_events.event e, pg_temp.seen s WHERE e.id > s.id),
    mark AS (UPDATE pg_temp.seen SET id = (SELECT max(e.id) FROM vantage6_events.event e))
    SELECT array_to_string(n.rooms, ' '), n.durable, n.payload FROM new n
        WHERE n.name = 'kill_containers' ORDER BY n.id
$$;
CREATE FUNCTION pg_temp.hq_kills(r integer) RETURNS void LANGUAGE sql AS $$
    UPDATE run SET status = 'killed by user', finished_at = now() AT TIME ZONE 'UTC' WHERE id = r
$$;
CREATE FUNCTION pg_temp.greetings() RETURNS TABLE (node integer, greeting json) LANGUAGE sql AS $$
    SELECT principal_id, greeting
        FROM vantage6_events.connect((SELECT incarnation FROM vantage6_events.instance),
        (SELECT json_agg(json_build_object('sid', a.id, 'nsp', '/tasks', 'subject', a.keycloak_id))
            FROM authenticatable a WHERE type = 'node'))
    ORDER BY 1
$$;
SET timezone = 'Asia/Tokyo';
SELECT count(*) FROM vantage6_events.open('regress', '1.0.0') \g /dev/null
DELETE FROM dataframetobedeletedatnode;
-- Children and grandchildren of task 1: runs 4 (organization 3), 51 (1), 52 (2); one has ended, one
-- is of nobody.
INSERT INTO task (id, collaboration_id, job_id, parent_id) VALUES (31, 1, 1, 2), (32, 1, 1, 31);
INSERT INTO run (id, task_id, organization_id, status) VALUES (51, 31, 1, 'active'),
    (52, 32, 2, 'initializing'),
    (53, 32, 3, 'completed'), (54, 32, NULL, 'active');
\set ECHO all
-- As HQ does it: the task's runs and those of its children, one commit each.
SELECT pg_temp.hq_kills(1);
SELECT * FROM pg_temp.kills();
SELECT pg_temp.hq_kills(2);
SELECT pg_temp.hq_kills(3);
SELECT pg_temp.hq_kills(4);
SELECT * FROM pg_temp.kills();
-- What the node itself writes next is no other kill.
UPDATE run SET log = 'ended' WHERE id = 1;
UPDATE run SET status = 'killed by user' WHERE id = 1;
SELECT * FROM pg_temp.kills();
-- Kept for each node, online or not, until the node has done it; sync is last.
SELECT id, node_id, name, args, expires_at - created_at AS ttl
    FROM vantage6_events.pending_instructions ORDER BY 1;
SELECT * FROM pg_temp.greetings();
-- Run and task deleted afterwards: the instruction stays.
DELETE FROM run WHERE task_id IN (1, 2, 31, 32);
DELETE FROM task_depends_on;
DELETE FROM task WHERE id IN (1, 2, 31, 32) AND id <> 1;
SELECT count(*) FROM vantage6_events.pending_instructions;
-- A node that says that its runs are over is told no more; another one cannot say so for it.
SELECT vantage6_events.kill_reported(2, '{1, 51}'), vantage6_events.kill_reported(1, '{1}');
SELECT count(*) FROM vantage6_events.pending_instructions WHERE node_id = 1;
SELECT vantage6_events.kill_reported(1, '{51}'), vantage6_events.kill_reported(1, '{1, 51, NULL}');
SELECT * FROM pg_temp.greetings() WHERE node < 3;
-- Expired
UPDATE vantage6_events.instruction SET expires_at = now() - interval '1 s' WHERE node_id = 2;
SELECT node_id FROM vantage6_events.pending_instructions ORDER BY 1;
SELECT * FROM pg_temp.greetings() WHERE node < 3;
SELECT vantage6_events.beat((SELECT incarnation FROM vantage6_events.instance));
UPDATE vantage6_events.instruction SET acked_at = acked_at - interval '2 days';
SELECT vantage6_events.beat((SELECT incarnation FROM vantage6_events.instance));
SELECT i.id, i.node_id, k.run_id FROM vantage6_events.instruction AS i FULL
    JOIN vantage6_events.killed_run AS k ON k.instruction_id = i.id;
-- kill_task: one list for each node, the task and all below it marked; UTC whatever the time zone.
INSERT INTO task (id, collaboration_id, parent_id) VALUES (41, 1, NULL), (42, 1, 41), (43, 1, 42);
INSERT INTO run (id, task_id, organization_id, status) VALUES (61, 41, 1, 'active'),
    (62, 41, 1, 'pending'), (63, 41, 2, 'active'),
    (64, 42, 2, 'active'), (65, 43, 1, 'active'), (66, 43, 1, 'completed'), (67, 43, 3, NULL);
SELECT * FROM pg_temp.kills();
SET ROLE regress_hq;
SELECT vantage6_events.kill_task(41);
RESET ROLE;
SELECT * FROM pg_temp.kills();
SELECT id, status, abs(extract(epoch
    FROM finished_at - (clock_timestamp() AT TIME ZONE 'UTC'))) < 60 AS now
FROM run WHERE task_id BETWEEN 41 AND 43 ORDER BY 1;
SELECT name, count(*) FROM vantage6_events.event WHERE name ~ 'status'
    AND (payload::json -> 1 ->> 'run_id')::int BETWEEN 61 AND 67 GROUP BY 1;
-- Again: nothing is left. A task that does not exist, one without runs.
SELECT vantage6_events.kill_task(41);
SELECT vantage6_events.kill_task(999999);
INSERT INTO task (id, collaboration_id) VALUES (44, 1);
SELECT vantage6_events.kill_task(44), vantage6_events.kill_task(5);
SELECT * FROM pg_temp.kills();
-- Rolled back: nobody was told.
INSERT INTO run (id, task_id, organization_id, status) VALUES (68, 44, 1, 'active');
BEGIN;
SELECT vantage6_events.kill_task(44);
ROLLBACK;
SELECT * FROM pg_temp.kills();
SELECT vantage6_events.kill_task(44);
SELECT * FROM pg_temp.kills();
-- Started again by hand, it is spared by the lists that may still come; and may be killed again.
INSERT INTO run (id, task_id, organization_id, status) VALUES (69, 44, 1, 'active'),
    (70, 44, 1, 'active');
SELECT vantage6_events.kill_task(44);
UPDATE run SET status = 'pending', finished_at = NULL WHERE id = 69;
UPDATE run SET status = 'pending', finished_at = NULL WHERE id = 68;
SELECT args FROM vantage6_events.pending_instructions WHERE args ~ '"run_id" : (68|69|70)';
SELECT count(*) FROM pg_temp.kills();
SELECT pg_temp.hq_kills(68), pg_temp.hq_kills(69);
SELECT * FROM pg_temp.kills();
-- In one statement and in one transaction: still each run once.
INSERT INTO task (id, collaboration_id, parent_id) VALUES (45, 1, NULL), (46, 1, 45);
INSERT INTO run (id, task_id, organization_id, status) SELECT 100 + i, 45 + i % 2, 1, 'active'
    FROM generate_series(1, 6) AS i;
UPDATE run SET status = 'killed by user' WHERE task_id = 45;
SELECT * FROM pg_temp.kills();
UPDATE run SET status = 'killed by user' WHERE task_id = 46;
SELECT * FROM pg_temp.kills();
-- A list has at most 1000 runs.
INSERT INTO run (id, task_id, organization_id, status) SELECT 20000 + i, 46, 1, 'active'
    FROM generate_series(1, 2001) AS i;
SELECT vantage6_events.kill_task(46);
SELECT json_array_length(payload::json -> 1 -> 'kill_list') FROM pg_temp.kills();
-- A circle, and a chain of 100.
INSERT INTO task (id, collaboration_id, parent_id) SELECT 2000 + i, 1, CASE
    WHEN i > 1 THEN 1999 + i END FROM generate_series(1, 100) AS i;
UPDATE task SET parent_id = 2100 WHERE id = 2001;
INSERT INTO run (id, task_id, organization_id, status) SELECT 5000 + i, 2000 + i, 2, 'active'
    FROM generate_series(1, 100) AS i;
SELECT pg_temp.hq_kills(5050);
SELECT rooms, json_array_length(payload::json -> 1 -> 'kill_list') FROM pg_temp.kills();
SELECT vantage6_events.kill_task(2030);
SELECT count(*) FROM pg_temp.kills();
-- Another parent, none, a deleted task.
UPDATE task SET parent_id = NULL WHERE id = 2001;
UPDATE task SET parent_id = 2010 WHERE id = 2100;
DELETE FROM run WHERE task_id = 2099;
DELETE FROM task WHERE id = 2099;
SELECT string_agg(d::text, ' ' ORDER BY d) FROM vantage6_events.descendants(2097) AS d;
SELECT count(*) FROM vantage6_events.descendants(2001);
-- kill_node: its own runs, of its own collaboration; "everything else" only while it is online.
INSERT INTO run (id, task_id, organization_id, status) VALUES (80, 4, 2, 'active'),
    (81, 4, 1, 'active'), (82, 5, 2, 'active');
SELECT * FROM pg_temp.kills();
SELECT vantage6_events.disconnect((SELECT incarnation FROM vantage6_events.instance),
    '[{"sid": "5", "by_client": true}]');
SET ROLE regress_hq;
SELECT vantage6_events.kill_node(5);
RESET ROLE;
SELECT * FROM pg_temp.kills();
INSERT INTO run (id, task_id, organization_id, status) VALUES (83, 4, 2, 'active');
SELECT sid FROM vantage6_events.connect((SELECT incarnation FROM vantage6_events.instance),
    '[{"sid": "5", "nsp": "/tasks", "subject": "00000000-0000-4000-8000-000000000005"}]');
SELECT vantage6_events.kill_node(5);
SELECT * FROM pg_temp.kills();
SELECT vantage6_events.kill_node(5), vantage6_events.kill_node(999), vantage6_events.kill_node(11);
SELECT * FROM pg_temp.kills();
SELECT name, args FROM vantage6_events.pending_instructions WHERE node_id = 5 ORDER BY id;
-- Nobody's node: no such organization there, no task.
INSERT INTO run (id, task_id, organization_id, status) VALUES (84, 4, 3, 'active'),
    (85, NULL, 1, 'active');
SELECT pg_temp.hq_kills(84), pg_temp.hq_kills(85);
SELECT * FROM pg_temp.kills();
SELECT greeting IS NULL AS none
    FROM vantage6_events.connect((SELECT incarnation FROM vantage6_events.instance),
    '[{"sid": "u", "nsp": "/tasks", "subject": "00000000-0000-4000-8000-000000000011"}]');
-- Not for the daemon.
SET ROLE regress_pushd;
SELECT vantage6_events.kill_task(1);
RESET ROLE;
SELECT count(*) > 0 AS some FROM vantage6_events.done_once WHERE deed = 'killed';
SELECT vantage6_events.beat((SELECT incarnation FROM vantage6_events.instance));
SELECT count(*) FROM vantage6_events.done_once;
-- Another HQ has other ids: detach() forgets.
SELECT vantage6_events.detach();
SELECT count(*) FROM vantage6_events.instruction;
\set ECHO none
\i test/hq/regress-down.psql
-- Version 4: the same kills; neither dataframes nor dependencies.
\set hq 4
\i test/hq/regress-up.psql
\set ECHO all
SELECT DISTINCT tgname FROM pg_trigger JOIN pg_proc AS p ON p.oid = tgfoid
WHERE NOT tgisinternal AND (tgname ~ 'dataframe|dependency|joins' OR prosrc ~ 'dependency');
SELECT pg_temp.hq_kills(1);
SELECT rooms, payload FROM vantage6_events.event ORDER BY id;
SELECT vantage6_events.kill_task(1);
SELECT count(*) FROM vantage6_events.open('regress', '1.0.0');
SELECT sid, greeting FROM vantage6_events.connect((SELECT incarnation
    FROM vantage6_events.instance), '[
    {"sid": "a", "nsp": "/tasks", "subject": "3"},
        {"sid": "b", "nsp": "/other", "subject": "3"}]') ORDER BY 1;
\set ECHO none
\i test/hq/regress-down.psql
