-- What nodes send, and what follows.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
\i test/hq/receive.psql
\set ECHO all
SELECT pg_temp.arrive('{1, 2, 3, 4, 5, 12, 13}');
SELECT count(*) FROM pg_temp.news();
-- A status of its own run, as its node sends it: relayed from the rows, whatever else the payload
-- says.
SELECT pg_temp.said(2, 'algorithm_status_change',
    '{"status": "active", "run_id": 2, "task_id": 99, "collaboration_id": 2, "node_id": 5,
    "organization_id": 1, "parent_id": "None"}');
SELECT * FROM pg_temp.news();
-- Ids as text; the same again; another; what the row says already.
SELECT pg_temp.said(2, 'algorithm_status_change', '{"status": "active", "run_id": "2"}');
SELECT * FROM pg_temp.news();
SELECT pg_temp.said(2, 'algorithm_status_change', '{"status": "failed", "run_id": "0000000002"}');
SELECT * FROM pg_temp.news();
SELECT pg_temp.said(1, 'algorithm_status_change', '{"status": "active", "run_id": 1}');
SELECT * FROM pg_temp.news();
-- The row's own change is announced when it commits; then what the node said before counts no more.
UPDATE run SET status = 'active' WHERE id = 2;
SELECT payload FROM pg_temp.news();
SELECT pg_temp.said(2, 'algorithm_status_change', '{"status": "active", "run_id": 2}');
SELECT pg_temp.said(2, 'algorithm_status_change', '{"status": "failed", "run_id": 2}');
SELECT payload FROM pg_temp.news();
SELECT id, status FROM run WHERE id IN (1, 2);
-- Also when it comes back to what it was.
UPDATE run SET status = 'failed' WHERE id = 2;
UPDATE run SET status = 'active' WHERE id = 2;
SELECT count(*) FROM pg_temp.news();
SELECT pg_temp.said(2, 'algorithm_status_change', '{"status": "failed", "run_id": 2}'),
       pg_temp.said(2, 'algorithm_status_change', '{"status": "failed", "run_id": 2}');
SELECT payload FROM pg_temp.news();
-- Not for it: of another organization, another collaboration, of nobody.
SELECT pg_temp.said(2, 'algorithm_status_change', '{"status": "active", "run_id": 3}'),
       pg_temp.said(2, 'algorithm_status_change', '{"status": "active", "run_id": 7}'),
       pg_temp.said(2, 'algorithm_status_change', '{"status": "active", "run_id": 4711}');
SELECT pg_temp.said(2, 'algorithm_log', '{"run_id": 1, "log": "mine now"}'),
       pg_temp.said(12, 'algorithm_log', '{"run_id": 1, "log": "a user''s"}'),
       pg_temp.said(4711, 'algorithm_log', '{"run_id": 1, "log": "of nobody"}');
-- Not as expected: the whole run as run_id, as on one path of the real node, among others.
SELECT x, pg_temp.said(2, 'algorithm_status_change', x) FROM unnest(ARRAY[
    '{"status": "failed", "run_id": {"id": 2, "status": "pending"}}',
        '{"status": "x", "run_id": "2 "}', '{"status": "x", "run_id": -2}',
    '{"status": "x", "run_id": 2.5}', '{"status": "x", "run_id": true}',
        '{"status": "x", "run_id": 99999999999}',
    '{"status": "x", "run_id": "9999999999"}', '{"status": 5, "run_id": 2}', '{"run_id": 2}',
        '{"status": "x"}', '[2]', '"2"', 'null']) AS x;
SELECT pg_temp.said(2, 'algorithm_status_change'),
       pg_temp.said(2, 'algorithm_status_change', format('{"status": "%s", "run_id": 2}',
           repeat('x', 101)));
SELECT * FROM pg_temp.news();
-- A batch: in the order of its numbers, what was taken is skipped, and other namespaces say
-- nothing.
SELECT * FROM vantage6_events.receive((SELECT max(incarnation) FROM vantage6_events.instance),
    'another', '[
    {"seq": 2, "sid": "s1", "principal": 1, "nsp": "/tasks",
        "event": ["algorithm_log", {"run_id": 1, "log": "two"}]},
    {"seq": 1, "sid": "s1", "principal": 1, "nsp": "/tasks",
        "event": ["algorithm_log", {"run_id": 1, "log": "one"}]},
    {"seq": 3, "sid": "s1", "principal": 1, "nsp": "/admin",
        "event": ["algorithm_log", {"run_id": 1, "log": "no"}]},
    {"seq": 4, "sid": "s2", "principal": 2, "nsp": "/tasks",
        "event": ["algorithm_log", {"run_id": 1, "log": "no"}]},
    {"seq": 5, "sid": "s2", "principal": 2, "nsp": "/tasks",
        "event": ["algorithm_log", {"run_id": 1, "log": "no"}]},
    {"seq": 6, "sid": "s2", "principal": 2, "nsp": "/tasks",
        "event": ["whatever", {"run_id": 1, "log": "no"}]},
    {"seq": 7, "sid": "s2", "principal": 2, "nsp": "/tasks", "event": [5]}]');
SELECT * FROM vantage6_events.receive((SELECT max(incarnation) FROM vantage6_events.instance),
    'another', '[
    {"seq": 7, "sid": "s1", "principal": 1, "nsp": "/tasks",
        "event": ["algorithm_log", {"run_id": 1, "log": "no"}]},
    {"seq": 8, "sid": "s1", "principal": 1, "nsp": "/tasks",
        "event": ["algorithm_log", {"run_id": 1, "log": "eight"}]}]');
SELECT * FROM pg_temp.news();
-- Another incarnation goes on in the stream; a stream that has ended long ago is forgotten.
SELECT incarnation AS next FROM vantage6_events.open('regress', '1.0.0') \gset
SELECT * FROM vantage6_events.receive(:next, 'another', '[
    {"seq": 8, "sid": "s1", "principal": 1, "nsp": "/tasks",
        "event": ["algorithm_log", {"run_id": 1, "log": "no"}]},
    {"seq": 9, "sid": "s1", "principal": 1, "nsp": "/tasks",
        "event": ["algorithm_log", {"run_id": 1, "log": "nine"}]}]');
SELECT payload FROM pg_temp.news();
UPDATE vantage6_events.received SET taken_at = now() - interval '8 days' WHERE stream = 'another';
SELECT vantage6_events.beat(:next);
SELECT stream FROM vantage6_events.received;
SELECT pg_temp.arrive('{1, 2, 3, 4, 5, 12, 13}');
-- Configuration, as HQ 5's node sends it: lists and objects are taken apart.
SELECT pg_temp.said(3, 'node_info_update',
    '{"encryption": "False", "allowed_algorithms": ["a", "b"], "allowed_users": [],
    "database_labels": ["default", "other"], "database_types": {"db_type_default": "csv",
        "db_type_other": "sql"}}');
SELECT key, value FROM nodeconfig WHERE node_id = 3 ORDER BY id;
-- The same again writes nothing; another replaces it; a node's own only.
SELECT max(id) AS last FROM nodeconfig \gset
SELECT pg_temp.said(3, 'node_info_update',
    '{"encryption": "False", "allowed_algorithms": ["a", "b"], "allowed_users": [],
    "database_labels": ["default", "other"], "database_types": {"db_type_default": "csv",
        "db_type_other": "sql"}}');
SELECT max(id) = :last AS same FROM nodeconfig;
SELECT pg_temp.said(1, 'node_info_update',
    '{"encryption": true, "n": 1.50, "none": null, "node_id": 3, "allowed_algorithms": "only"}');
SELECT node_id, key, value FROM nodeconfig WHERE node_id IN (1, 3) ORDER BY id;
SELECT pg_temp.said(3, 'node_info_update', '{}');
SELECT count(*) FROM nodeconfig WHERE node_id = 3;
SELECT x, pg_temp.said(1, 'node_info_update', x)
    FROM unnest(ARRAY['[]', '"x"', '{"a": [[1]]}', '{"a": [{"b": 1}]}', '{"a": {"b": {"c": 1}}}',
                                                                   '{"a": {"b": [[1]]}}']) AS x;
SET vantage6_events.max_node_config = '1kB';
SELECT pg_temp.said(1, 'node_info_update', format('{"a": "%s"}', repeat('x', 1020)));
SELECT pg_temp.said(1, 'node_info_update', format('{"a": "%s"}', repeat('x', 950)));
RESET vantage6_events.max_node_config;
SELECT node_id, key, length(value) FROM nodeconfig;
-- A dataframe of its own that it has deleted; never another's, though it says so.
SELECT pg_temp.said(1, 'dataframe_deleted', '{"df_name": "df_old", "session_id": 1, "node_id": 2}');
SELECT * FROM dataframetobedeletedatnode ORDER BY id;
SELECT pg_temp.said(5, 'dataframe_deleted',
    '{"df_name": "df_beta", "session_id": "2", "node_id": 5}');
SELECT * FROM dataframetobedeletedatnode ORDER BY id;
SELECT x, pg_temp.said(2, 'dataframe_deleted', x) FROM unnest(ARRAY[
    '{"df_name": "df_old", "session_id": 2}', '{"df_name": "df", "session_id": 1}',
        '{"df_name": "df_old"}', '{"session_id": 1}', '{"df_name": 5, "session_id": 1}', '7']) AS x;
SELECT * FROM dataframetobedeletedatnode ORDER BY id;
-- What is said for the operator.
SELECT pg_temp.said(1, 'message', '"hello"'), pg_temp.said(1, 'error', '{"no": "text"}'),
    pg_temp.said(1, 'message');
SELECT length(pg_temp.said(1, 'error', format('"%s"', repeat('x', 1000)))),
    pg_temp.said(12, 'message', '"I"');
-- Gauges: the known names; labels of few values.
SELECT g ->> 'name' AS name, g ->> 'value' AS value, g ->> 'labels' AS labels
    FROM json_array_elements(pg_temp.said(1, 'node_metrics_update',
    '{"cpu_percent": 12.5, "memory_percent": 3, "num_algorithm_containers": 0,
    "os": "posix", "platform": "linux", "cpu_count": 8, "memory_total": 17179869184,
        "memory_available": 1,
    "gpu_count": 2, "gpu_load": [1, "no"], "gpu_memory_used": [3, 4, 5], "gpu_memory_free": [],
        "gpu_temperature": 6}')::json -> 'gauges' -> 0 -> 'gauges') AS g;
SELECT pg_temp.said(1, 'node_metrics_update',
    '{"os": "my/os", "platform": ["x"], "cpu_percent": 1, "memory_percent": "2", "more": 5}');
SELECT pg_temp.said(1, 'node_metrics_update', '{"cpu_percent": 1}'),
    pg_temp.said(1, 'node_metrics_update', '{}'),
       pg_temp.said(1, 'node_metrics_update', '[]');
SET vantage6_events.max_gpus = 1;
SELECT pg_temp.said(1, 'node_metrics_update',
    '{"gpu_load": [1, 2, 3], "gpu_memory_used": [4, 5, 6]}');
-- The character 0, which no text of PostgreSQL can hold; and text that looks like it.
SELECT pg_temp.said(1, 'algorithm_log', '{"run_id": 1, "log": "a\u0000\u0000b\\u0000c\\\u0000"}');
SELECT payload FROM pg_temp.news();
-- What waits for locked rows is limited; a configuration takes the place of one that waits.
INSERT INTO vantage6_events.deferred (principal_id, name, arg, since)
    VALUES (2, 'dataframe_deleted', '{"df_name": "df_old", "session_id": 1}', now());
SET vantage6_events.max_deferred = 2;
SELECT pg_temp.said(2, 'dataframe_deleted', '{"df_name": "other", "session_id": 1}'),
       pg_temp.said(2, 'dataframe_deleted', '{"df_name": "third", "session_id": 1}'),
       pg_temp.said(2, 'node_info_update', '{"a": 1}'), pg_temp.said(2, 'node_info_update',
           '{"a": 2}');
RESET vantage6_events.max_deferred;
SELECT principal_id, name, arg FROM vantage6_events.deferred ORDER BY id;
INSERT INTO vantage6_events.deferred (principal_id, name, arg, since)
    VALUES (4711, 'dataframe_deleted', '{}', now());
SELECT vantage6_events.beat(:next);
SELECT count(*) FROM vantage6_events.deferred;
SELECT * FROM dataframetobedeletedatnode;
SELECT key, value FROM nodeconfig WHERE node_id = 2;
-- A node that was moved says nothing of its earlier organization's runs.
UPDATE node SET organization_id = 3 WHERE id = 1;
SELECT pg_temp.said(1, 'algorithm_log', '{"run_id": 1, "log": "x"}'),
    pg_temp.said(1, 'algorithm_log', '{"run_id": 3, "log": "x"}');
UPDATE node SET collaboration_id = NULL WHERE id = 1;
SELECT pg_temp.said(1, 'algorithm_log', '{"run_id": 3, "log": "x"}');
-- A report that a killed run is over.
SELECT vantage6_events.kill_task(4);
SELECT node_id, name FROM vantage6_events.pending_instructions WHERE name = 'kill_containers'
    ORDER BY 1;
SELECT pg_temp.said(5, 'algorithm_status_change', '{"run_id": 7, "status": "active"}');
SELECT pg_temp.said(4, 'algorithm_status_change', '{"run_id": 6, "status": "killed by user"}');
SELECT node_id, name FROM vantage6_events.pending_instructions WHERE name = 'kill_containers'
    ORDER BY 1;
\set ECHO none
\i test/hq/regress-down.psql
\set hq 4
\i test/hq/regress-up.psql
\i test/hq/receive.psql
\set ECHO all
-- HQ 4.
SELECT pg_temp.arrive('{1, 2}');
SELECT count(*) FROM pg_temp.news();
SELECT pg_temp.said(1, 'node_info_update',
    '{"encryption": false, "allowed_algorithms": ["a"],
    "database_columns": {"columns_default": ["x", "y"], "columns_other": []}}');
SELECT key, value FROM nodeconfig WHERE node_id = 1 ORDER BY id;
SELECT pg_temp.said(1, 'dataframe_deleted', '{"df_name": "df_old", "session_id": 1, "node_id": 1}');
SELECT pg_temp.said(2, 'algorithm_status_change', '{"status": "completed", "run_id": 2}');
SELECT * FROM pg_temp.news();
\set ECHO none
\i test/hq/regress-down.psql
