-- Dataframes that nodes are to delete: the row of HQ is the instruction, as long as it stands.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
CREATE TABLE pg_temp.seen AS SELECT 0::bigint AS id;
CREATE FUNCTION pg_temp.news() RETURNS TABLE (rooms text, payload text) LANGUAGE sql AS $$
    WITH new AS (SELECT e.* FROM vantage6_events.event e, pg_temp.seen s WHERE e.id > s.id),
    mark AS (UPDATE pg_temp.seen SET id = (SELECT max(e.id) FROM vantage6_events.event e))
    SELECT array_to_string(n.rooms, ' '), n.payload FROM new n WHERE n.name = 'delete_dataframe'
        ORDER BY n.id
$$;
CREATE FUNCTION pg_temp.connect(sid text, node integer) RETURNS json LANGUAGE sql AS $$
    SELECT greeting FROM vantage6_events.connect((SELECT incarnation FROM vantage6_events.instance),
        json_build_array(json_build_object('sid', sid, 'nsp', '/tasks', 'subject',
            '00000000-0000-4000-8000-00000000000' || node)))
$$;
CREATE FUNCTION pg_temp.beat() RETURNS boolean LANGUAGE sql AS $$
    SELECT vantage6_events.beat((SELECT incarnation FROM vantage6_events.instance)) $$;
SELECT count(*) FROM vantage6_events.open('regress', '1.0.0') \g /dev/null
\set ECHO all
-- One row for each node, each in a commit: each node hears its own.
INSERT INTO dataframetobedeletedatnode (id, dataframe_name, session_id, node_id)
    VALUES (11, 'df "one"', 1, 1);
INSERT INTO dataframetobedeletedatnode (id, dataframe_name, session_id, node_id)
    VALUES (12, 'df "one"', 1, 2);
SELECT * FROM pg_temp.news();
BEGIN;
INSERT INTO dataframetobedeletedatnode (id, dataframe_name, session_id, node_id)
    VALUES (13, 'df_two', 1, 2);
ROLLBACK;
SELECT * FROM pg_temp.news();
-- At each connection, to the node alone, before sync.
SELECT pg_temp.connect('a', 1), pg_temp.connect('b', 5);
SELECT id, node_id, name, args, expires_at FROM vantage6_events.pending_instructions
    ORDER BY node_id, args;
-- Every ten minutes while the row stands and the node is connected.
SELECT pg_temp.beat();
SELECT * FROM pg_temp.news();
UPDATE vantage6_events.unwanted_dataframe SET told_at = told_at - interval '9 minutes 50 seconds';
SELECT pg_temp.beat();
SELECT * FROM pg_temp.news();
UPDATE vantage6_events.unwanted_dataframe SET told_at = told_at - interval '10 seconds';
SELECT pg_temp.beat();
SELECT * FROM pg_temp.news();
SELECT pg_temp.beat();
SELECT * FROM pg_temp.news();
-- Who connects has been told then.
SELECT pg_temp.connect('c', 2);
SELECT pg_temp.beat();
SELECT * FROM pg_temp.news();
-- Deleted: no more.
DELETE FROM dataframetobedeletedatnode WHERE id IN (1, 11);
SELECT pg_temp.connect('a', 1);
UPDATE vantage6_events.unwanted_dataframe SET told_at = '2000-01-01';
SELECT pg_temp.beat();
SELECT * FROM pg_temp.news();
-- A changed row is told anew; one of no node or no name is none.
UPDATE dataframetobedeletedatnode SET node_id = 1 WHERE id = 12;
UPDATE dataframetobedeletedatnode SET dataframe_name = NULL WHERE id = 2;
INSERT INTO dataframetobedeletedatnode (id, dataframe_name, session_id, node_id)
    VALUES (14, 'x', 1, NULL), (15, 'y', NULL, 3);
SELECT * FROM pg_temp.news();
-- A name that no client's queue may hold is not sent, nor cut to another's.
INSERT INTO dataframetobedeletedatnode (id, dataframe_name, session_id, node_id)
    VALUES (16, repeat('x', 1001), 1, 4), (17, repeat('x', 1000), 1, 4);
SELECT rooms, length(payload) FROM pg_temp.news();
SELECT length(pg_temp.connect('d', 4)::text);
\set ECHO none
\i test/hq/regress-down.psql
