-- Configurations of nodes: only the difference is written, ten times a minute, and HQ's sequence of
-- ids is not used up, whatever a node does.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
\i test/hq/receive.psql
CREATE FUNCTION pg_temp.shared(principal integer, config text) RETURNS text LANGUAGE sql AS
    $$ SELECT pg_temp.said(principal, 'node_info_update', config) $$;
CREATE FUNCTION pg_temp.list(first integer, last integer) RETURNS text LANGUAGE sql AS
    $$ SELECT json_build_object('a', json_agg(n ORDER BY n)) FROM generate_series(first, last) n $$;
-- A minute passes.
CREATE FUNCTION pg_temp.later() RETURNS boolean LANGUAGE sql AS $$
    UPDATE vantage6_events.shared_config
    SET changed_at = ARRAY(SELECT m - interval '1 minute' FROM unnest(changed_at) AS m);
    SELECT vantage6_events.beat((SELECT max(incarnation) FROM vantage6_events.instance));
$$;
CREATE FUNCTION pg_temp.leave(sid text) RETURNS integer LANGUAGE sql AS $$
    SELECT vantage6_events.disconnect((SELECT max(incarnation) FROM vantage6_events.instance),
        json_build_array(json_build_object('sid', sid, 'by_client', true)))
$$;
SELECT pg_temp.arrive('{1, 2, 3}') \g /dev/null
SELECT vantage6_events.presence(100) \g /dev/null
\set ECHO all
-- Rows that stay are not written, of equal ones as many as there are; ids that are free are used
-- again, in the order of the configuration.
SELECT pg_temp.shared(1, '{"a": ["x", "y", "y", null], "b": 1}');
SELECT key, value, id - min(id) OVER () AS id FROM nodeconfig WHERE node_id = 1 ORDER BY id;
CREATE TEMP TABLE places AS SELECT id, ctid AS place FROM nodeconfig WHERE node_id = 1;
SELECT last_value AS used FROM nodeconfig_id_seq \gset
SELECT pg_temp.shared(1, '{"a": ["y", "z", "x"], "c": [2, 3]}');
SELECT c.key, c.value, c.id - :used AS id, c.ctid = p.place AS stayed
FROM nodeconfig AS c LEFT JOIN places AS p USING (id) WHERE node_id = 1 ORDER BY c.id;
SELECT pg_temp.shared(1, '{"c": [3, 2], "a": ["x", "y", "z"]}');
SELECT last_value - :used AS more FROM nodeconfig_id_seq;
-- A node that has all its rows written anew again and again uses up as many ids as it has rows.
SELECT pg_temp.later();
SELECT pg_temp.shared(2, pg_temp.list(1, 1000));
SELECT last_value AS used FROM nodeconfig_id_seq \gset
SELECT string_agg(pg_temp.shared(2, CASE n % 3 WHEN 0 THEN '{}' WHEN 1 THEN pg_temp.list(501, 1500)
                                    ELSE pg_temp.list(2001, 3000) END), ' ' ORDER BY n)
FROM generate_series(1, 9) AS n;
SELECT count(*) FROM nodeconfig WHERE node_id = 2;
SELECT count(*) FROM vantage6_events.deferred;
-- More than ten changes a minute wait, the last one takes the place of those before; what changes
-- nothing is no change, and others go on.
SELECT pg_temp.shared(2, '{"a": 1}'), pg_temp.shared(2, '{"a": 2}');
SELECT pg_temp.shared(3, '{"a": 3}');
SELECT vantage6_events.beat(max(incarnation)) FROM vantage6_events.instance;
SELECT principal_id, arg FROM vantage6_events.deferred;
SELECT key, value FROM nodeconfig WHERE node_id IN (2, 3);
SELECT pg_temp.later();
SELECT principal_id, arg FROM vantage6_events.deferred;
SELECT node_id, key, value FROM nodeconfig WHERE node_id IN (2, 3) ORDER BY 1;
SELECT last_value - :used AS more FROM nodeconfig_id_seq;
SET vantage6_events.node_config_changes = 1;
SELECT pg_temp.shared(2, '{"a": 2}'), pg_temp.shared(2, '{"a": 4}');
SELECT principal_id, arg FROM vantage6_events.deferred;
RESET vantage6_events.node_config_changes;
-- Twenty nodes that wait so keep none from its turn, whose rows were locked only.
INSERT INTO authenticatable (id, type, keycloak_id)
    SELECT n, 'node', 'k' || n FROM generate_series(101, 120) AS n;
INSERT INTO node (id, name, organization_id, collaboration_id)
    SELECT n, 'n' || n, 1, 1 FROM generate_series(101, 120) AS n;
SELECT pg_temp.arrive(ARRAY(SELECT generate_series(101, 120))) \g /dev/null
INSERT INTO vantage6_events.shared_config (node_id, changed_at, used_at)
    SELECT n, array_fill(now(), ARRAY[10]), now() FROM generate_series(101, 120) AS n;
SELECT count(pg_temp.shared(n, '{"a": 1}')) FROM generate_series(101, 120) AS n;
INSERT INTO vantage6_events.deferred (principal_id, name, arg, since)
    VALUES (3, 'node_info_update', '{"last": true}', now());
SELECT vantage6_events.beat(max(incarnation)) FROM vantage6_events.instance;
SELECT key FROM nodeconfig WHERE node_id = 3;
SELECT count(*) FROM vantage6_events.deferred WHERE principal_id > 100;
DELETE FROM vantage6_events.deferred WHERE principal_id > 100;
-- One that comes and goes uses up none, and what it still had to share goes with it.
SELECT pg_temp.later();
SELECT last_value AS used FROM nodeconfig_id_seq \gset
DO $$
BEGIN
    FOR i IN 1 .. 5 LOOP
        PERFORM pg_temp.leave('s1'), vantage6_events.presence(100);
        ASSERT NOT EXISTS (SELECT FROM nodeconfig WHERE node_id = 1);
        PERFORM pg_temp.arrive('{1}'), vantage6_events.presence(100),
            pg_temp.shared(1, '{"a": ["x", "y", "y", null], "b": ' || i || '}');
    END LOOP;
END $$;
SELECT key, value FROM nodeconfig WHERE node_id = 1 ORDER BY id;
SELECT last_value - :used AS more FROM nodeconfig_id_seq;
SET vantage6_events.node_config_changes = 1;
SELECT pg_temp.shared(1, '{"late": 1}'), pg_temp.leave('s1'), vantage6_events.presence(100);
RESET vantage6_events.node_config_changes;
SELECT pg_temp.later();
SELECT count(*) FROM nodeconfig WHERE node_id = 1;
SELECT count(*) FROM vantage6_events.deferred;
-- The sequence was set back: what it will give out is not taken; and what HQ has taken is not.
SELECT pg_temp.arrive('{1}') \g /dev/null
SELECT min(id) AS least FROM vantage6_events.shared_config, unnest(free_ids) AS id
WHERE node_id = 1 \gset
SELECT setval('nodeconfig_id_seq', :least) \g /dev/null
INSERT INTO nodeconfig (id, node_id, key) VALUES (:least, 4, 'HQ''s own');
SELECT setval('nodeconfig_id_seq', 100000) \g /dev/null
SELECT pg_temp.shared(1, '{"a": 1}'), pg_temp.later();
SELECT count(*), min(id) > :least AND min(id) <= 100000 AS again FROM nodeconfig WHERE node_id = 1;
SELECT setval('nodeconfig_id_seq', 1000000) \g /dev/null
UPDATE vantage6_events.shared_config SET free_ids = '{1000001}' WHERE node_id = 1;
SELECT pg_temp.shared(1, '{"a": [1, 2]}'), pg_temp.later();
SELECT max(id) - 1000000 AS by_the_sequence, count(*) FROM nodeconfig WHERE node_id = 1;
-- Of more rows than max_node_config_rows none is written.
SELECT pg_temp.shared(3, pg_temp.list(1, 1001));
SET vantage6_events.max_node_config_rows = 3;
SELECT pg_temp.shared(3, '{"a": [1, 2], "b": {"c": 3, "d": [4]}}');
SELECT pg_temp.shared(3, '{"a": [1, 2], "b": {"c": 3, "d": []}}');
SELECT key, value FROM nodeconfig WHERE node_id = 3 ORDER BY id;
-- What has not changed for a week is forgotten.
UPDATE vantage6_events.shared_config SET used_at = now() - interval '8 days' WHERE node_id <> 3;
SELECT vantage6_events.upkeep() \g /dev/null
SELECT node_id FROM vantage6_events.shared_config;
\set ECHO none
\i test/hq/regress-down.psql
