-- HQ's tables: what the extension needs of them, and which HQ a schema holds.
--
-- Columns are taken by name; one that is listed without a privilege only tells the versions apart
-- or is read by a trigger from the row that it gets.

CREATE FUNCTION hq_columns(version integer)
    RETURNS TABLE (table_name text, column_name text, privileges text[])
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT t, trim(c), CASE WHEN p = '' THEN '{}'::text[] ELSE string_to_array(p, ',') END
    FROM (VALUES
        (4, 'authenticatable', 'ip', ''),
        (4, 'node', 'api_key', ''),
        (5, 'authenticatable', 'keycloak_id', 'SELECT'),
        (0, 'authenticatable', 'id, type', 'SELECT'),
        (0, 'authenticatable', 'status, last_seen', 'SELECT,UPDATE'),
        (0, 'node', 'id, name, organization_id, collaboration_id', 'SELECT'),
        (0, 'user', 'id, username, organization_id', 'SELECT'),
        (0, 'collaboration', 'id', 'SELECT'),
        (0, 'Member', 'organization_id, collaboration_id', 'SELECT'),
        (0, 'Permission', 'role_id, user_id', 'SELECT'),
        (0, 'UserPermission', 'rule_id, user_id', 'SELECT'),
        (0, 'role_rule_association', 'role_id, rule_id', 'SELECT'),
        (0, 'rule', 'id, name, operation, scope', 'SELECT'),
        (0, 'task', 'id, collaboration_id, parent_id, job_id', 'SELECT'),
        (0, 'run', 'id, task_id, organization_id', 'SELECT'),
        (0, 'run', 'status, finished_at, log', 'SELECT,UPDATE'),
        (5, 'task_depends_on', 'task_id, depends_on_id', 'SELECT'),
        (5, 'dataframetobedeletedatnode', 'id, dataframe_name, session_id, node_id', 'SELECT'),
        (0, 'nodeconfig', 'id', 'SELECT'),
        (0, 'nodeconfig', 'node_id, key', 'SELECT,INSERT'),
        (0, 'nodeconfig', 'value', 'SELECT,INSERT,UPDATE') -- UPDATE: to lock a row
    ) AS n (v, t, cs, p), unnest(string_to_array(cs, ',')) AS c
    WHERE v IN (0, version)
$$;
COMMENT ON FUNCTION hq_columns(integer) IS
    'Columns of HQ version 4 or 5 that the extension needs, and the agent''s privileges on each.';

CREATE FUNCTION hq_objects(schema name, version integer)
    RETURNS TABLE (kind text, object text, privilege text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'SCHEMA', quote_ident(schema), 'USAGE'
    UNION ALL
    SELECT 'TABLE', format('%I.%I', schema, t), 'DELETE'
    FROM (VALUES (0, 'nodeconfig'), (5, 'dataframetobedeletedatnode')) AS n (v, t)
    WHERE v IN (0, version)
    UNION ALL
    SELECT 'SEQUENCE', s, 'USAGE'
    FROM pg_get_serial_sequence(to_regclass(format('%I.nodeconfig', schema))::text, 'id') AS s
    WHERE s IS NOT NULL
$$;
COMMENT ON FUNCTION hq_objects(name, integer) IS 'What the agent needs of HQ besides columns.';

CREATE FUNCTION hq_missing(schema name, version integer) RETURNS SETOF text
    LANGUAGE sql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    SELECT (CASE WHEN t.oid IS NULL THEN format('table %I', n.table_name)
                 ELSE format('column %I.%I', n.table_name, n.column_name) END) COLLATE "C" AS item
    FROM hq_columns(version) AS n
    LEFT JOIN pg_class AS t
        ON t.relname = n.table_name AND t.relkind IN ('r', 'p')
        AND t.relnamespace = (SELECT s.oid FROM pg_namespace AS s WHERE s.nspname = schema)
    WHERE NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = t.oid
                      AND a.attname = n.column_name AND a.attnum > 0 AND NOT a.attisdropped)
    GROUP BY item
    ORDER BY item
$$;
COMMENT ON FUNCTION hq_missing(name, integer) IS 'What the schema lacks of HQ version 4 or 5.';

CREATE FUNCTION hq_version(schema name) RETURNS integer
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    missing4 text[] := ARRAY(SELECT hq_missing(schema, 4));
    missing5 text[] := ARRAY(SELECT hq_missing(schema, 5));
    closest integer;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_namespace AS n WHERE n.nspname = schema) THEN
        RAISE EXCEPTION 'schema "%" does not exist', schema
            USING ERRCODE = 'V6002', HINT = 'Name the schema that holds the tables of vantage6.';
    END IF;
    IF cardinality(missing5) = 0 THEN
        RETURN 5;
    ELSIF cardinality(missing4) = 0 THEN
        RETURN 4;
    END IF;
    closest := CASE WHEN cardinality(missing4) < cardinality(missing5) THEN 4 ELSE 5 END;
    RAISE EXCEPTION 'schema "%" holds neither vantage6 server 4 nor HQ 5', schema
        USING ERRCODE = 'V6002',
        DETAIL = format('It is closest to version %s, and lacks: %s.', closest, array_to_string(
            CASE closest WHEN 4 THEN missing4 ELSE missing5 END, ', ')),
        HINT = 'Name the schema that holds the tables of vantage6, of version 4 or 5.';
END $$;
COMMENT ON FUNCTION hq_version(name) IS
    'The HQ version, 4 or 5, whose tables the schema holds; V6002 and what is missing if neither.';

CREATE FUNCTION hq_owner(schema name) RETURNS name
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    version integer := hq_version(schema);
    owners name[];
BEGIN
    owners := ARRAY(
        SELECT DISTINCT pg_get_userbyid(t.relowner) FROM pg_class AS t
        JOIN pg_namespace AS s ON s.oid = t.relnamespace
        WHERE s.nspname = schema AND t.relkind IN ('r', 'p')
          AND t.relname IN (SELECT c.table_name FROM hq_columns(version) AS c)
        ORDER BY 1);
    IF cardinality(owners) > 1 THEN
        RAISE EXCEPTION 'the tables of schema "%" belong to several roles', schema
            USING ERRCODE = 'V6004', DETAIL = 'Owners: ' || array_to_string(owners, ', ') || '.',
            HINT = 'Give all tables of vantage6 to one role (ALTER TABLE ... OWNER TO).';
    END IF;
    RETURN owners[1];
END $$;
COMMENT ON FUNCTION hq_owner(name) IS 'The owner of HQ''s tables in the schema; V6004 if not one.';

CREATE FUNCTION hq_agent(schema name) RETURNS name
    LANGUAGE sql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    SELECT CASE WHEN r.rolsuper THEN 'vantage6_events' ELSE r.rolname END
    FROM pg_roles AS r WHERE r.rolname = hq_owner(schema)
$$;
COMMENT ON FUNCTION hq_agent(name) IS
    'The role that is to own what touches HQ''s rows: the owner of HQ''s tables, or, if that is a '
    'superuser, vantage6_events.';
