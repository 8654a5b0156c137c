-- HQ's tables: what the extension needs of them, and which HQ a schema holds.
--
-- Columns are taken by name; one that is listed without a privilege only tells the versions apart
-- or is read by a trigger from the row that it gets.
--
-- types       those that work; anyenum is any enum. Keys go through integers of ours
-- characters  what is written to it must fit; 0: it is only read, NULL: there is no bound

CREATE FUNCTION hq_columns(version integer)
    RETURNS TABLE (table_name text, column_name text, privileges text[], types text[],
                   characters integer)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT t, trim(c), CASE WHEN p = '' THEN '{}'::text[] ELSE string_to_array(p, ',') END,
           string_to_array(CASE ts WHEN 'text' THEN 'text,character varying'
                           WHEN 'time' THEN 'timestamp without time zone,timestamp with time zone'
                           ELSE ts END, ','), n.n
    FROM (VALUES
        (4, 'authenticatable', 'ip', NULL, 0, ''),
        (4, 'node', 'api_key', NULL, 0, ''),
        (5, 'authenticatable', 'keycloak_id', 'text,character varying,uuid', 0, 'SELECT'),
        (0, 'authenticatable', 'id', 'integer', 0, 'SELECT'),
        (0, 'authenticatable', 'type', 'text', 0, 'SELECT'),
        (0, 'authenticatable', 'status', 'text', 7, 'SELECT,UPDATE'),
        (0, 'authenticatable', 'last_seen', 'time', 0, 'SELECT,UPDATE'),
        (0, 'node', 'id, organization_id, collaboration_id', 'integer', 0, 'SELECT'),
        (0, 'node', 'name', 'text', 0, 'SELECT'),
        (0, 'user', 'id, organization_id', 'integer', 0, 'SELECT'),
        (0, 'user', 'username', 'text', 0, 'SELECT'),
        (0, 'collaboration', 'id', 'integer', 0, 'SELECT'),
        (0, 'Member', 'organization_id, collaboration_id', 'integer', 0, 'SELECT'),
        (0, 'Permission', 'role_id, user_id', 'integer', 0, 'SELECT'),
        (0, 'UserPermission', 'rule_id, user_id', 'integer', 0, 'SELECT'),
        (0, 'role_rule_association', 'role_id, rule_id', 'integer', 0, 'SELECT'),
        (0, 'rule', 'id', 'integer', 0, 'SELECT'),
        (0, 'rule', 'name', 'text', 0, 'SELECT'),
        (0, 'rule', 'operation, scope', 'text,character varying,anyenum', 0, 'SELECT'),
        (0, 'task', 'id, collaboration_id, parent_id, job_id', 'integer', 0, 'SELECT'),
        (0, 'run', 'id, task_id, organization_id', 'integer', 0, 'SELECT'),
        (0, 'run', 'status', 'text', 14, 'SELECT,UPDATE'),
        (0, 'run', 'finished_at', 'time', 0, 'SELECT,UPDATE'),
        (0, 'run', 'log', 'text', NULL, 'SELECT,UPDATE'),
        (5, 'task_depends_on', 'task_id, depends_on_id', 'integer', 0, 'SELECT'),
        (5, 'dataframetobedeletedatnode', 'id, session_id, node_id', 'integer', 0, 'SELECT'),
        (5, 'dataframetobedeletedatnode', 'dataframe_name', 'text', 0, 'SELECT'),
        (0, 'nodeconfig', 'id', 'integer', 0, 'SELECT,INSERT'),
        (0, 'nodeconfig', 'node_id', 'integer', 0, 'SELECT,INSERT'),
        (0, 'nodeconfig', 'key', 'text', NULL, 'SELECT,INSERT'),
        (0, 'nodeconfig', 'value', 'text', NULL, 'SELECT,INSERT,UPDATE') -- UPDATE: to lock a row
    ) AS n (v, t, cs, ts, n, p), unnest(string_to_array(cs, ',')) AS c
    WHERE v IN (0, version)
$$;
COMMENT ON FUNCTION hq_columns(integer) IS
    'Columns of HQ version 4 or 5 that the extension needs, the types that work, and the agent''s '
    'privileges on each.';

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

CREATE FUNCTION hq_unfit(schema name, version integer) RETURNS SETOF text
    LANGUAGE sql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    SELECT format('%I.%I: expected %s%s, found %s', c.table_name, c.column_name,
                  replace(array_to_string(c.types, ' or '), 'anyenum', 'an enum'),
                  CASE WHEN c.characters > 0 THEN format(' of at least %s characters', c.characters)
                       WHEN c.characters IS NULL THEN ' without a bound' END,
                  format_type(a.atttypid, a.atttypmod)
                  || CASE WHEN a.attgenerated <> '' OR a.attidentity = 'a'
                          THEN ', generated' ELSE '' END)
    FROM hq_columns(version) AS c
    JOIN pg_class AS t ON t.relname = c.table_name AND t.relkind IN ('r', 'p')
        AND t.relnamespace = (SELECT s.oid FROM pg_namespace AS s WHERE s.nspname = schema)
    JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attname = c.column_name AND a.attnum > 0
    JOIN pg_type AS y ON y.oid = a.atttypid
    WHERE NOT (format_type(a.atttypid, NULL) = ANY (c.types)
               OR y.typtype = 'e' AND 'anyenum' = ANY (c.types))
       -- The modifier of text is its bound, and 4.
       OR a.atttypid <> 'timestamp'::regtype AND a.atttypid <> 'timestamptz'::regtype
          AND a.atttypmod > 0 AND (a.atttypmod - 4 >= c.characters) IS NOT TRUE
       OR (a.attgenerated <> '' OR a.attidentity = 'a') AND c.privileges && '{INSERT,UPDATE}'
          AND c.column_name <> 'id' -- written OVERRIDING SYSTEM VALUE
    ORDER BY c.table_name COLLATE "C", a.attnum
$$;
COMMENT ON FUNCTION hq_unfit(name, integer) IS
    'The columns of HQ version 4 or 5 in the schema of types that the extension cannot use.';

CREATE FUNCTION hq_version(schema name) RETURNS integer
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    missing4 text[] := ARRAY(SELECT hq_missing(schema, 4));
    missing5 text[] := ARRAY(SELECT hq_missing(schema, 5));
    unfit text[];
    closest integer;
    found_version integer;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_namespace AS n WHERE n.nspname = schema) THEN
        RAISE EXCEPTION 'schema "%" does not exist', schema
            USING ERRCODE = 'V6002', HINT = 'Name the schema that holds the tables of vantage6.';
    END IF;
    found_version := CASE WHEN cardinality(missing5) = 0 THEN 5
                          WHEN cardinality(missing4) = 0 THEN 4 END;
    IF found_version IS NOT NULL THEN
        unfit := ARRAY(SELECT hq_unfit(schema, found_version));
        IF cardinality(unfit) = 0 THEN
            RETURN found_version;
        END IF;
        RAISE EXCEPTION 'schema "%" has columns of types that vantage6_events cannot use', schema
            USING ERRCODE = 'V6002', DETAIL = array_to_string(unfit, E'\n'),
            HINT = 'Give the columns such types (ALTER TABLE ... ALTER COLUMN ... TYPE), or '
                'install a version of vantage6_events that knows those of this HQ.';
    END IF;
    closest := CASE WHEN cardinality(missing4) < cardinality(missing5) THEN 4 ELSE 5 END;
    RAISE EXCEPTION 'schema "%" holds neither vantage6 server 4 nor HQ 5', schema
        USING ERRCODE = 'V6002',
        DETAIL = format('It is closest to version %s, and lacks: %s.', closest, array_to_string(
            CASE closest WHEN 4 THEN missing4 ELSE missing5 END, ', ')),
        HINT = 'Name the schema that holds the tables of vantage6, of version 4 or 5.';
END $$;
COMMENT ON FUNCTION hq_version(name) IS
    'The HQ version, 4 or 5, whose tables the schema holds; V6002 and what is missing if neither, '
    'or which columns have types that do not work.';

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
    SELECT CASE WHEN r.rolsuper THEN coalesce((
               SELECT s.rolname FROM attachment AS a JOIN pg_roles AS s ON s.oid = a.agent
               WHERE a.separate AND a.hq_schema = schema), 'vantage6_events')
           ELSE r.rolname END
    FROM pg_roles AS r WHERE r.rolname = hq_owner(schema)
$$;
COMMENT ON FUNCTION hq_agent(name) IS
    'The role that is to own what touches HQ''s rows: the owner of HQ''s tables, or, if that is a '
    'superuser, the role that was made for it as vantage6_events.';
