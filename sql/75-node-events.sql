-- What nodes send, one function an event. All take the node, as HQ has it now, and the event's
-- argument, and of the argument only what no row tells: a node speaks for itself alone.
--
-- verdict  NULL = it had its effect, or needs none; "locked" = it could not yet; "later" = it may
--          not yet; else the reason why it has none or not all, for the daemon's metric and log:
--          see receive()
--
-- Rows of HQ that are locked are waited for 10 ms at most.

CREATE TYPE node AS (id integer, organization_id integer, collaboration_id integer);
COMMENT ON TYPE node IS 'A node that says something, and where HQ has it';
COMMENT ON COLUMN node.id IS 'Principal';
COMMENT ON COLUMN node.organization_id IS 'Its organization';
COMMENT ON COLUMN node.collaboration_id IS 'Its collaboration';

CREATE FUNCTION given_id(value json) RETURNS integer
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    digits text := value #>> '{}';
BEGIN
    -- HQ 5's node sends ids also as text.
    IF json_typeof(value) IN ('number', 'string') AND digits ~ '^[0-9]{1,10}$'
       AND digits::bigint <= 2147483647 THEN
        RETURN digits;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION given_id(json) IS 'The id that a node gave, as a number or as text; else NULL.';

CREATE FUNCTION given_run(n node, arg json, OUT verdict text, OUT run_id integer,
                          OUT task_id integer, OUT status text, OUT log_size bigint)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp
    SET enable_seqscan = off AS $$
BEGIN
    run_id := CASE WHEN json_typeof(arg) = 'object' THEN given_id(arg -> 'run_id') END;
    IF run_id IS NULL THEN
        verdict := 'shape';
        RETURN;
    END IF;
    SELECT r.task_id, r.status, octet_length(r.log) INTO task_id, status, log_size
    FROM vantage6_events.run AS r JOIN vantage6_events.task AS t ON t.id = r.task_id
    WHERE r.id = given_run.run_id AND r.organization_id = n.organization_id
      AND t.collaboration_id = n.collaboration_id;
    IF NOT FOUND THEN
        verdict := 'run';
    END IF;
END $$;
COMMENT ON FUNCTION given_run(node, json) IS 'The run of the node that the argument names.';

CREATE FUNCTION on_status(n node, arg json) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    r record := given_run(n, arg);
    told text;
BEGIN
    IF r.verdict IS NOT NULL THEN
        RETURN r.verdict;
    ELSIF json_typeof(arg -> 'status') IS DISTINCT FROM 'string' THEN
        RETURN 'shape';
    END IF;
    told := arg ->> 'status';
    IF length(told) > 100 THEN
        RETURN 'size';
    END IF;
    IF has_ended(told) THEN
        PERFORM kill_reported(n.id, ARRAY[r.run_id]);
    END IF;
    IF told IS NOT DISTINCT FROM r.status THEN
        RETURN NULL; -- HQ's row has said so
    END IF;
    INSERT INTO relayed AS x (run_id, row_status, status) VALUES (r.run_id, r.status, told)
    ON CONFLICT ON CONSTRAINT relayed_pkey DO UPDATE
    SET (row_status, status) = (excluded.row_status, excluded.status)
    WHERE (x.row_status, x.status) IS DISTINCT FROM (excluded.row_status, excluded.status);
    IF FOUND THEN
        PERFORM announce_status(r.run_id, r.task_id, n.organization_id, told);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION on_status(node, json) IS
    'algorithm_status_change: announces the status of a run of the node, unless HQ''s row has it, '
    'or it was the last one announced since that row changed.';

CREATE FUNCTION on_log(n node, arg json) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    r record := given_run(n, arg);
    most integer := bytes('max_log_line');
    pending record;
    line text;
    verdict text;
    c text := 'collaboration_' || n.collaboration_id;
BEGIN
    IF r.verdict IS NOT NULL THEN
        RETURN r.verdict;
    ELSIF json_typeof(arg -> 'log') IS DISTINCT FROM 'string' THEN
        RETURN 'shape';
    END IF;
    pending := pending_log(r.run_id);
    IF coalesce(r.log_size, 0) + pending.bytes > bytes('max_run_log') THEN
        RETURN 'full';
    END IF;
    line := arg ->> 'log';
    IF octet_length(line) > most THEN
        verdict := 'size';
        -- A character has 4 bytes at most.
        line := left(line, most / 4) || ' [cut by vantage6_events.max_log_line]';
    END IF;
    PERFORM announce('algorithm_log', json_build_object(
        'run_id', r.run_id, 'task_id', r.task_id, 'log', line),
        ARRAY[c || '/users', c || '_organization_' || n.organization_id || '/users']);
    INSERT INTO log_line (run_id, line, at, total)
    VALUES (r.run_id, line, clock_timestamp(), pending.total + octet_length(line) + 1);
    RETURN verdict;
END $$;
COMMENT ON FUNCTION on_log(node, json) IS
    'algorithm_log: a line of a run of the node, for users, and for HQ''s column run.log.';

-- What HQ stores of a node's configuration: of a list its items, of an object its own members.
CREATE FUNCTION config_rows(config json) RETURNS TABLE (key text, value text, item json)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.key, v.item #>> '{}', v.item
    FROM json_each(config) WITH ORDINALITY AS o (key, value, n),
         json_each(CASE json_typeof(o.value) WHEN 'object' THEN o.value
                   ELSE json_build_object(o.key, o.value) END) WITH ORDINALITY AS m (key, value, n),
         json_array_elements(CASE json_typeof(m.value) WHEN 'array' THEN m.value
                             ELSE json_build_array(m.value) END) WITH ORDINALITY AS v (item, n)
    ORDER BY o.n, m.n, v.n
$$;
COMMENT ON FUNCTION config_rows(json) IS 'The rows of nodeconfig that a configuration makes.';

CREATE FUNCTION config_sequence() RETURNS regclass
    LANGUAGE sql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    SELECT pg_get_serial_sequence(format('%I.nodeconfig', a.hq_schema), 'id')::regclass
    FROM attachment AS a
$$;
COMMENT ON FUNCTION config_sequence() IS 'The sequence of the ids of nodeconfig, or NULL.';

CREATE FUNCTION config_ids(node_id integer, wanted integer) RETURNS integer[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    -- Above its last value, the sequence was set back: it will give them out itself.
    SELECT ARRAY(SELECT DISTINCT f.id FROM shared_config AS s, unnest(s.free_ids) AS f (id)
                 WHERE s.node_id = config_ids.node_id
                   AND f.id <= pg_sequence_last_value(config_sequence())
                   AND NOT EXISTS (SELECT FROM vantage6_events.node_config AS c WHERE c.id = f.id)
                 ORDER BY f.id LIMIT wanted)
$$;
COMMENT ON FUNCTION config_ids(integer, integer) IS
    'So many ids, or fewer, that rows of nodeconfig of this node had and that are free.';

-- Rows that are equal are told apart by a number, so that there are as many afterwards.
CREATE FUNCTION config_difference(node_id integer, config json,
                                  OUT surplus integer[], OUT keys text[], OUT vals text[])
    LANGUAGE sql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    WITH wanted AS (
        SELECT w.*, row_number() OVER (PARTITION BY w.text ORDER BY w.place) AS copy
        FROM (SELECT r.key, r.value, r.place, row(r.key, r.value)::text AS text
              FROM config_rows(config) WITH ORDINALITY AS r (key, value, item, place)) AS w
    ), present AS (
        SELECT p.*, row_number() OVER (PARTITION BY p.text ORDER BY p.id) AS copy
        FROM (SELECT c.id, row(c.key, c.value)::text AS text
              FROM vantage6_events.node_config AS c
              WHERE c.node_id = config_difference.node_id) AS p
    )
    SELECT coalesce(array_agg(p.id) FILTER (WHERE w.text IS NULL), '{}'),
           coalesce(array_agg(w.key ORDER BY w.place) FILTER (WHERE p.text IS NULL), '{}'),
           coalesce(array_agg(w.value ORDER BY w.place) FILTER (WHERE p.text IS NULL), '{}')
    FROM wanted AS w FULL JOIN present AS p USING (text, copy)
$$;
COMMENT ON FUNCTION config_difference(integer, json) IS
    'Ids of the rows of nodeconfig of this node that the configuration lacks, and the rows that it '
    'has more.';

CREATE FUNCTION count_config_change(node_id integer) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    moments timestamptz[] := ARRAY(
        SELECT m FROM shared_config AS s, unnest(s.changed_at) AS m
        WHERE s.node_id = count_config_change.node_id
          AND m > clock_timestamp() - interval '1 minute' ORDER BY m);
BEGIN
    IF cardinality(moments) >= setting('node_config_changes')::integer THEN
        RETURN false;
    END IF;
    INSERT INTO shared_config AS s (node_id, changed_at, used_at)
    VALUES (count_config_change.node_id, moments || clock_timestamp(), clock_timestamp())
    ON CONFLICT ON CONSTRAINT shared_config_pkey DO UPDATE
    SET (changed_at, used_at) = (excluded.changed_at, excluded.used_at);
    RETURN true;
END $$;
COMMENT ON FUNCTION count_config_change(integer) IS
    'Counts a change of the configuration; false if the node has made too many in this minute.';

CREATE FUNCTION write_config(node_id integer, surplus integer[], keys text[], vals text[])
    RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    ids integer[];
    old integer;
BEGIN
    IF cardinality(surplus) > 0 THEN
        DELETE FROM vantage6_events.node_config AS c WHERE c.id = ANY (surplus);
        PERFORM free_config_ids(node_id, surplus);
    END IF;
    ids := config_ids(node_id, cardinality(keys));
    old := cardinality(ids);
    INSERT INTO vantage6_events.node_config (id, node_id, key, value) OVERRIDING SYSTEM VALUE
    SELECT ids[n], write_config.node_id, keys[n], vals[n] FROM generate_series(1, old) AS n;
    INSERT INTO vantage6_events.node_config (node_id, key, value)
    SELECT write_config.node_id, keys[n], vals[n]
    FROM generate_series(old + 1, cardinality(keys)) AS n;
    IF old > 0 THEN
        UPDATE shared_config AS s SET free_ids = ARRAY(
            SELECT unnest(s.free_ids) EXCEPT SELECT unnest(ids) ORDER BY 1)
        WHERE s.node_id = write_config.node_id;
    END IF;
END $$;
COMMENT ON FUNCTION write_config(integer, integer[], text[], text[]) IS
    'Writes what config_difference() has found.';

CREATE FUNCTION replace_config(n node, config json) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp
    SET lock_timeout = '10ms' AS $$
DECLARE
    d record;
BEGIN
    -- presence() takes it when the node is gone: one after the other.
    IF NOT n.id = ANY (lock_announced(ARRAY[n.id])) THEN
        RETURN 'locked';
    END IF;
    d := config_difference(n.id, config);
    IF cardinality(d.surplus) + cardinality(d.keys) = 0 THEN
        RETURN NULL;
    ELSIF NOT count_config_change(n.id) THEN
        RETURN 'later';
    END IF;
    PERFORM write_config(n.id, d.surplus, d.keys, d.vals);
    RETURN NULL;
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
    RETURN 'locked';
WHEN unique_violation THEN -- HQ uses such ids again by itself: the next try takes new ones
    UPDATE shared_config AS s SET free_ids = '{}' WHERE s.node_id = n.id AND s.free_ids <> '{}';
    IF NOT FOUND THEN
        RAISE;
    END IF;
    RETURN 'locked';
END $$;
COMMENT ON FUNCTION replace_config(node, json) IS
    'Makes the node''s configuration in HQ this one: only the difference is written.';

CREATE FUNCTION on_info(n node, arg json) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    found_rows record;
BEGIN
    IF json_typeof(arg) IS DISTINCT FROM 'object' THEN
        RETURN 'shape';
    ELSIF octet_length(arg::text) > bytes('max_node_config') THEN
        RETURN 'size';
    END IF;
    SELECT count(*) AS n, bool_or(json_typeof(r.item) IN ('object', 'array')) AS nested
    INTO found_rows FROM config_rows(arg) AS r;
    IF found_rows.nested THEN
        RETURN 'shape';
    ELSIF found_rows.n > setting('max_node_config_rows')::integer THEN
        RETURN 'size';
    END IF;
    RETURN replace_config(n, arg);
END $$;
COMMENT ON FUNCTION on_info(node, json) IS 'node_info_update: the node''s configuration.';

CREATE FUNCTION on_dataframe(n node, arg json) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp
    SET lock_timeout = '10ms' AS $$
DECLARE
    session integer := CASE json_typeof(arg) WHEN 'object' THEN given_id(arg -> 'session_id') END;
    rows integer[];
BEGIN
    IF session IS NULL OR json_typeof(arg -> 'df_name') IS DISTINCT FROM 'string' THEN
        RETURN 'shape';
    END IF;
    rows := ARRAY(SELECT u.id FROM unwanted_dataframe AS u
                  WHERE u.node_id = n.id AND u.session_id = session
                    AND u.df_name = arg ->> 'df_name' ORDER BY u.id);
    IF cardinality(rows) > 0 THEN
        DELETE FROM vantage6_events.dataframe_deletion AS d WHERE d.id = ANY (rows);
    END IF;
    RETURN NULL;
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
    RETURN 'locked';
END $$;
COMMENT ON FUNCTION on_dataframe(node, json) IS
    'dataframe_deleted: a dataframe that the node was to delete is deleted.';

-- The names and labels are those of HQ's own exporter.
CREATE FUNCTION gauges(n node, arg json) RETURNS json
    LANGUAGE sql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    WITH known AS ( -- a label may take few values, whatever nodes say
        SELECT k.label, CASE WHEN arg -> k.label IS NULL THEN 'unknown'
                             WHEN arg ->> k.label = ANY (k.names) THEN arg ->> k.label
                             ELSE 'other' END AS value
        FROM (VALUES ('os', ARRAY['posix', 'nt', 'Linux', 'Darwin', 'Windows']),
                     ('platform', ARRAY['linux', 'darwin', 'win32', 'cygwin', 'Linux', 'Darwin',
                                        'Windows']))
             AS k (label, names)
    ), given AS (
        SELECT g.name, g.nr, arg -> g.name AS value, NULL::bigint AS gpu
        FROM unnest(ARRAY['cpu_percent', 'memory_percent', 'num_algorithm_containers', 'cpu_count',
                          'memory_total', 'memory_available', 'gpu_count'])
                 WITH ORDINALITY AS g (name, nr)
        UNION ALL
        SELECT g.name, 10 + g.nr, e.value, e.n - 1
        FROM unnest(ARRAY['gpu_load', 'gpu_memory_used', 'gpu_memory_free', 'gpu_temperature'])
                 WITH ORDINALITY AS g (name, nr),
             json_array_elements(CASE json_typeof(arg -> g.name) WHEN 'array' THEN arg -> g.name
                                 ELSE '[]' END)
                 WITH ORDINALITY AS e (value, n)
        WHERE e.n <= setting('max_gpus')::integer
    )
    SELECT json_agg(json_build_object('name', g.name, 'labels', l.labels, 'value', g.value)
                    ORDER BY g.nr, g.gpu)
    FROM given AS g, LATERAL (
        SELECT json_object_agg(x.label, x.value) AS labels FROM (
            SELECT 'node_id' AS label, n.id::text AS value
            UNION ALL SELECT k.label, k.value FROM known AS k
            UNION ALL SELECT 'gpu_id', g.gpu::text WHERE g.gpu IS NOT NULL) AS x) AS l
    WHERE json_typeof(g.value) = 'number'
$$;
COMMENT ON FUNCTION gauges(node, json) IS
    'node_metrics_update: the gauges that it makes, for the daemon; NULL if none.';
