-- What HQ's writes cause scans none of HQ's tables, and none of ours, with 200,000 runs.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
\set ECHO all
ALTER TABLE run DISABLE TRIGGER USER;
ALTER TABLE task DISABLE TRIGGER USER;
INSERT INTO task (id, collaboration_id, parent_id) SELECT i, 1, CASE WHEN i % 10 = 0 THEN i - 1 END
    FROM generate_series(1001, 21000) AS i;
INSERT INTO run (id, task_id, organization_id, status, log)
SELECT 100000 + i, 1001 + i / 10, 1 + i % 3, CASE WHEN i % 2 = 0 THEN 'completed'
    ELSE 'active' END, 'log' FROM generate_series(0, 199999) AS i;
INSERT INTO task_depends_on SELECT i, i - 2 FROM generate_series(1010, 20990, 10) AS i;
ALTER TABLE run ENABLE TRIGGER USER;
ALTER TABLE task ENABLE TRIGGER USER;
SELECT vantage6_events.attach('HQ''s tables');
SELECT count(*) FROM vantage6_events.open_run;
SELECT count(*) FROM vantage6_events.open('regress', '1.0.0');
-- Scans of large tables since the last look, in the same transaction.
CREATE TABLE pg_temp.before (relname name, seq_scan bigint);
CREATE FUNCTION pg_temp.scans() RETURNS TABLE (relname name, n bigint) LANGUAGE sql AS $$
    WITH now AS (
        SELECT s.relname, s.seq_scan FROM pg_stat_xact_user_tables AS s
        WHERE s.schemaname IN ('HQ''s tables', 'vantage6_events') AND s.relname IN
              ('run', 'task', 'task_depends_on', 'open_run', 'child_task', 'dependency')),
    gone AS (DELETE FROM pg_temp.before),
    kept AS (INSERT INTO pg_temp.before SELECT * FROM now)
    SELECT n.relname, n.seq_scan - coalesce(b.seq_scan, 0) FROM now AS n LEFT
        JOIN pg_temp.before AS b USING (relname)
    WHERE n.seq_scan > coalesce(b.seq_scan, 0) ORDER BY 1
$$;
-- Never analyzed, and then analyzed.
ALTER TABLE run SET (autovacuum_enabled = off);
BEGIN;
SELECT count(*) >= 0 AS begin FROM pg_temp.scans();
INSERT INTO run (id, task_id, organization_id, status) VALUES (500000, 1010, 1, 'pending');
UPDATE run SET status = 'active' WHERE id = 500000;
UPDATE run SET status = 'completed', finished_at = now() WHERE id BETWEEN 100070 AND 100079;
UPDATE run SET status = 'killed by user', finished_at = now() WHERE id = 100081;
UPDATE run SET status = 'active', finished_at = NULL WHERE id = 100081;
UPDATE run SET status = 'killed by user', finished_at = now() WHERE id = 100083;
INSERT INTO task (id, collaboration_id, parent_id) VALUES (500000, 1, 1010);
UPDATE task SET parent_id = 1011 WHERE id = 500000;
INSERT INTO task_depends_on VALUES (500000, 1012);
INSERT INTO dataframetobedeletedatnode (id, dataframe_name, session_id, node_id)
    VALUES (500000, 'x', 1, 1);
DELETE FROM run WHERE id = 500000;
SET CONSTRAINTS ALL IMMEDIATE;
SELECT vantage6_events.kill_task(1019);
SELECT * FROM pg_temp.scans();
SELECT count(*) FROM vantage6_events.event WHERE name IN ('new_task_update', 'kill_containers');
COMMIT;
ANALYZE;
BEGIN;
SELECT count(*) >= 0 AS begin FROM pg_temp.scans();
INSERT INTO run (id, task_id, organization_id, status) VALUES (500000, 1020, 1, 'pending');
UPDATE run SET status = 'active' WHERE id = 500000;
UPDATE run SET status = 'completed', finished_at = now() WHERE id BETWEEN 100170 AND 100179;
UPDATE run SET status = 'killed by user', finished_at = now() WHERE id = 100281;
UPDATE run SET status = 'active', finished_at = NULL WHERE id = 100281;
UPDATE run SET status = 'killed by user', finished_at = now() WHERE id = 100283;
DELETE FROM run WHERE id = 500000;
SET CONSTRAINTS ALL IMMEDIATE;
SELECT vantage6_events.kill_task(1029);
SELECT * FROM pg_temp.scans();
-- So it would show.
SELECT count(*) > 200000 AS many FROM run;
SELECT * FROM pg_temp.scans();
COMMIT;
\set ECHO none
\i test/hq/regress-down.psql
