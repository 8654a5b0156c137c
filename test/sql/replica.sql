-- Rows that are written under session_replication_role = replica: nothing is announced, and what is
-- noted of HQ's rows is behind. attach() makes that good.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
CREATE TABLE pg_temp.seen AS SELECT coalesce(max(id), 0) AS id FROM vantage6_events.event;
CREATE FUNCTION pg_temp.news() RETURNS TABLE (name text, rooms text) LANGUAGE sql AS $$
    WITH new AS (SELECT e.* FROM vantage6_events.event e, pg_temp.seen s WHERE e.id > s.id),
    mark AS (UPDATE pg_temp.seen SET id = (SELECT max(e.id) FROM vantage6_events.event e)
             WHERE EXISTS (SELECT FROM new))
    SELECT n.name, array_to_string(n.rooms, ' ') FROM new n ORDER BY n.id
$$;
\set ECHO all
SET session_replication_role = replica;
INSERT INTO authenticatable (id, type, keycloak_id) VALUES (900, 'node', 'k900');
INSERT INTO node (id, name, organization_id, collaboration_id) VALUES (900, 'n900', 3, 2);
INSERT INTO task (id, collaboration_id) VALUES (900, 2), (901, 2);
INSERT INTO task_depends_on (task_id, depends_on_id) VALUES (901, 900);
INSERT INTO run (id, task_id, organization_id, status)
    VALUES (900, 900, 3, 'pending'), (901, 901, 3, 'pending');
SET session_replication_role = origin;
SELECT * FROM pg_temp.news();
SELECT count(*) FROM vantage6_events.node_at WHERE node_id = 900;
SELECT count(*) FROM vantage6_events.open_run WHERE run_id IN (900, 901);
SELECT vantage6_events.attach('HQ''s tables');
SELECT count(*) FROM vantage6_events.node_at WHERE node_id = 900;
SELECT count(*) FROM vantage6_events.open_run WHERE run_id IN (900, 901);
-- From then on all is told, also of those rows.
UPDATE run SET status = 'completed', finished_at = now() WHERE id = 900;
SELECT * FROM pg_temp.news();
UPDATE run SET status = 'killed by user' WHERE id = 901;
SELECT * FROM pg_temp.news();
\set ECHO none
\i test/hq/regress-down.psql
