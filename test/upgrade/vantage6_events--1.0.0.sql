-- vantage6_events: tells the Socket.IO clients of vantage6 what was committed in its database.
--
-- HQ         the vantage6 server (version 4) or HQ (version 5), whose tables are in this database
-- principal  a node or a user of HQ: a row of authenticatable
-- agent      the role that owns what touches HQ's rows: the owner of HQ's tables, or, if that is a
--            superuser, the NOLOGIN role vantage6_events. Never a superuser
-- logic      a function X_logic of the extension, SECURITY INVOKER, that touches HQ's rows. attach()
--            makes of each a function X, SECURITY DEFINER, owned by the agent
--
-- Refusals and their SQLSTATEs:
--   V6001  open: not attached                       V6101  emit: bad namespace
--   V6002  attach: neither HQ 4 nor HQ 5            V6102  emit: bad room
--   V6003  attach: attached to another schema       V6103  emit: NULL room, or none
--   V6004  attach: owner of the tables is unclear,  V6104  emit: too many rooms
--          not you, or the agent is open to others  V6105  emit: bad event name
--   V6005  open: what attach() made is not whole    V6106  emit: reserved event name
--   V6006  open: a standby                          V6107  emit: larger than max_payload
--   V6007  open: server_encoding is SQL_ASCII       V6108  emit: durable, with rooms of others
--   V6008  open: version of pushd not supported            than nodes
--   V6009  open: bad instance name                  0A000  emit: durable or ttl (later version)
--   V6010  connect, receive: the incarnation ended
--
-- Settings (superuser, or ALTER DATABASE by one): vantage6_events.max_payload, .retention,
-- .drain_grace, .epoch_grace.
\echo Use "CREATE EXTENSION vantage6_events" to load this file. \quit

-- Whoever may create functions in the schema could put his own before ours.
DO $$
BEGIN
    IF NOT (SELECT r.rolsuper FROM pg_catalog.pg_namespace n
            JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
            WHERE n.nspname = 'vantage6_events') THEN
        RAISE EXCEPTION 'the schema vantage6_events belongs to a role that is not a superuser'
            USING HINT = 'Drop or rename it; CREATE EXTENSION makes its own.';
    END IF;
END
$$;

COMMENT ON SCHEMA vantage6_events IS
    'Objects of the extension vantage6_events, and those that its attach() makes';

CREATE FUNCTION timeline() RETURNS integer
    LANGUAGE c STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'v6e_sql_timeline';
COMMENT ON FUNCTION timeline() IS
    'The timeline that is being written now; an error on a standby. Owned by the extension.';

CREATE FUNCTION system_id() RETURNS text
    LANGUAGE c IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'v6e_sql_system_id';
COMMENT ON FUNCTION system_id() IS
    'The system identifier of this cluster, decimal. Owned by the extension.';

CREATE FUNCTION setting(name text) RETURNS text
    LANGUAGE c STABLE STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'v6e_sql_setting';
COMMENT ON FUNCTION setting(text) IS
    'The value of vantage6_events.<name> with its unit, as SHOW gives it; also before the module '
    'is loaded. An error if there is no such setting. Owned by the extension.';
-- The event log.
--
-- event  one row per event, inserted in the transaction that it tells of; never updated
-- slot   one of the three partitions. Time is cut into turns of vantage6_events.retention; turn n
--        writes slot n % 3, so that a slot can be emptied while its two neighbours are kept
-- bell   the empty notification on channel vantage6_events that follows each commit with events
--
-- Events are not dumped: their xids mean nothing in another cluster. The ids are, so that no id
-- ever names two events.

CREATE TABLE event (
    slot smallint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1),
    xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    tli integer NOT NULL,
    emitted_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    namespace text NOT NULL,
    rooms text[] NOT NULL,
    name text NOT NULL,
    payload text NOT NULL,
    durable boolean NOT NULL DEFAULT false,
    except_principal integer,
    CONSTRAINT event_key PRIMARY KEY (slot, id)
) PARTITION BY LIST (slot);
CREATE TABLE event_0 PARTITION OF event FOR VALUES IN (0);
CREATE TABLE event_1 PARTITION OF event FOR VALUES IN (1);
CREATE TABLE event_2 PARTITION OF event FOR VALUES IN (2);
CREATE INDEX event_id ON event (id);
CREATE INDEX event_xid_id ON event (xid, id);

COMMENT ON TABLE event IS 'Events, as they go out to clients; a ring of three partitions';
COMMENT ON COLUMN event.slot IS 'Partition: turn of retention in which the transaction began, modulo 3';
COMMENT ON COLUMN event.id IS 'Order of events: whoever saw another event committed drew a greater id';
COMMENT ON COLUMN event.xid IS 'Top-level transaction that emitted the event';
COMMENT ON COLUMN event.tli IS 'Timeline that the event was written on';
COMMENT ON COLUMN event.emitted_at IS 'Start of the transaction that emitted the event';
COMMENT ON COLUMN event.namespace IS 'Socket.IO namespace';
COMMENT ON COLUMN event.rooms IS 'A client in any of these rooms receives the event, once';
COMMENT ON COLUMN event.name IS 'Name of the event';
COMMENT ON COLUMN event.payload IS 'JSON array without spaces: the name, then the arguments';
COMMENT ON COLUMN event.durable IS 'Whether delivery outlives a connection; always false in 1.0.0';
COMMENT ON COLUMN event.except_principal IS 'A principal that does not receive the event, or NULL';
COMMENT ON INDEX event_id IS 'Reading what is new, in order';
COMMENT ON INDEX event_xid_id IS 'Reading what was open when the last read was made';

DO $$
DECLARE
    part regclass;
    col record;
BEGIN
    FOREACH part IN ARRAY ARRAY['vantage6_events.event_0', 'vantage6_events.event_1',
                                'vantage6_events.event_2']::regclass[] LOOP
        EXECUTE format('COMMENT ON TABLE %s IS %L', part, 'One slot of the ring of events');
        FOR col IN SELECT attname, attnum FROM pg_catalog.pg_attribute
                   WHERE attrelid = part AND attnum > 0 LOOP
            EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', part, col.attname,
                           pg_catalog.col_description('vantage6_events.event'::regclass, col.attnum));
        END LOOP;
    END LOOP;
END
$$;
COMMENT ON SEQUENCE event_id_seq IS 'Ids of events; dumped, unlike the events';
SELECT pg_catalog.pg_extension_config_dump('vantage6_events.event_id_seq', '');
-- What the extension remembers besides the log.
--
-- instance     a running vantage6-pushd; each open() of one is an incarnation with its own number
-- lease        a client that is connected, kept by the incarnation that holds its socket
-- pending      a principal whose presence is to be looked at, and when
-- announced    what clients were last told of a principal's presence
-- epoch        a value that changes whenever the leases may have been lost
-- attachment   the HQ that this extension is attached to
--
-- Leases and all that lives with them is UNLOGGED: a crash empties it, and the empty epoch tells.

CREATE SEQUENCE incarnation;
COMMENT ON SEQUENCE incarnation IS 'Numbers of incarnations; logged, so that a crash gives none out again';

CREATE UNLOGGED TABLE instance (
    incarnation bigint PRIMARY KEY DEFAULT pg_catalog.nextval('vantage6_events.incarnation'),
    name text NOT NULL UNIQUE,
    version text NOT NULL,
    opened_at timestamptz NOT NULL,
    beat_at timestamptz NOT NULL,
    taken_seq bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE instance IS 'Running instances of vantage6-pushd';
COMMENT ON COLUMN instance.incarnation IS 'Number of this opening; its session holds the advisory lock of it';
COMMENT ON COLUMN instance.name IS 'Name that the daemon gave itself';
COMMENT ON COLUMN instance.version IS 'Version of the daemon';
COMMENT ON COLUMN instance.opened_at IS 'When it called open()';
COMMENT ON COLUMN instance.beat_at IS 'When it last called beat()';
COMMENT ON COLUMN instance.taken_seq IS 'Last sequence number that receive() has taken from it';

CREATE UNLOGGED TABLE lease (
    sid text PRIMARY KEY,
    incarnation bigint NOT NULL,
    nsp text NOT NULL,
    principal_id integer NOT NULL,
    kind text NOT NULL,
    transport text,
    address text,
    connected_at timestamptz NOT NULL,
    expires_at timestamptz
);
CREATE INDEX lease_principal_id ON lease (principal_id);
CREATE INDEX lease_incarnation ON lease (incarnation);
COMMENT ON TABLE lease IS 'Connected clients whose principal is known';
COMMENT ON COLUMN lease.sid IS 'Socket.IO id of the client''s connection to one namespace';
COMMENT ON COLUMN lease.incarnation IS 'Incarnation that holds the connection';
COMMENT ON COLUMN lease.nsp IS 'Socket.IO namespace';
COMMENT ON COLUMN lease.principal_id IS 'Principal that the client''s token names';
COMMENT ON COLUMN lease.kind IS 'node or user';
COMMENT ON COLUMN lease.transport IS 'websocket or polling, when it was registered';
COMMENT ON COLUMN lease.address IS 'Network address of the client, as the daemon sees it';
COMMENT ON COLUMN lease.connected_at IS 'When it was registered with this incarnation';
COMMENT ON COLUMN lease.expires_at IS 'When the client''s token expires, or NULL';
COMMENT ON INDEX lease_principal_id IS 'Is this principal connected?';
COMMENT ON INDEX lease_incarnation IS 'Ending an incarnation';

-- Rows are only added and taken away, so that a connecting client never waits for a reconciliation.
CREATE UNLOGGED TABLE pending (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    principal_id integer NOT NULL,
    due timestamptz NOT NULL
);
CREATE INDEX pending_due ON pending (due);
CREATE INDEX pending_principal_id ON pending (principal_id, due);
COMMENT ON TABLE pending IS 'Principals whose presence is to be reconciled';
COMMENT ON COLUMN pending.id IS 'Key';
COMMENT ON COLUMN pending.principal_id IS 'The principal; may have several rows';
COMMENT ON COLUMN pending.due IS 'Not before this time';
COMMENT ON SEQUENCE pending_id_seq IS 'Keys of pending';
COMMENT ON INDEX pending_due IS 'What is due?';
COMMENT ON INDEX pending_principal_id IS 'Does a grace run for this principal?';

CREATE TABLE announced (
    principal_id integer PRIMARY KEY,
    kind text NOT NULL,
    name text,
    organization_id integer,
    online boolean NOT NULL,
    rooms text[] NOT NULL,
    changed_at timestamptz NOT NULL
);
COMMENT ON TABLE announced IS 'What clients were last told of each principal''s presence';
COMMENT ON COLUMN announced.principal_id IS 'The principal';
COMMENT ON COLUMN announced.kind IS 'node or user';
COMMENT ON COLUMN announced.name IS 'Name under which it was announced';
COMMENT ON COLUMN announced.organization_id IS 'Organization under which it was announced';
COMMENT ON COLUMN announced.online IS 'Whether it was announced as connected';
COMMENT ON COLUMN announced.rooms IS 'Public rooms that it was announced to have joined';
COMMENT ON COLUMN announced.changed_at IS 'When that was announced';
SELECT pg_catalog.pg_extension_config_dump('vantage6_events.announced', '');

CREATE UNLOGGED TABLE epoch (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    value text NOT NULL
);
COMMENT ON TABLE epoch IS 'The present epoch; one row, none after a crash or a failover until the next open()';
COMMENT ON COLUMN epoch.one IS 'Keeps the table at one row';
COMMENT ON COLUMN epoch.value IS 'system identifier - timeline - random value';

-- Keyed by the transaction too: two transactions never wait for each other here.
CREATE UNLOGGED TABLE announced_task (
    task_id integer NOT NULL,
    organization_id integer NOT NULL,
    xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    PRIMARY KEY (task_id, organization_id, xid)
);
COMMENT ON TABLE announced_task IS
    'Tasks that a transaction has announced to an organization''s nodes; beat() removes the rows of '
    'transactions that have ended';
COMMENT ON COLUMN announced_task.task_id IS 'Task';
COMMENT ON COLUMN announced_task.organization_id IS 'Organization whose nodes were told';
COMMENT ON COLUMN announced_task.xid IS 'Transaction that told them';

CREATE TABLE node_at (
    node_id integer PRIMARY KEY,
    organization_id integer NOT NULL,
    collaboration_id integer NOT NULL
);
CREATE INDEX node_at_place ON node_at (organization_id, collaboration_id, node_id);
COMMENT ON INDEX node_at_place IS 'Which node is it?';
COMMENT ON TABLE node_at IS
    'Which node an organization has in a collaboration: HQ''s table has no index to ask for it. '
    'Filled by attach(), kept by a trigger';
COMMENT ON COLUMN node_at.organization_id IS 'Organization';
COMMENT ON COLUMN node_at.collaboration_id IS 'Collaboration';
COMMENT ON COLUMN node_at.node_id IS 'Node';
SELECT pg_catalog.pg_extension_config_dump('vantage6_events.node_at', '');

-- Roles are kept by name: they outlive a dump.
CREATE TABLE attachment (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    hq_schema name NOT NULL,
    hq_version integer NOT NULL CHECK (hq_version IN (4, 5)),
    agent name NOT NULL,
    attached_at timestamptz NOT NULL
);
COMMENT ON TABLE attachment IS 'The HQ that the extension is attached to; one row, or none';
COMMENT ON COLUMN attachment.one IS 'Keeps the table at one row';
COMMENT ON COLUMN attachment.hq_schema IS 'Schema of HQ''s tables';
COMMENT ON COLUMN attachment.hq_version IS '4 or 5';
COMMENT ON COLUMN attachment.agent IS 'Role that owns what touches HQ''s rows';
COMMENT ON COLUMN attachment.attached_at IS 'When attach() was last run';
SELECT pg_catalog.pg_extension_config_dump('vantage6_events.attachment', '');

CREATE TABLE granted (
    grantee name NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('hq', 'pushd')),
    PRIMARY KEY (grantee, purpose)
);
COMMENT ON TABLE granted IS 'Roles that grant_hq() and grant_pushd() were called for; attach() grants them again';
COMMENT ON COLUMN granted.grantee IS 'Role';
COMMENT ON COLUMN granted.purpose IS 'hq or pushd';
SELECT pg_catalog.pg_extension_config_dump('vantage6_events.granted', '');
-- emit: what HQ and operators call. announce: what the extension's own functions call.
--
-- They write to the log only and touch no row of HQ, so they may belong to the extension's owner.

DO $$
DECLARE
    args_type text;
    rooms_arg text;
    kind text;
BEGIN
    FOREACH args_type IN ARRAY ARRAY['json', 'jsonb', 'text'] LOOP
        FOREACH rooms_arg IN ARRAY ARRAY['room text', 'rooms text[]'] LOOP
            kind := args_type || '_' || split_part(rooms_arg, ' ', 1);
            EXECUTE format(
                'CREATE FUNCTION vantage6_events.emit(event text, args %s, %s,'
                ' namespace text DEFAULT ''/tasks'', durable boolean DEFAULT false,'
                ' ttl interval DEFAULT NULL) RETURNS bigint'
                ' LANGUAGE c VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp'
                ' AS ''MODULE_PATHNAME'', %L', args_type, rooms_arg, 'v6e_emit_' || kind);
            EXECUTE format(
                'COMMENT ON FUNCTION vantage6_events.emit(text, %s, %s, text, boolean, interval)'
                ' IS %L', args_type, split_part(rooms_arg, ' ', 2),
                'Sends an event to the clients in the room or rooms, when the transaction commits; '
                'returns its id. args: a JSON array is the list of arguments, any other value the '
                'only one, NULL none. durable and ttl are refused in 1.0.0. Errors: V6101-V6108, '
                '0A000; 22P02 for text that is no JSON. Owned by the extension.');
        END LOOP;
    END LOOP;
END
$$;

CREATE FUNCTION announce(event text, args json, rooms text[],
                         except_principal integer DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'v6e_announce';
COMMENT ON FUNCTION announce(text, json, text[], integer) IS
    'As emit to namespace /tasks, but one principal does not receive it, and max_payload does not '
    'count: HQ''s own write would fail. For the agent only. '
    'Owned by the extension.';
-- HQ's tables: what the extension needs of them, and which HQ a schema holds.
--
-- Columns are taken by name; one that is listed without a privilege only tells the versions apart
-- or is read by a trigger from the row that it gets.

CREATE FUNCTION hq_columns(version integer)
    RETURNS TABLE (table_name text, column_name text, privileges text[])
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
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
        (0, 'run', 'id, task_id, organization_id, status', ''),
        (0, 'nodeconfig', 'id, node_id, key', 'SELECT'),
        (0, 'nodeconfig', 'value', 'SELECT,UPDATE') -- UPDATE: to lock a row before deleting it
    ) AS n (v, t, cs, p), unnest(string_to_array(cs, ',')) AS c
    WHERE v IN (0, version)
$$;
COMMENT ON FUNCTION hq_columns(integer) IS
    'Columns of HQ version 4 or 5 that the extension needs, and the agent''s privileges on each '
    '(besides DELETE on nodeconfig). Owned by the extension.';

CREATE FUNCTION hq_missing(schema name, version integer) RETURNS SETOF text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (CASE WHEN t.oid IS NULL THEN format('table %I', n.table_name)
                 ELSE format('column %I.%I', n.table_name, n.column_name) END) COLLATE "C" AS item
    FROM vantage6_events.hq_columns(version) AS n
    LEFT JOIN pg_class AS t
        ON t.relname = n.table_name AND t.relkind IN ('r', 'p')
        AND t.relnamespace = (SELECT s.oid FROM pg_namespace AS s WHERE s.nspname = schema)
    WHERE NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = t.oid
                      AND a.attname = n.column_name AND a.attnum > 0 AND NOT a.attisdropped)
    GROUP BY item
    ORDER BY item
$$;
COMMENT ON FUNCTION hq_missing(name, integer) IS
    'Tables and columns of HQ version 4 or 5 that the schema lacks. Owned by the extension.';

CREATE FUNCTION hq_version(schema name) RETURNS integer
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing4 text[] := ARRAY(SELECT vantage6_events.hq_missing(schema, 4));
    missing5 text[] := ARRAY(SELECT vantage6_events.hq_missing(schema, 5));
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
END
$$;
COMMENT ON FUNCTION hq_version(name) IS
    'The HQ version, 4 or 5, whose tables the schema holds; V6002 and all that is missing if it '
    'holds neither. Owned by the extension.';

CREATE FUNCTION hq_owner(schema name) RETURNS name
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    version integer := vantage6_events.hq_version(schema);
    owners name[];
BEGIN
    owners := ARRAY(
        SELECT DISTINCT pg_get_userbyid(t.relowner) FROM pg_class AS t
        JOIN pg_namespace AS s ON s.oid = t.relnamespace
        WHERE s.nspname = schema AND t.relkind IN ('r', 'p')
          AND t.relname IN (SELECT c.table_name FROM vantage6_events.hq_columns(version) AS c)
        ORDER BY 1);
    IF cardinality(owners) > 1 THEN
        RAISE EXCEPTION 'the tables of schema "%" belong to several roles', schema
            USING ERRCODE = 'V6004', DETAIL = 'Owners: ' || array_to_string(owners, ', ') || '.',
            HINT = 'Give all tables of vantage6 to one role (ALTER TABLE ... OWNER TO).';
    END IF;
    RETURN owners[1];
END
$$;
COMMENT ON FUNCTION hq_owner(name) IS
    'The role that owns all tables of HQ in the schema; V6004 if there are several. Owned by the '
    'extension.';

CREATE FUNCTION hq_agent(schema name) RETURNS name
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN r.rolsuper THEN 'vantage6_events' ELSE r.rolname END
    FROM pg_roles AS r WHERE r.rolname = vantage6_events.hq_owner(schema)
$$;
COMMENT ON FUNCTION hq_agent(name) IS
    'The role that is to own what touches HQ''s rows: the owner of HQ''s tables, or, if that is a '
    'superuser, vantage6_events. Owned by the extension.';
-- Rooms: who may hear what.
--
-- public room   all_nodes, collaboration_<id>, collaboration_<id>_organization_<id>: those of
--               today's server; joining and leaving one (but all_nodes) is announced
-- private room  node_<id>, user_<id>, everyone, and <public room>/nodes, <public room>/users; never
--               announced, so that an event can be addressed to one side only
--
-- They are read from the adapter views that attach() makes, whose rows may be duplicated.

CREATE FUNCTION public_rooms_of(principals integer[])
    RETURNS TABLE (principal_id integer, room text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    WITH p AS (
        SELECT * FROM vantage6_events.principal AS q WHERE q.id = ANY (principals)
    ), scope AS ( -- of each user the widest
        SELECT r.user_id, min(array_position(ARRAY['global', 'collaboration', 'organization'],
                                             r.scope)) AS n
        FROM vantage6_events.event_rule AS r WHERE r.user_id = ANY (principals)
        GROUP BY r.user_id
    )
    SELECT p.id, 'all_nodes' FROM p WHERE p.kind = 'node'
    UNION SELECT p.id, 'collaboration_' || p.collaboration_id FROM p
        WHERE p.kind = 'node' AND p.collaboration_id IS NOT NULL
    UNION SELECT p.id, 'collaboration_' || p.collaboration_id || '_organization_' || p.organization_id
        FROM p WHERE p.kind = 'node' AND p.collaboration_id IS NOT NULL
               AND p.organization_id IS NOT NULL
    UNION SELECT p.id, 'collaboration_' || c.id
        FROM p JOIN scope AS s ON s.user_id = p.id AND s.n = 1
        CROSS JOIN vantage6_events.collaboration AS c WHERE p.kind = 'user'
    UNION SELECT p.id, 'collaboration_' || m.collaboration_id
            || CASE WHEN s.n = 3 THEN '_organization_' || p.organization_id ELSE '' END
        FROM p JOIN scope AS s ON s.user_id = p.id AND s.n IN (2, 3)
        JOIN vantage6_events.membership AS m ON m.organization_id = p.organization_id
        WHERE p.kind = 'user' AND m.collaboration_id IS NOT NULL;
END
$$;
COMMENT ON FUNCTION public_rooms_of(integer[]) IS
    'The public rooms of each of the principals, as of this statement. For the agent only; owned by the '
    'extension.';

CREATE FUNCTION rooms_of(principals integer[])
    RETURNS TABLE (principal_id integer, room text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    WITH p AS (
        SELECT q.id, q.kind FROM vantage6_events.principal AS q WHERE q.id = ANY (principals)
    ), public AS (
        SELECT r.principal_id AS id, r.room FROM vantage6_events.public_rooms_of(principals) AS r
    )
    SELECT public.id, public.room FROM public
    UNION ALL SELECT p.id, public.room || '/' || p.kind || 's' FROM public JOIN p USING (id)
        WHERE public.room <> 'all_nodes'
    UNION ALL SELECT p.id, p.kind || '_' || p.id FROM p
    UNION ALL SELECT p.id, 'everyone' FROM p;
END
$$;
COMMENT ON FUNCTION rooms_of(integer[]) IS
    'All rooms, public and private, of each of the principals, as of this statement. For the agent '
    'only; owned by the extension.';

CREATE FUNCTION rooms_logic(principal integer) RETURNS SETOF text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT r.room FROM vantage6_events.rooms_of(ARRAY[principal]) AS r
                 ORDER BY r.room COLLATE "C";
END
$$;
COMMENT ON FUNCTION rooms_logic(integer) IS
    'The rooms of a principal, public and private, sorted; none if it does not exist. Owned by the agent.';

CREATE FUNCTION may_receive_logic(principal integer, room text) RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN EXISTS (SELECT FROM vantage6_events.rooms_of(ARRAY[principal]) AS r
                   WHERE r.room = may_receive_logic.room);
END
$$;
COMMENT ON FUNCTION may_receive_logic(integer, text) IS
    'Whether the principal is in the room when it is connected. Owned by the agent.';
-- What changes of HQ's tables announce. attach() puts triggers on them that call these functions
-- with the fields of the row. None scans a table of HQ: tasks are looked up by their key.
--
-- C   room collaboration_<id>
-- CO  room collaboration_<id>_organization_<id>

CREATE FUNCTION announce_run(task_id integer, organization_id integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t record;
    event text;
    args json;
    c text;
    co text;
BEGIN
    SELECT k.id, k.parent_id, k.collaboration_id INTO t FROM vantage6_events.task AS k
    WHERE k.id = announce_run.task_id;
    IF t.collaboration_id IS NULL OR organization_id IS NULL THEN
        RETURN; -- nobody's room
    END IF;
    event := (SELECT CASE a.hq_version WHEN 4 THEN 'new_task' ELSE 'new_task_update' END
              FROM vantage6_events.attachment AS a);
    args := json_build_object('id', t.id, 'parent_id', t.parent_id);
    c := 'collaboration_' || t.collaboration_id;
    co := c || '_organization_' || organization_id;

    -- A node may run twice what it hears twice.
    INSERT INTO vantage6_events.announced_task (task_id, organization_id)
    VALUES (t.id, announce_run.organization_id) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        PERFORM vantage6_events.announce(event, args, ARRAY[co || '/nodes']);
    END IF;
    -- No row tells which run is the last: users hear of each.
    PERFORM vantage6_events.announce(event, args, ARRAY[c || '/users', co || '/users']);
END
$$;
COMMENT ON FUNCTION announce_run(integer, integer) IS
    'A run was inserted: announces its task, to the nodes of its organization once per transaction, '
    'to users with every run. For the agent only; owned by the extension.';

CREATE FUNCTION announce_status(run_id integer, task_id integer, organization_id integer,
                                 status text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t record;
    rooms text[];
BEGIN
    SELECT k.id, k.job_id, k.parent_id, k.collaboration_id INTO t FROM vantage6_events.task AS k
    WHERE k.id = announce_status.task_id;
    IF t.collaboration_id IS NULL THEN
        RETURN;
    END IF;
    rooms := ARRAY['collaboration_' || t.collaboration_id];
    IF organization_id IS NOT NULL THEN
        rooms := rooms || (rooms[1] || '_organization_' || organization_id);
    END IF;
    PERFORM vantage6_events.announce('status_update', json_build_object('run_id', run_id), rooms);
    PERFORM vantage6_events.announce('algorithm_status_change', json_build_object(
        'status', left(status, 1000), -- HQ bounds no text, and a client's queue is bounded
        'run_id', run_id,
        'task_id', t.id,
        'job_id', t.job_id,
        'collaboration_id', t.collaboration_id,
        'node_id', (SELECT min(n.node_id) FROM vantage6_events.node_at AS n
                    WHERE n.organization_id = announce_status.organization_id
                      AND n.collaboration_id = t.collaboration_id),
        'organization_id', organization_id,
        'parent_id', t.parent_id), rooms);
END
$$;
COMMENT ON FUNCTION announce_status(integer, integer, integer, text) IS
    'A run''s status changed: announces status_update and algorithm_status_change to C and CO. '
    'For the agent only; owned by the extension.';

CREATE FUNCTION place_node(node_id integer, organization_id integer,
                                 collaboration_id integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF organization_id IS NULL OR collaboration_id IS NULL THEN
        DELETE FROM vantage6_events.node_at AS n WHERE n.node_id = place_node.node_id;
    ELSE
        INSERT INTO vantage6_events.node_at AS n (node_id, organization_id, collaboration_id)
        VALUES (place_node.node_id, place_node.organization_id, place_node.collaboration_id)
        ON CONFLICT ON CONSTRAINT node_at_pkey DO UPDATE
        SET organization_id = excluded.organization_id, collaboration_id = excluded.collaboration_id
        WHERE (n.organization_id, n.collaboration_id)
              <> (excluded.organization_id, excluded.collaboration_id);
    END IF;
END
$$;
COMMENT ON FUNCTION place_node(integer, integer, integer) IS
    'A node was inserted, moved, or deleted (then with NULL, NULL): keeps node_at. For the agent only; '
    'owned by the extension.';

CREATE FUNCTION displace_nodes() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM vantage6_events.node_at;
END
$$;
COMMENT ON FUNCTION displace_nodes() IS
    'HQ''s node table was emptied: so is node_at. For the agent only; owned by the extension.';

CREATE FUNCTION trigger_template()
    RETURNS TABLE (name text, on_table text, timing text, condition text, call text)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    VALUES
    ('on_run_inserted', 'run', 'AFTER INSERT', '',
     'announce_run(NEW.task_id, NEW.organization_id)'),
    ('on_run_status', 'run', 'AFTER UPDATE', 'WHEN (OLD.status IS DISTINCT FROM NEW.status)',
     'announce_status(NEW.id, NEW.task_id, NEW.organization_id, NEW.status)'),
    ('on_node_moved', 'node', 'AFTER INSERT OR UPDATE', '',
     'place_node(NEW.id, NEW.organization_id, NEW.collaboration_id)'),
    ('on_node_deleted', 'node', 'AFTER DELETE', '', 'place_node(OLD.id, NULL, NULL)'),
    ('on_nodes_truncated', 'node', 'AFTER TRUNCATE', '', 'displace_nodes()')
$$;
COMMENT ON FUNCTION trigger_template() IS
    'The trigger functions that attach() makes, and where it puts them as triggers '
    'vantage6_events_<name>. Owned by the extension.';
-- Presence: what HQ's rows and the clients are told of who is connected.
--
-- The leases say who is connected, the announced rows what was last told. presence() reconciles the
-- two, one principal at a time under the lock of its announced row, and tells the difference. So
-- the late end of an old connection harms nobody, and two daemons tell nothing twice.
--
-- grace  a principal without a lease counts as present while a row of pending for it is not yet due
--
-- Rows of HQ are taken if nobody else holds them, else the principal's turn comes a second later:
-- neither side ever waits for the other.

CREATE FUNCTION utc_now() RETURNS timestamp
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$ SELECT clock_timestamp() AT TIME ZONE 'UTC' $$;
COMMENT ON FUNCTION utc_now() IS
    'The time as HQ keeps it: UTC, without time zone, whatever the setting TimeZone. Owned by the '
    'extension.';

CREATE FUNCTION expect(principals integer[], grace interval) RETURNS void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO vantage6_events.pending (principal_id, due)
    SELECT p, clock_timestamp() + grace FROM (SELECT DISTINCT unnest(principals) AS p) AS x
    ORDER BY p
$$;
COMMENT ON FUNCTION expect(integer[], interval) IS
    'Makes the principals pending after the grace. For the agent only; owned by the extension.';

-- Tells that a principal left and joined rooms. Users' names go to users only.
CREATE FUNCTION announce_rooms(kind text, name text, left_rooms text[], joined_rooms text[])
    RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    room text;
    suffix text := CASE kind WHEN 'node' THEN '' ELSE '/users' END;
    who text := left(name, 1000);
BEGIN
    FOREACH room IN ARRAY array_remove(left_rooms, 'all_nodes') LOOP
        PERFORM vantage6_events.announce(
            'message', to_json(who || ' left room ' || room), ARRAY[room || suffix]);
    END LOOP;
    FOREACH room IN ARRAY array_remove(joined_rooms, 'all_nodes') LOOP
        PERFORM vantage6_events.announce(
            'message', to_json(initcap(kind) || ' <' || who || '> joined room <' || room || '>'),
            ARRAY[room || suffix]);
    END LOOP;
END
$$;
COMMENT ON FUNCTION announce_rooms(text, text, text[], text[]) IS
    'Sends the messages that a principal left and joined public rooms. For the agent only; owned '
    'by the extension.';

CREATE FUNCTION announce_node(event text, node announced) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rooms text[] := array_remove(node.rooms, 'all_nodes');
BEGIN
    IF cardinality(rooms) > 0 THEN
        PERFORM vantage6_events.announce(event, json_build_object(
            'id', node.principal_id, 'name', left(node.name, 1000), 'org_id', node.organization_id),
            rooms, node.principal_id);
    END IF;
END
$$;
COMMENT ON FUNCTION announce_node(text, announced) IS
    'Sends node-online or node-offline to the node''s rooms, not to the node. For the agent only; '
    'owned by the extension.';

-- Takes the row of HQ and writes the status; false if somebody else holds it.
CREATE FUNCTION write_status(principal integer, online boolean) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted text := CASE WHEN online THEN 'online' ELSE 'offline' END;
    was record;
BEGIN
    SELECT s.status, s.last_seen INTO was FROM vantage6_events.principal_status AS s
    WHERE s.id = principal FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN NOT EXISTS (SELECT FROM vantage6_events.principal_status AS s
                           WHERE s.id = principal);
    END IF;
    IF was.status IS DISTINCT FROM wanted OR online AND (was.last_seen IS NULL OR
            was.last_seen < vantage6_events.utc_now() - interval '30 seconds') THEN
        UPDATE vantage6_events.principal_status AS s
        SET status = wanted,
            last_seen = CASE WHEN online THEN vantage6_events.utc_now() ELSE s.last_seen END
        WHERE s.id = principal;
    END IF;
    IF NOT online THEN
        DELETE FROM vantage6_events.node_config AS c WHERE c.id IN (
            SELECT d.id FROM vantage6_events.node_config AS d WHERE d.node_id = principal
            ORDER BY d.id FOR UPDATE SKIP LOCKED);
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION write_status(integer, boolean) IS
    'Writes status, last_seen (UTC) and, at the end of a node, removes its configuration; false if '
    'HQ''s row is locked. For the agent only; owned by the extension.';

CREATE FUNCTION states(principals integer[], online integer[]) RETURNS SETOF announced
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT p.id, p.kind, p.name, p.organization_id, p.id = ANY (online),
           coalesce(r.rooms, '{}'), clock_timestamp()
    FROM vantage6_events.principal AS p
    LEFT JOIN (SELECT x.principal_id AS id, array_agg(x.room ORDER BY x.room COLLATE "C") AS rooms
               FROM vantage6_events.public_rooms_of(online) AS x GROUP BY x.principal_id) AS r
        ON r.id = p.id
    WHERE p.id = ANY (principals);
END
$$;
COMMENT ON FUNCTION states(integer[], integer[]) IS
    'What there is to announce of the principals, of whom some are online; none for those that HQ '
    'has removed. For the agent only; owned by the extension.';

-- Locks the announced rows of the principals, made where missing, as far as nobody else holds them.
CREATE FUNCTION lock_announced(principals integer[]) RETURNS integer[]
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing integer[];
BEGIN
    -- An insert waits for whoever changes a row that is there already.
    missing := ARRAY(SELECT unnest(principals)
                     EXCEPT SELECT a.principal_id FROM vantage6_events.announced AS a
                     WHERE a.principal_id = ANY (principals));
    INSERT INTO vantage6_events.announced
    SELECT s.* FROM vantage6_events.states(missing, '{}') AS s ORDER BY s.principal_id
    ON CONFLICT DO NOTHING;
    RETURN ARRAY(SELECT a.principal_id FROM vantage6_events.announced AS a
                 WHERE a.principal_id = ANY (principals)
                 ORDER BY a.principal_id FOR UPDATE SKIP LOCKED);
END
$$;
COMMENT ON FUNCTION lock_announced(integer[]) IS
    'Locks what was announced of the principals; returns those locked. For the agent only; owned by '
    'the extension.';

-- told is locked; false if the principal's turn must come again.
CREATE FUNCTION reconcile(told announced, state announced) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF told.online AND NOT state.online AND EXISTS (
            SELECT FROM vantage6_events.pending AS p
            WHERE p.principal_id = told.principal_id AND p.due > clock_timestamp()) THEN
        RETURN true; -- a grace runs: the later row will see to it
    END IF;
    IF NOT vantage6_events.write_status(told.principal_id, state.online) THEN
        RETURN false;
    END IF;
    IF (told.online, told.rooms) IS NOT DISTINCT FROM (state.online, state.rooms) THEN
        RETURN true;
    END IF;
    IF told.online AND NOT state.online AND told.kind = 'node' THEN
        PERFORM vantage6_events.announce_node('node-offline', told);
    ELSIF state.online AND NOT told.online AND state.kind = 'node' THEN
        PERFORM vantage6_events.announce_node('node-online', state);
    END IF;
    PERFORM vantage6_events.announce_rooms(told.kind, told.name,
        ARRAY(SELECT unnest(told.rooms) EXCEPT SELECT unnest(state.rooms) ORDER BY 1), '{}');
    PERFORM vantage6_events.announce_rooms(state.kind, state.name,
        '{}', ARRAY(SELECT unnest(state.rooms) EXCEPT SELECT unnest(told.rooms) ORDER BY 1));
    UPDATE vantage6_events.announced AS a
    SET (kind, name, organization_id, online, rooms, changed_at)
      = (state.kind, state.name, state.organization_id, state.online, state.rooms,
         clock_timestamp())
    WHERE a.principal_id = told.principal_id;
    RETURN true;
END
$$;
COMMENT ON FUNCTION reconcile(announced, announced) IS
    'Tells and writes the difference between what was told of a principal and its state; false if it '
    'must be tried again. For the agent only; owned by the extension.';

CREATE FUNCTION reconcile_all(principals integer[]) RETURNS integer[]
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    locked integer[] := vantage6_events.lock_announced(principals);
    present integer[];
    done integer[] := '{}';
    item record;
BEGIN
    -- After the locks: nobody has told anything since.
    present := ARRAY(SELECT DISTINCT l.principal_id FROM vantage6_events.lease AS l
                    WHERE l.principal_id = ANY (locked) AND l.nsp = '/tasks');
    FOR item IN
        SELECT a AS told, coalesce(s, (a.principal_id, a.kind, a.name, a.organization_id, false, '{}',
                               NULL)::vantage6_events.announced) AS state -- or HQ has removed it
        FROM vantage6_events.announced AS a
        LEFT JOIN vantage6_events.states(locked, present) AS s ON s.principal_id = a.principal_id
        WHERE a.principal_id = ANY (locked) ORDER BY a.principal_id
    LOOP
        IF vantage6_events.reconcile(item.told, item.state) THEN
            done := done || (item.told).principal_id;
        END IF;
    END LOOP;
    -- Whom neither HQ nor we know is done with.
    RETURN done || ARRAY(SELECT unnest(principals)
                         EXCEPT SELECT a.principal_id FROM vantage6_events.announced AS a);
END
$$;
COMMENT ON FUNCTION reconcile_all(integer[]) IS
    'Reconciles the principals that nobody else is at; returns those done. For the agent only; '
    'owned by the extension.';

CREATE FUNCTION presence_logic(max_rows integer) RETURNS double precision
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms'
AS $$
DECLARE
    taken bigint[];
    done integer[];
    wait double precision;
BEGIN
    taken := ARRAY(SELECT p.id FROM vantage6_events.pending AS p
                   WHERE p.due <= clock_timestamp()
                   ORDER BY p.due, p.id LIMIT max_rows FOR UPDATE SKIP LOCKED);
    done := vantage6_events.reconcile_all(ARRAY(
        SELECT DISTINCT p.principal_id FROM vantage6_events.pending AS p WHERE p.id = ANY (taken)));
    DELETE FROM vantage6_events.pending AS p
    WHERE p.id = ANY (taken) AND p.principal_id = ANY (done);
    UPDATE vantage6_events.pending AS p SET due = clock_timestamp() + interval '1 second'
    WHERE p.id = ANY (taken);
    IF cardinality(taken) >= max_rows THEN
        RETURN 0;
    END IF;
    -- What is due and was not taken is in another daemon's hands.
    SELECT extract(epoch FROM min(p.due) - clock_timestamp()) INTO wait
    FROM vantage6_events.pending AS p;
    RETURN CASE WHEN wait < 0.1 THEN 0.1 ELSE wait END;
END
$$;
COMMENT ON FUNCTION presence_logic(integer) IS
    'Reconciles the presence of pending principals, at most max_rows of their rows, those due longest '
    'first; rows that others hold are passed over. Returns the seconds until the next is due: 0 = call again at '
    'once, NULL = none pending. 55P03 if HQ''s tables are locked for 0.5 s. Owned by the agent.';
-- What vantage6-pushd calls, besides events_since and presence. All take batches.
--
-- incarnation  one opening by an instance of pushd. The session that opened holds an advisory lock
--              (lock_space, incarnation): while it is held, the instance lives
-- dead         an incarnation whose lock is free and whose beat is 20 s old, or whose beat is 90 s old
--
-- lock_timeout is below deadlock_timeout (1 s): where the daemon and HQ wait for each other, the
-- daemon gives up, and tries again; HQ's transaction is never the victim.
--
-- The JSON items and results are described in the comments of the functions.

CREATE FUNCTION lock_space() RETURNS integer
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT 1983276406 $$; -- 'v6ev'
COMMENT ON FUNCTION lock_space() IS
    'First key of the advisory locks that incarnations hold. Owned by the extension.';

CREATE FUNCTION lock_key(incarnation bigint) RETURNS integer
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT (incarnation % 2147483647)::integer $$;
COMMENT ON FUNCTION lock_key(bigint) IS
    'Second key of the advisory lock that the incarnation holds. Owned by the extension.';

CREATE FUNCTION end_instance(incarnation bigint) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ended integer[];
BEGIN
    DELETE FROM vantage6_events.instance AS i WHERE i.incarnation = end_instance.incarnation;
    WITH gone AS (
        DELETE FROM vantage6_events.lease AS l WHERE l.incarnation = end_instance.incarnation
        RETURNING l.principal_id)
    SELECT array_agg(g.principal_id) INTO ended FROM gone AS g;
    PERFORM vantage6_events.expect(ended, vantage6_events.setting('drain_grace')::interval);
END
$$;
COMMENT ON FUNCTION end_instance(bigint) IS
    'Ends an incarnation: its leases end, with grace. For the agent only; owned by the extension.';

-- What is wrong with what attach() made, one line each.
CREATE FUNCTION faults() RETURNS SETOF text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    att record;
    agent_oid oid;
BEGIN
    SELECT * INTO STRICT att FROM vantage6_events.attachment;
    SELECT r.oid INTO agent_oid FROM pg_roles AS r WHERE r.rolname = att.agent AND NOT r.rolsuper;
    IF agent_oid IS NULL THEN
        RETURN NEXT format('role %I does not exist or is a superuser', att.agent);
        RETURN;
    END IF;
    BEGIN
        IF vantage6_events.hq_agent(att.hq_schema) IS DISTINCT FROM att.agent THEN
            RETURN NEXT format('the owner of the tables in schema %I has changed', att.hq_schema);
        END IF;
    EXCEPTION WHEN SQLSTATE 'V6002' OR SQLSTATE 'V6004' THEN
        RETURN NEXT sqlerrm; -- the schema was renamed, or its tables were changed
    END;
    IF att.agent = 'vantage6_events' AND vantage6_events.agent_is_open(att.agent) THEN
        RETURN NEXT format('role %I can log in or has members', att.agent);
    END IF;
    RETURN QUERY
        SELECT CASE WHEN m.oid IS NULL THEN format('%s %s is missing', m.what, m.name)
                    ELSE format('%s %s belongs to %I, or is not as attach() made it', m.what,
                                m.name, pg_get_userbyid(m.owner)) END
        FROM vantage6_events.made() AS m
        WHERE m.oid IS NULL OR m.owner <> agent_oid OR m.whole IS NOT TRUE
        ORDER BY 1;
    RETURN QUERY SELECT * FROM vantage6_events.agent_lacks(att.hq_schema, att.hq_version, att.agent);
END
$$;
COMMENT ON FUNCTION faults() IS
    'What of the things that attach() made is missing, changed, or belongs to another role than the '
    'agent, and what the agent lacks; an error if not attached. Owned by the extension.';

CREATE FUNCTION check_ready(instance text, version text) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    fault text;
BEGIN
    IF pg_is_in_recovery() THEN
        RAISE EXCEPTION 'this server is a standby'
            USING ERRCODE = 'V6006', HINT = 'Connect pushd to the primary server: '
                'target_session_attrs=read-write in its connection string.';
    END IF;
    IF current_setting('server_encoding') = 'SQL_ASCII' THEN
        RAISE EXCEPTION 'the encoding of database "%" is SQL_ASCII', current_database()
            USING ERRCODE = 'V6007', HINT = 'Move HQ to a database with encoding UTF8.';
    END IF;
    IF version IS NULL OR version !~ '^1\.' THEN
        RAISE EXCEPTION 'vantage6-pushd % does not fit extension vantage6_events 1.0.0', version
            USING ERRCODE = 'V6008', HINT = 'Install vantage6-pushd of version 1, or update '
                'the extension (ALTER EXTENSION vantage6_events UPDATE).';
    END IF;
    IF instance IS NULL OR instance !~ '^[[:graph:]]{1,128}$' THEN
        RAISE EXCEPTION 'bad instance name "%"', instance
            USING ERRCODE = 'V6009', HINT = 'Give 1 to 128 visible characters, no space.';
    END IF;
    IF NOT EXISTS (SELECT FROM vantage6_events.attachment) THEN
        RAISE EXCEPTION 'vantage6_events is not attached to the tables of vantage6'
            USING ERRCODE = 'V6001', HINT = 'As the owner of those tables: '
                'SELECT vantage6_events.attach(''<their schema>'')';
    END IF;
    SELECT f INTO fault FROM vantage6_events.faults() AS f LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'vantage6_events is not safely attached: %', fault
            USING ERRCODE = 'V6005', HINT = format('As the owner of HQ''s tables: '
                'SELECT vantage6_events.attach(%L)',
                (SELECT a.hq_schema FROM vantage6_events.attachment AS a));
    END IF;
END
$$;
COMMENT ON FUNCTION check_ready(text, text) IS
    'Refuses what open() refuses: V6001, V6005-V6009. Owned by the extension.';

CREATE FUNCTION start_epoch() RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    cluster text := vantage6_events.system_id() || '-' || vantage6_events.timeline() || '-';
    present text;
BEGIN
    SELECT e.value INTO present FROM vantage6_events.epoch AS e
    WHERE starts_with(e.value, cluster);
    IF FOUND THEN
        RETURN present;
    END IF;
    -- pg_upgrade carries the row into another cluster: then it is replaced.
    INSERT INTO vantage6_events.epoch AS e (value) VALUES (cluster || gen_random_uuid())
    ON CONFLICT (one) DO UPDATE SET value = excluded.value
    WHERE NOT starts_with(e.value, cluster);
    IF FOUND THEN
        PERFORM vantage6_events.expect(
            ARRAY(SELECT a.principal_id FROM vantage6_events.announced AS a WHERE a.online),
            vantage6_events.setting('epoch_grace')::interval);
    END IF;
    RETURN (SELECT e.value FROM vantage6_events.epoch AS e);
END
$$;
COMMENT ON FUNCTION start_epoch() IS
    'The epoch; if the leases may have been lost, a new one, and all that are announced online '
    'become pending with epoch_grace. Owned by the extension.';

CREATE FUNCTION open(instance text, version text)
    RETURNS TABLE (incarnation bigint, system_id text, tli integer, epoch text,
                   snapshot pg_snapshot, hi bigint)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
    earlier bigint;
    n bigint;
    e text;
BEGIN
    PERFORM vantage6_events.check_ready(instance, version);
    e := vantage6_events.start_epoch();
    -- Two openings of one name: one after the other.
    PERFORM pg_advisory_xact_lock(vantage6_events.lock_space() + 1, hashtext(instance));
    SELECT i.incarnation INTO earlier FROM vantage6_events.instance AS i
    WHERE i.name = open.instance FOR UPDATE;
    IF FOUND THEN
        PERFORM vantage6_events.end_instance(earlier);
    END IF;
    INSERT INTO vantage6_events.instance AS i (name, version, opened_at, beat_at)
    VALUES (open.instance, open.version, clock_timestamp(), clock_timestamp())
    RETURNING i.incarnation INTO n;
    PERFORM pg_advisory_lock(vantage6_events.lock_space(), vantage6_events.lock_key(n));
    RETURN QUERY
        SELECT n, vantage6_events.system_id(), vantage6_events.timeline(), e,
               pg_current_snapshot(), coalesce((SELECT max(v.id) FROM vantage6_events.event AS v), 0);
END
$$;
COMMENT ON FUNCTION open(text, text) IS
    'Registers an instance of vantage6-pushd (its name and version): a new incarnation, ending an '
    'earlier one of that name, its leases with grace. Returns the cluster and epoch that all state '
    'belongs to, a snapshot and the greatest id visible in it (0 = none): where reading begins. '
    'Errors: V6001, V6005-V6009. Owned by the extension.';

CREATE FUNCTION check_incarnation(incarnation bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Whoever ends it now waits for us, and then finds the leases that we write.
    PERFORM FROM vantage6_events.instance AS i
    WHERE i.incarnation = check_incarnation.incarnation FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'incarnation % has ended', incarnation
            USING ERRCODE = 'V6010', HINT = 'Call open() again and register the live connections.';
    END IF;
END
$$;
COMMENT ON FUNCTION check_incarnation(bigint) IS
    'V6010 if the incarnation has ended; else it does not end before the transaction does. For the '
    'agent only; owned by the extension.';

CREATE FUNCTION connect_logic(incarnation bigint, sockets json)
    RETURNS TABLE (sid text, principal_id integer, kind text, rooms text, greeting json,
                   snapshot pg_snapshot)
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms'
AS $$
DECLARE
    replaced integer[];
    known integer[];
BEGIN
    PERFORM vantage6_events.check_incarnation(incarnation);
    WITH gone AS (
        DELETE FROM vantage6_events.lease AS l
        WHERE l.sid IN (SELECT s ->> 'sid' FROM json_array_elements(sockets) AS s)
        RETURNING l.principal_id)
    SELECT array_agg(g.principal_id) INTO replaced FROM gone AS g;

    WITH socket AS (
        SELECT DISTINCT ON (s.sid) s.*
        FROM json_to_recordset(sockets) AS s (sid text, nsp text, subject text, transport text,
                                              address text, expires double precision)
        WHERE s.subject <> ''
    ), named AS ( -- a subject that names two principals names none
        SELECT p.subject, min(p.id) AS id, min(p.kind) AS kind FROM vantage6_events.principal AS p
        WHERE p.subject IN (SELECT s.subject FROM socket AS s)
        GROUP BY p.subject HAVING count(*) = 1
    ), leased AS (
        INSERT INTO vantage6_events.lease AS l (sid, incarnation, nsp, principal_id, kind,
                                                transport, address, connected_at, expires_at)
        SELECT s.sid, connect_logic.incarnation, s.nsp, n.id, n.kind, s.transport, s.address,
               clock_timestamp(), to_timestamp(s.expires)
        FROM socket AS s JOIN named AS n USING (subject) ORDER BY s.sid
        -- Only if a link that was lost still registers it.
        ON CONFLICT ON CONSTRAINT lease_pkey DO UPDATE SET incarnation = excluded.incarnation,
            principal_id = excluded.principal_id, kind = excluded.kind,
            connected_at = excluded.connected_at, expires_at = excluded.expires_at
        RETURNING l.principal_id)
    SELECT array_agg(DISTINCT x.principal_id) INTO known FROM leased AS x;
    PERFORM vantage6_events.expect(replaced || known, '0');

    -- One statement: the snapshot is that of the rooms.
    RETURN QUERY
        WITH room AS (
            SELECT r.principal_id, string_agg(r.room, ',' ORDER BY r.room COLLATE "C") AS list
            FROM vantage6_events.rooms_of(known) AS r GROUP BY r.principal_id)
        SELECT s.sid, r.principal_id, CASE WHEN r.list IS NOT NULL THEN l.kind END, r.list,
               CASE WHEN l.kind = 'node' AND l.nsp = '/tasks' THEN '[["sync"]]'::json END,
               pg_current_snapshot()
        FROM json_to_recordset(sockets) AS s (sid text)
        LEFT JOIN vantage6_events.lease AS l ON l.sid = s.sid
        LEFT JOIN room AS r ON r.principal_id = l.principal_id;
END
$$;
COMMENT ON FUNCTION connect_logic(bigint, json) IS
    'Registers connections, again if need be. sockets: up to 1000 of {"sid", "nsp", "subject", '
    '"transport", "address", "expires" (seconds since 1970, or null)}. One row per socket: '
    'principal_id, kind and rooms (joined by commas) are NULL if not exactly one principal has the '
    'subject; greeting is an array of events for this socket alone, or NULL; snapshot is that of '
    'the rooms. Errors: V6010; 55P03 if HQ''s tables are locked for 0.5 s. Owned by the agent.';

CREATE FUNCTION disconnect(incarnation bigint, sockets json) RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms'
AS $$
DECLARE
    left_now integer[];
    left_later integer[];
    n integer;
BEGIN
    WITH gone AS (
        DELETE FROM vantage6_events.lease AS l
        USING json_to_recordset(sockets) AS s (sid text, by_client boolean)
        WHERE l.sid = s.sid AND l.incarnation = disconnect.incarnation
        RETURNING l.principal_id, s.by_client)
    SELECT array_agg(g.principal_id) FILTER (WHERE g.by_client),
           array_agg(g.principal_id) FILTER (WHERE g.by_client IS NOT TRUE), count(*)
    INTO left_now, left_later, n FROM gone AS g;
    PERFORM vantage6_events.expect(left_now, '0');
    PERFORM vantage6_events.expect(left_later, vantage6_events.setting('drain_grace')::interval);
    RETURN n;
END
$$;
COMMENT ON FUNCTION disconnect(bigint, json) IS
    'Ends connections: [{"sid", "reason", "by_client": true if the client itself left; else its '
    'presence ends after drain_grace}]. Returns how many were registered. Owned by the extension.';

CREATE FUNCTION beat_logic(incarnation bigint) RETURNS boolean
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms'
AS $$
DECLARE
    other record;
BEGIN
    UPDATE vantage6_events.instance AS i SET beat_at = clock_timestamp()
    WHERE i.incarnation = beat_logic.incarnation;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    FOR other IN
        SELECT i.incarnation, i.beat_at FROM vantage6_events.instance AS i
        WHERE i.beat_at < clock_timestamp() - interval '20 seconds'
        ORDER BY i.incarnation FOR UPDATE SKIP LOCKED
    LOOP
        IF other.beat_at < clock_timestamp() - interval '90 seconds'
           OR pg_try_advisory_xact_lock(vantage6_events.lock_space(),
                                        vantage6_events.lock_key(other.incarnation)) THEN
            PERFORM vantage6_events.end_instance(other.incarnation);
        END IF;
    END LOOP;
    -- There should be none. But a lease that nobody keeps would hold its principal online for ever.
    PERFORM vantage6_events.end_instance(o.incarnation)
    FROM (SELECT DISTINCT l.incarnation FROM vantage6_events.lease AS l
          WHERE NOT EXISTS (SELECT FROM vantage6_events.instance AS i
                            WHERE i.incarnation = l.incarnation)) AS o;
    UPDATE vantage6_events.principal_status AS s SET last_seen = vantage6_events.utc_now()
    WHERE s.id IN (
        SELECT t.id FROM vantage6_events.principal_status AS t
        WHERE t.id IN (SELECT l.principal_id FROM vantage6_events.lease AS l
                       WHERE l.incarnation = beat_logic.incarnation AND l.kind = 'node')
          AND (t.last_seen IS NULL
               OR t.last_seen < vantage6_events.utc_now() - interval '30 seconds')
        ORDER BY t.id FOR NO KEY UPDATE SKIP LOCKED);
    DELETE FROM vantage6_events.announced_task AS t
    WHERE t.xid < pg_snapshot_xmin(pg_current_snapshot());
    RETURN true;
END
$$;
COMMENT ON FUNCTION beat_logic(bigint) IS
    'The incarnation lives; false if it was ended: open again. Ends dead ones, refreshes last_seen '
    'of its nodes when older than 30 s. To be called every 5 s. 55P03 if HQ''s tables are locked for '
    '0.5 s. Owned by the agent.';

CREATE FUNCTION receive_logic(incarnation bigint, items json) RETURNS bigint
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms'
AS $$
DECLARE
    taken bigint;
    pinged integer[];
BEGIN
    PERFORM vantage6_events.check_incarnation(incarnation);
    SELECT i.taken_seq INTO taken FROM vantage6_events.instance AS i
    WHERE i.incarnation = receive_logic.incarnation FOR NO KEY UPDATE; -- connect() goes on
    SELECT greatest(max(x.seq), taken),
           array_agg(DISTINCT l.principal_id) FILTER (WHERE x.event ->> 0 = 'ping')
    INTO taken, pinged
    FROM json_to_recordset(items) AS x (seq bigint, sid text, principal integer, nsp text, event json)
    LEFT JOIN vantage6_events.lease AS l
        ON l.sid = x.sid AND l.incarnation = receive_logic.incarnation
        AND l.principal_id = x.principal AND l.nsp = '/tasks' AND l.kind = 'node'
    WHERE x.seq > taken;
    UPDATE vantage6_events.instance AS i SET taken_seq = taken
    WHERE i.incarnation = receive_logic.incarnation AND i.taken_seq <> taken;
    UPDATE vantage6_events.principal_status AS s
    SET status = 'online', last_seen = vantage6_events.utc_now()
    WHERE s.id IN (SELECT t.id FROM vantage6_events.principal_status AS t
                   WHERE t.id = ANY (pinged) ORDER BY t.id FOR NO KEY UPDATE SKIP LOCKED);
    RETURN taken;
END
$$;
COMMENT ON FUNCTION receive_logic(bigint, json) IS
    'Takes what clients sent: [{"seq", "sid", "principal", "nsp", "event": [name, argument...]}]; '
    'items up to the last seq taken are skipped. Only ping by a node has an effect: status online '
    'and last_seen. Returns the highest seq taken. Errors: V6010; 55P03 if HQ''s tables are locked '
    'for 0.5 s. Owned by the agent.';
-- events_since: what pushd reads.
--
-- cursor  (S, hi): the snapshot of the last read and the greatest id delivered. S alone loses events
--         when xids are used again after a crash, hi alone those that were open at the last read
-- page    at most max_rows events, and no more of them once their payloads make max_bytes; the upper
--         snapshot is fixed by the first page and each goes on after the last id of the one before
--
-- New is id > hi, or id <= hi and written by a transaction that S did not see ended: one that began
-- later (xid >= xmax) or ran then (xip). Written "id + 0" so that only the index on (xid, id) fits:
-- the planner would read the index on id from its beginning. The settings belong to the function
-- for the same reason. The branch beyond hi ends after max_rows by itself, so that a page of a long
-- log costs a page. The others sort what those transactions wrote, for each page again.

CREATE FUNCTION events_since(since pg_snapshot, hi bigint, seen_tli integer, upto pg_snapshot,
                             after bigint, max_rows integer, max_bytes integer DEFAULT 262144)
    RETURNS TABLE (id bigint, xid xid8, nsp text, rooms text, except_principal integer,
                   payload text, snapshot pg_snapshot, epoch text, more boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = on
    SET jit = off
    SET max_parallel_workers_per_gather = 0
AS $$
DECLARE
    upper_snapshot pg_snapshot := coalesce(upto, pg_current_snapshot());
    since_max xid8 := pg_snapshot_xmax(since);
    since_open xid8[] := ARRAY(SELECT pg_snapshot_xip(since));
BEGIN
    snapshot := upper_snapshot;
    epoch := (SELECT e.value FROM vantage6_events.epoch AS e);
    RETURN NEXT;

    RETURN QUERY
    SELECT p.id, p.xid, p.namespace, array_to_string(p.rooms, ','), p.except_principal, p.payload,
           NULL::pg_snapshot, NULL::text, p.more
    FROM (SELECT n.*, row_number() OVER w AS number, lead(n.id) OVER w IS NOT NULL AS more,
                 sum(octet_length(n.payload)) OVER w - octet_length(n.payload) AS before
          FROM ((SELECT e.* FROM vantage6_events.event AS e
                 WHERE e.id > greatest(hi, after) AND pg_visible_in_snapshot(e.xid, upper_snapshot)
                 ORDER BY e.id LIMIT max_rows + 1)
                UNION ALL
                (SELECT e.* FROM vantage6_events.event AS e
                 WHERE after < hi AND e.xid >= since_max AND e.id + 0 <= hi AND e.id + 0 > after
                   AND pg_visible_in_snapshot(e.xid, upper_snapshot)
                 ORDER BY e.id + 0 LIMIT max_rows + 1)
                UNION ALL
                (SELECT e.* FROM vantage6_events.event AS e
                 WHERE after < hi AND e.xid = ANY (since_open) AND e.id + 0 <= hi AND e.id + 0 > after
                   AND pg_visible_in_snapshot(e.xid, upper_snapshot)
                 ORDER BY e.id + 0 LIMIT max_rows + 1)
                UNION ALL -- after a failover, once: what was written on a timeline not seen yet
                (SELECT e.* FROM vantage6_events.event AS e
                 WHERE seen_tli IS NOT NULL AND after < hi AND e.tli > seen_tli
                   AND e.id + 0 <= hi AND e.id + 0 > after
                   AND e.xid < since_max AND NOT e.xid = ANY (since_open)
                   AND pg_visible_in_snapshot(e.xid, upper_snapshot)
                 ORDER BY e.id + 0 LIMIT max_rows + 1)) AS n
          WINDOW w AS (ORDER BY n.id)) AS p
    WHERE p.number <= max_rows AND p.before < max_bytes
    ORDER BY p.id;
END
$$;
COMMENT ON FUNCTION events_since(pg_snapshot, bigint, integer, pg_snapshot, bigint, integer, integer) IS
    'The events that are new since the cursor (since, hi), in the order of their ids. The first row '
    'is the head: its snapshot is the upper one (upto, or the present one if upto is NULL), its '
    'epoch that of the leases (NULL: open() must be called). Then the events with id > after (0 on the '
    'first page), at most max_rows, and none beyond the one with which their payloads reach max_bytes. '
    'more: another follows; after the last row of a page, ask again with upto = the head''s snapshot '
    'and after = its id. seen_tli: NULL, or, on the first read after open() gave a greater '
    'timeline, the one seen before. rooms are joined by commas. Owned by the extension.';
-- attach and detach: what is made for one HQ, in one of its schemas.
--
-- adapter view  what all else reads of HQ's tables; the same for both versions of HQ
-- wrapper       of a logic function: the same name without _logic, SECURITY DEFINER, of the agent
--
-- None of these is a member of the extension: pg_dump then keeps them and their owner, and the
-- triggers on HQ's tables too. make() is SECURITY DEFINER of a superuser, but touches no row of HQ:
-- it defines things and gives them to the agent, who therefore needs no right to create any.

CREATE FUNCTION view_template(version integer)
    RETURNS TABLE (name text, query text, comment text, columns text[])
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    VALUES
    ('principal', format($q$
        SELECT a.id, 'node'::text AS kind, a.%1$s::text AS subject, n.name::text AS name,
               n.organization_id, n.collaboration_id
        FROM %%1$I.authenticatable AS a JOIN %%1$I.node AS n ON n.id = a.id
        WHERE a.type = 'node'
        UNION ALL
        SELECT a.id, 'user'::text, a.%1$s::text, u.username::text, u.organization_id, NULL::integer
        FROM %%1$I.authenticatable AS a JOIN %%1$I."user" AS u ON u.id = a.id
        WHERE a.type = 'user'$q$, CASE version WHEN 4 THEN 'id' ELSE 'keycloak_id' END),
     'Nodes and users of HQ',
     ARRAY['Key', 'node or user', 'What the sub of its tokens says', 'Name',
           'Its organization, or NULL', 'The collaboration of a node; NULL for a user']),
    ('principal_status', $q$
        SELECT a.id, a.status, a.last_seen FROM %1$I.authenticatable AS a$q$,
     'Presence of principals, as HQ keeps it; updatable',
     ARRAY['Key', 'online, offline or NULL', 'UTC, without time zone']),
    ('collaboration', $q$
        SELECT c.id FROM %1$I.collaboration AS c$q$, 'Collaborations', ARRAY['Key']),
    ('membership', $q$
        SELECT m.organization_id, m.collaboration_id FROM %1$I."Member" AS m$q$,
     'Organizations of collaborations; may hold duplicates', ARRAY['Organization', 'Collaboration']),
    ('event_rule', $q$
        SELECT g.user_id, lower(r.scope::text) AS scope
        FROM (SELECT p.user_id, p.rule_id FROM %1$I."UserPermission" AS p
              UNION
              SELECT p.user_id, a.rule_id FROM %1$I."Permission" AS p
              JOIN %1$I.role_rule_association AS a ON a.role_id = p.role_id) AS g
        JOIN %1$I.rule AS r ON r.id = g.rule_id
        WHERE r.name = 'event' AND lower(r.operation::text) = 'receive'$q$,
     'Users that may receive events, by a rule of their own or of a role; may hold duplicates',
     ARRAY['User', 'global, collaboration, organization or own']),
    ('task', $q$
        SELECT t.id, t.collaboration_id, t.parent_id, t.job_id FROM %1$I.task AS t$q$,
     'Tasks, to be looked up by id', ARRAY['Key', 'Collaboration', 'Parent task or NULL', 'Job']),
    ('node_config', $q$
        SELECT c.id, c.node_id, c.key, c.value FROM %1$I.nodeconfig AS c$q$,
     'Configuration that nodes have shared; updatable',
     ARRAY['Key', 'Node', 'Name of the setting', 'Value'])
$$;
COMMENT ON FUNCTION view_template(integer) IS
    'The adapter views of HQ version 4 or 5; the query is a format with the schema. Owned by the '
    'extension.';

CREATE FUNCTION logic()
    RETURNS TABLE (name text, function regprocedure, arguments oidvector)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT left(p.proname, -6), p.oid::regprocedure, p.proargtypes FROM pg_proc AS p
    WHERE p.pronamespace = 'vantage6_events'::regnamespace AND p.proname LIKE '%\_logic'
    ORDER BY p.proname COLLATE "C"
$$;
COMMENT ON FUNCTION logic() IS
    'The logic functions and the names of their wrappers. Owned by the extension.';

CREATE FUNCTION made()
    RETURNS TABLE (what text, name text, oid oid, owner oid, whole boolean)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH f AS (
        SELECT p.* FROM pg_proc AS p WHERE p.pronamespace = 'vantage6_events'::regnamespace
    ), tf AS (
        SELECT t.*, f.oid, f.proowner, f.prosecdef FROM vantage6_events.trigger_template() AS t
        LEFT JOIN f ON f.proname = t.name AND f.pronargs = 0
    )
    SELECT 'view', v.name, c.oid, c.relowner,
           -- It follows a table that is renamed or moved: HQ writes into another by then.
           ARRAY(SELECT DISTINCT concat(att.hq_schema, '.', h.table_name) COLLATE "C"
                 FROM vantage6_events.hq_columns(att.hq_version) AS h
                 WHERE v.query ~ ('%1\$I\."?' || h.table_name || '"?\y') ORDER BY 1)
           = ARRAY(SELECT DISTINCT concat(n.nspname, '.', t.relname) COLLATE "C"
                   FROM pg_rewrite AS r
                   JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                       AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> c.oid
                   JOIN pg_class AS t ON t.oid = d.refobjid
                   JOIN pg_namespace AS n ON n.oid = t.relnamespace
                   WHERE r.ev_class = c.oid ORDER BY 1)
    FROM vantage6_events.view_template(5) AS v
    LEFT JOIN vantage6_events.attachment AS att ON true
    LEFT JOIN pg_class AS c ON c.relname = v.name AND c.relkind = 'v'
        AND c.relnamespace = 'vantage6_events'::regnamespace
    UNION ALL
    SELECT 'function', l.name, f.oid, f.proowner, f.prosecdef
    FROM vantage6_events.logic() AS l
    LEFT JOIN f ON f.proname = l.name AND f.proargtypes = l.arguments
    UNION ALL
    SELECT 'function', tf.name, tf.oid, tf.proowner, tf.prosecdef FROM tf
    UNION ALL
    SELECT 'trigger', 'vantage6_events_' || tf.name, g.oid, tf.proowner,
           g.tgenabled IN ('O', 'A') AND (g.tgqual IS NULL) = (tf.condition = '')
           AND g.tgattr::text = '' -- of any column
           -- The bits of the catalog: 1 = for each row; BEFORE and INSTEAD have bits of their own.
           AND g.tgtype = CASE WHEN tf.timing = 'AFTER TRUNCATE' THEN 32 ELSE 1 END
                          + CASE WHEN tf.timing LIKE '%INSERT%' THEN 4 ELSE 0 END
                          + CASE WHEN tf.timing LIKE '%DELETE%' THEN 8 ELSE 0 END
                          + CASE WHEN tf.timing LIKE '%UPDATE%' THEN 16 ELSE 0 END
    FROM tf LEFT JOIN vantage6_events.attachment AS att ON true
    LEFT JOIN pg_trigger AS g ON g.tgfoid = tf.oid
        AND g.tgname = 'vantage6_events_' || tf.name AND g.tgparentid = 0
        AND g.tgrelid = to_regclass(quote_ident(att.hq_schema) || '.' || quote_ident(tf.on_table))
$$;
COMMENT ON FUNCTION made() IS
    'All that attach() makes; oid and owner are NULL where it is not there. A trigger counts as its '
    'function''s owner''s; it and a view count if they are on the tables that HQ has now. Owned by the extension.';

-- Who asks: seen from within a SECURITY DEFINER function, the current user is its owner.
CREATE FUNCTION check_asker(owner name) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    asker name := coalesce(nullif(current_setting('role'), 'none'), session_user);
BEGIN
    IF NOT pg_has_role(asker, owner, 'MEMBER') THEN
        RAISE EXCEPTION 'role "%" does not own the tables of vantage6', asker
            USING ERRCODE = 'V6004', HINT = format('Do it as %I or as a superuser.', owner);
    END IF;
END
$$;
COMMENT ON FUNCTION check_asker(name) IS
    'V6004 unless the session''s user is a member of the owner. Owned by the extension.';

CREATE FUNCTION unmake() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT g.tgname, g.tgrelid::regclass AS rel FROM pg_trigger AS g
        JOIN pg_proc AS p ON p.oid = g.tgfoid
        WHERE p.pronamespace = 'vantage6_events'::regnamespace AND NOT g.tgisinternal
          AND g.tgparentid = 0 -- a partition's goes with its parent's
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', item.tgname, item.rel);
    END LOOP;
    FOR item IN SELECT m.what, m.oid FROM vantage6_events.made() AS m WHERE m.oid IS NOT NULL LOOP
        EXECUTE CASE item.what
            WHEN 'view' THEN format('DROP VIEW %s', item.oid::regclass)
            ELSE format('DROP FUNCTION %s', item.oid::regprocedure) END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION unmake() IS
    'Drops all that attach() made, whoever owns it. For superusers; owned by the extension.';

-- All locks at once, and given up together before deadlock_timeout: HQ may hold one table and want the
-- other, and must neither lose its transaction to us nor queue behind us for long.
CREATE FUNCTION unmake_locked(schema name, version integer, mode text, patience interval)
    RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms'
AS $$
DECLARE
    until timestamptz := clock_timestamp() + patience;
    item record;
BEGIN
    LOOP
        BEGIN
            FOR item IN
                SELECT string_agg(t.rel::text, ', ' ORDER BY t.rel::text) AS rels,
                       CASE WHEN t.ours THEN mode ELSE 'ACCESS SHARE' END AS lock_mode
                FROM (SELECT to_regclass(format('%I.%I', schema, c.table_name)) AS rel,
                             bool_or(c.table_name IN (SELECT x.on_table FROM
                                                      vantage6_events.trigger_template() AS x)) AS ours
                      FROM vantage6_events.hq_columns(version) AS c GROUP BY 1) AS t
                WHERE t.rel IS NOT NULL GROUP BY t.ours ORDER BY t.ours DESC
            LOOP
                EXECUTE format('LOCK TABLE %s IN %s MODE', item.rels, item.lock_mode);
            END LOOP;
            PERFORM vantage6_events.unmake();
            RETURN;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            NULL; -- its locks are gone
        END;
        IF clock_timestamp() >= until THEN
            RAISE EXCEPTION 'the tables in schema "%" could not be locked: they are in use', schema
                USING ERRCODE = 'lock_not_available',
                HINT = 'Nothing was changed. Do it again when no transaction on them stays open: '
                    'pg_stat_activity, state idle in transaction.';
        END IF;
        PERFORM pg_sleep(0.1);
    END LOOP;
END
$$;
COMMENT ON FUNCTION unmake_locked(name, integer, text, interval) IS
    'Locks HQ''s tables, those with triggers in the given mode, as long as the transaction lasts, and '
    'drops what attach() made. 55P03 when patience ends. For superusers; owned by the extension.';

CREATE FUNCTION make_views(schema name, version integer, agent name) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v record;
    col record;
BEGIN
    FOR v IN SELECT * FROM vantage6_events.view_template(version) LOOP
        EXECUTE format('CREATE VIEW vantage6_events.%I AS ', v.name) || format(v.query, schema);
        EXECUTE format('COMMENT ON VIEW vantage6_events.%I IS %L', v.name, v.comment);
        FOR col IN SELECT a.attname, a.attnum FROM pg_attribute AS a
                   WHERE a.attrelid = format('vantage6_events.%I', v.name)::regclass LOOP
            EXECUTE format('COMMENT ON COLUMN vantage6_events.%I.%I IS %L',
                           v.name, col.attname, v.columns[col.attnum]);
        END LOOP;
        EXECUTE format('ALTER VIEW vantage6_events.%I OWNER TO %I', v.name, agent);
    END LOOP;
END
$$;
COMMENT ON FUNCTION make_views(name, integer, name) IS
    'Makes the adapter views. For superusers; owned by the extension.';

CREATE FUNCTION own_function(signature text, agent name, comment text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', signature);
    EXECUTE format('COMMENT ON FUNCTION %s IS %L', signature, comment);
    -- DROP EXTENSION drops it too, and is refused while a trigger uses it.
    EXECUTE format('ALTER FUNCTION %s DEPENDS ON EXTENSION vantage6_events', signature);
    EXECUTE format('ALTER FUNCTION %s OWNER TO %I', signature, agent);
END
$$;
COMMENT ON FUNCTION own_function(text, name, text) IS
    'Gives a function that attach() made to the agent. For superusers; owned by the extension.';

CREATE FUNCTION make_functions(agent name) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f record;
BEGIN
    FOR f IN SELECT l.name, l.function, p.pronargs, p.provolatile, p.proretset,
                    pg_get_function_arguments(p.oid) AS args,
                    pg_get_function_identity_arguments(p.oid) AS identity_args,
                    pg_get_function_result(p.oid) AS result, obj_description(p.oid) AS comment
             FROM vantage6_events.logic() AS l JOIN pg_proc AS p ON p.oid = l.function LOOP
        EXECUTE format(
            'CREATE FUNCTION vantage6_events.%I(%s) RETURNS %s LANGUAGE sql %s SECURITY DEFINER'
            ' SET search_path = pg_catalog, pg_temp AS %L',
            f.name, f.args, f.result,
            CASE f.provolatile WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END,
            format('SELECT %svantage6_events.%I(%s)',
                   CASE WHEN f.proretset THEN '* FROM ' ELSE '' END, f.name || '_logic',
                   (SELECT string_agg('$' || i, ', ') FROM generate_series(1, f.pronargs) AS i)));
        PERFORM vantage6_events.own_function(
            format('vantage6_events.%I(%s)', f.name, f.identity_args), agent, f.comment);
    END LOOP;
    FOR f IN SELECT * FROM vantage6_events.trigger_template() LOOP
        EXECUTE format(
            'CREATE FUNCTION vantage6_events.%I() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER'
            ' SET search_path = pg_catalog, pg_temp AS %L',
            f.name, format('BEGIN PERFORM vantage6_events.%s; RETURN NULL; END', f.call));
        PERFORM vantage6_events.own_function(
            format('vantage6_events.%I()', f.name), agent,
            format('Trigger: %s on %I. Owned by the agent.', f.timing, f.on_table));
    END LOOP;
END
$$;
COMMENT ON FUNCTION make_functions(name) IS
    'Makes the wrappers and the trigger functions. For superusers; owned by the extension.';

CREATE FUNCTION make_triggers(schema name) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT * FROM vantage6_events.trigger_template() LOOP
        EXECUTE format(
            'CREATE TRIGGER %I %s ON %I.%I FOR EACH %s %s EXECUTE FUNCTION vantage6_events.%I()',
            'vantage6_events_' || t.name, t.timing, schema, t.on_table,
            CASE t.timing WHEN 'AFTER TRUNCATE' THEN 'STATEMENT' ELSE 'ROW' END, t.condition, t.name);
        EXECUTE format('COMMENT ON TRIGGER %I ON %I.%I IS %L',
                       'vantage6_events_' || t.name, schema, t.on_table,
                       'Of the extension vantage6_events; see its function detach()');
    END LOOP;
END
$$;
COMMENT ON FUNCTION make_triggers(name) IS
    'Puts the triggers on HQ''s tables. For superusers; owned by the extension.';
-- Who may do what. grant_hq and grant_pushd are remembered, since attach() makes functions anew.

CREATE FUNCTION agent_needs() RETURNS TABLE (kind text, object text, privileges text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'SCHEMA', 'vantage6_events', 'USAGE'
    UNION ALL
    SELECT 'TABLE', 'vantage6_events.' || t, 'SELECT, INSERT, UPDATE, DELETE'
    FROM unnest(ARRAY['instance', 'lease', 'pending', 'announced', 'announced_task', 'node_at']) AS t
    UNION ALL
    SELECT 'TABLE', 'vantage6_events.attachment', 'SELECT'
    UNION ALL
    -- What is SECURITY INVOKER gives nobody more than he has.
    SELECT 'FUNCTION', p.oid::regprocedure::text, 'EXECUTE' FROM pg_proc AS p
    JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
        AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
    JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'vantage6_events'
    WHERE NOT p.prosecdef OR p.proname = 'announce'
$$;
COMMENT ON FUNCTION agent_needs() IS
    'What the agent needs of the extension''s own things. Owned by the extension.';

CREATE FUNCTION agent_lacks(schema name, version integer, agent name) RETURNS SETOF text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('role %I lacks %s on %s %s', agent, p, lower(n.kind), n.object) COLLATE "C" AS line
    FROM vantage6_events.agent_needs() AS n, unnest(string_to_array(n.privileges, ', ')) AS p
    WHERE NOT CASE n.kind WHEN 'SCHEMA' THEN has_schema_privilege(agent, n.object, p)
                          WHEN 'TABLE' THEN has_table_privilege(agent, n.object, p)
                          ELSE has_function_privilege(agent, n.object, p) END
    UNION ALL
    SELECT format('role %I lacks USAGE on schema %I', agent, schema) FROM pg_namespace AS s
    WHERE s.nspname = schema AND NOT has_schema_privilege(agent, s.oid, 'USAGE')
    UNION ALL
    SELECT format('role %I lacks %s on %I.%I.%I', agent, p, schema, c.table_name, c.column_name)
    FROM vantage6_events.hq_columns(version) AS c, unnest(c.privileges) AS p, pg_attribute AS a
    WHERE a.attrelid = to_regclass(format('%I.%I', schema, c.table_name))
      AND a.attname = c.column_name AND NOT has_column_privilege(agent, a.attrelid, a.attnum, p)
    UNION ALL
    SELECT format('role %I lacks DELETE on %I.nodeconfig', agent, schema)
    WHERE NOT has_table_privilege(agent, to_regclass(format('%I.nodeconfig', schema))::oid, 'DELETE')
    ORDER BY line
$$;
COMMENT ON FUNCTION agent_lacks(name, integer, name) IS
    'The privileges that the agent should have and has not, one line each: lost by a REVOKE, or by a '
    'restore without privileges. Owned by the extension.';

CREATE FUNCTION agent_is_open(agent name) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.rolcanlogin OR EXISTS (SELECT FROM pg_auth_members AS m WHERE m.roleid = r.oid)
    FROM pg_roles AS r WHERE r.rolname = agent
$$;
COMMENT ON FUNCTION agent_is_open(name) IS
    'Whether somebody but a superuser could act as the role. Owned by the extension.';

CREATE FUNCTION agent_privileges(schema name, version integer, agent name, give boolean)
    RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    act text := CASE WHEN give THEN 'GRANT %s ON %s TO %I' ELSE 'REVOKE %s ON %s FROM %I' END;
    item record;
BEGIN
    FOR item IN SELECT * FROM vantage6_events.agent_needs() LOOP
        EXECUTE format(act, item.privileges, item.kind || ' ' || item.object, agent);
    END LOOP;
    IF agent <> 'vantage6_events' THEN
        RETURN; -- it owns HQ's tables
    END IF;
    IF give OR to_regnamespace(quote_ident(schema)) IS NOT NULL THEN
        EXECUTE format(act, 'USAGE', format('SCHEMA %I', schema), agent);
    END IF;
    FOR item IN
        SELECT c.table_name AS t, p AS privilege,
               string_agg(quote_ident(c.column_name), ', ' ORDER BY c.column_name) AS columns
        FROM vantage6_events.hq_columns(version) AS c, unnest(c.privileges) AS p
        WHERE give OR EXISTS (SELECT FROM pg_attribute AS a
                              WHERE a.attrelid = to_regclass(format('%I.%I', schema, c.table_name))
                                AND a.attname = c.column_name AND NOT a.attisdropped)
        GROUP BY 1, 2
    LOOP
        EXECUTE format(act, format('%s (%s)', item.privilege, item.columns),
                       format('%I.%I', schema, item.t), agent);
    END LOOP;
    IF give OR to_regclass(format('%I.nodeconfig', schema)) IS NOT NULL THEN
        EXECUTE format(act, 'DELETE', format('%I.nodeconfig', schema), agent);
    END IF;
END
$$;
COMMENT ON FUNCTION agent_privileges(name, integer, name, boolean) IS
    'Gives the agent what it needs, or takes it away: on the extension''s tables and functions, and, '
    'unless it owns them, on HQ''s columns. For superusers; owned by the extension.';

CREATE FUNCTION apply_grants() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT g.grantee, w.kind, w.object FROM vantage6_events.granted AS g
        JOIN pg_roles AS r ON r.rolname = g.grantee
        JOIN (SELECT 'hq' AS purpose, 'FUNCTION' AS kind, p.oid::regprocedure::text AS object
              FROM pg_proc AS p WHERE p.pronamespace = 'vantage6_events'::regnamespace
              AND p.proname IN ('emit', 'rooms', 'may_receive', 'attach', 'make', 'detach')
              UNION ALL
              SELECT 'pushd', 'FUNCTION', p.oid::regprocedure::text
              FROM pg_proc AS p WHERE p.pronamespace = 'vantage6_events'::regnamespace
              AND p.proname IN ('open', 'connect', 'disconnect', 'events_since', 'beat', 'presence',
                                'receive')
              UNION ALL
              SELECT 'hq', 'TABLE', 'vantage6_events.' || v
              FROM unnest(ARRAY['connections', 'recent_events', 'status']) AS v) AS w
            ON w.purpose = g.purpose
    LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA vantage6_events TO %I', item.grantee);
        EXECUTE format('GRANT %s ON %s %s TO %I',
                       CASE item.kind WHEN 'TABLE' THEN 'SELECT' ELSE 'EXECUTE' END,
                       item.kind, item.object, item.grantee);
    END LOOP;
END
$$;
COMMENT ON FUNCTION apply_grants() IS
    'Grants what grant_hq() and grant_pushd() have remembered. For superusers; owned by the '
    'extension.';

CREATE FUNCTION remember_grant(role name, purpose text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = role) THEN
        RAISE EXCEPTION 'role "%" does not exist', role
            USING ERRCODE = 'undefined_object', HINT = 'Create it first.';
    END IF;
    INSERT INTO vantage6_events.granted (grantee, purpose)
    VALUES (role, remember_grant.purpose) ON CONFLICT DO NOTHING;
    PERFORM vantage6_events.apply_grants();
END
$$;
COMMENT ON FUNCTION remember_grant(name, text) IS
    'Remembers and grants. For superusers; owned by the extension.';

CREATE FUNCTION grant_hq(role name) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$ SELECT vantage6_events.remember_grant(role, 'hq') $$;
COMMENT ON FUNCTION grant_hq(name) IS
    'Lets the role emit, ask for rooms, see the operators'' views, and, if it owns HQ''s tables, '
    'attach and detach. For superusers, before or after attach(). Owned by the extension.';

CREATE FUNCTION grant_pushd(role name) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$ SELECT vantage6_events.remember_grant(role, 'pushd') $$;
COMMENT ON FUNCTION grant_pushd(name) IS
    'Lets the role be that of vantage6-pushd: the daemon''s functions and nothing else. For '
    'superusers, before or after attach(). Owned by the extension.';

CREATE FUNCTION make(schema name) RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s'
AS $$
DECLARE
    owner name := vantage6_events.hq_owner(schema);
    agent name := vantage6_events.hq_agent(schema);
    version integer := vantage6_events.hq_version(schema);
    earlier record;
BEGIN
    PERFORM vantage6_events.check_asker(owner);
    SELECT * INTO earlier FROM vantage6_events.attachment FOR UPDATE;
    IF earlier.hq_schema <> schema THEN
        RAISE EXCEPTION 'vantage6_events is attached to schema "%"', earlier.hq_schema
            USING ERRCODE = 'V6003',
            HINT = 'Run SELECT vantage6_events.detach() first; one database, one HQ.';
    END IF;
    -- DROP TRIGGER needs more than CREATE TRIGGER, which lets readers be.
    PERFORM vantage6_events.unmake_locked(schema, version, CASE WHEN earlier.hq_schema IS NULL
        THEN 'SHARE ROW EXCLUSIVE' ELSE 'ACCESS EXCLUSIVE' END, '10 s');
    IF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = agent) THEN
        EXECUTE format('CREATE ROLE %I NOLOGIN', agent);
        EXECUTE format('COMMENT ON ROLE %I IS %L', agent,
                       'Owns what vantage6_events does with the rows of vantage6');
    END IF;
    IF agent = 'vantage6_events' AND vantage6_events.agent_is_open(agent) THEN
        RAISE EXCEPTION 'role "%" can log in or has members', agent
            USING ERRCODE = 'V6004', DETAIL = 'It is to own what touches HQ''s rows.',
            HINT = format('ALTER ROLE %I NOLOGIN, and revoke it from its members.', agent);
    END IF;
    PERFORM vantage6_events.agent_privileges(schema, version, agent, true);
    PERFORM vantage6_events.make_views(schema, version, agent);
    PERFORM vantage6_events.make_functions(agent);
    PERFORM vantage6_events.make_triggers(schema);
    PERFORM vantage6_events.apply_grants();
    INSERT INTO vantage6_events.attachment AS a (hq_schema, hq_version, agent, attached_at)
    VALUES (schema, version, agent, now())
    ON CONFLICT (one) DO UPDATE SET (hq_version, agent, attached_at)
        = (excluded.hq_version, excluded.agent, excluded.attached_at);
    RETURN version;
END
$$;
COMMENT ON FUNCTION make(name) IS
    'The part of attach() that defines things; touches no row of HQ. V6002-V6004; 55P03 if HQ''s '
    'tables are locked for 10 s. Owned by the extension.';

CREATE FUNCTION refill_logic() RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    stale integer[];
BEGIN
    DELETE FROM vantage6_events.node_at;
    INSERT INTO vantage6_events.node_at (node_id, organization_id, collaboration_id)
    SELECT p.id, p.organization_id, p.collaboration_id FROM vantage6_events.principal AS p
    WHERE p.kind = 'node' AND p.organization_id IS NOT NULL AND p.collaboration_id IS NOT NULL;
    -- Whom HQ calls online was online with the server that was here before: he may come back.
    stale := ARRAY(SELECT s.id FROM vantage6_events.principal_status AS s
                   WHERE s.status = 'online'
                   EXCEPT SELECT a.principal_id FROM vantage6_events.announced AS a);
    INSERT INTO vantage6_events.announced SELECT * FROM vantage6_events.states(stale, stale)
    ON CONFLICT DO NOTHING;
    PERFORM vantage6_events.expect(stale, vantage6_events.setting('epoch_grace')::interval);
END
$$;
COMMENT ON FUNCTION refill_logic() IS
    'The part of attach() that reads HQ''s rows: fills node_at, and announced with whom HQ calls '
    'online. Owned by the agent.';

CREATE FUNCTION attach(schema name) RETURNS text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    version integer := vantage6_events.make(schema);
BEGIN
    PERFORM vantage6_events.refill();
    RETURN format('attached to vantage6 %s in schema %I', version, schema);
END
$$;
COMMENT ON FUNCTION attach(name) IS
    'Attaches the extension to the tables of vantage6 in the schema; run it by their owner or a '
    'superuser, again after an upgrade of either. Errors: V6002-V6004; 55P03 if the tables are '
    'locked for 10 s. SECURITY INVOKER; owned by the extension.';

CREATE FUNCTION detach() RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s'
AS $$
DECLARE
    att record;
    owner name := current_user;
BEGIN
    SELECT * INTO att FROM vantage6_events.attachment FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'was not attached';
    END IF;
    BEGIN
        owner := vantage6_events.hq_owner(att.hq_schema);
    EXCEPTION WHEN SQLSTATE 'V6002' THEN
        -- The tables are gone, or elsewhere. Who owned them may, unless that was a superuser.
        SELECT r.rolname INTO owner FROM pg_roles AS r
        WHERE r.rolname = att.agent AND att.agent <> 'vantage6_events';
        owner := coalesce(owner, current_user);
    END;
    PERFORM vantage6_events.check_asker(owner);
    PERFORM vantage6_events.unmake_locked(att.hq_schema, att.hq_version, 'ACCESS EXCLUSIVE', '10 s');
    IF EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = att.agent) THEN
        PERFORM vantage6_events.agent_privileges(att.hq_schema, att.hq_version, att.agent, false);
        PERFORM vantage6_events.apply_grants();
    END IF;
    DELETE FROM vantage6_events.instance;
    DELETE FROM vantage6_events.lease;
    DELETE FROM vantage6_events.pending;
    DELETE FROM vantage6_events.announced;
    DELETE FROM vantage6_events.announced_task;
    DELETE FROM vantage6_events.node_at;
    DELETE FROM vantage6_events.attachment;
    RETURN format('detached from schema %I', att.hq_schema);
END
$$;
COMMENT ON FUNCTION detach() IS
    'Takes what attach() made off HQ''s tables, and forgets who is connected; their rows stay: whose '
    'status is online stays so, until HQ or the next attach() sees to it. Events stay. Run '
    'it by their owner or a superuser. V6004; 55P03 if the tables are locked for 10 s. Owned by the '
    'extension.';
-- What operators look at.

CREATE VIEW connections AS
    SELECT l.sid, i.name AS instance, l.principal_id, l.kind, a.name, l.nsp AS namespace,
           l.transport, l.address, l.connected_at, l.expires_at
    FROM vantage6_events.lease AS l
    LEFT JOIN vantage6_events.instance AS i ON i.incarnation = l.incarnation
    LEFT JOIN vantage6_events.announced AS a ON a.principal_id = l.principal_id;
COMMENT ON VIEW connections IS 'Who is connected, where, and since when';
COMMENT ON COLUMN connections.sid IS 'Socket.IO id of the connection';
COMMENT ON COLUMN connections.instance IS 'Name of the vantage6-pushd that holds it';
COMMENT ON COLUMN connections.principal_id IS 'Principal: a row of HQ''s authenticatable';
COMMENT ON COLUMN connections.kind IS 'node or user';
COMMENT ON COLUMN connections.name IS 'Name of the principal; NULL until it was announced';
COMMENT ON COLUMN connections.namespace IS 'Socket.IO namespace';
COMMENT ON COLUMN connections.transport IS 'websocket or polling, when it was registered';
COMMENT ON COLUMN connections.address IS 'Network address of the client';
COMMENT ON COLUMN connections.connected_at IS 'When it was registered';
COMMENT ON COLUMN connections.expires_at IS 'When its token expires';

CREATE VIEW recent_events AS
    SELECT e.id, e.emitted_at, e.namespace, e.name, e.rooms, e.except_principal,
           octet_length(e.payload) AS bytes, left(e.payload, 200) AS payload
    FROM vantage6_events.event AS e ORDER BY e.id DESC LIMIT 1000;
COMMENT ON VIEW recent_events IS 'The last 1000 events, newest first';
COMMENT ON COLUMN recent_events.id IS 'Id, in the order of delivery within a transaction''s reach';
COMMENT ON COLUMN recent_events.emitted_at IS 'Start of the transaction that emitted it';
COMMENT ON COLUMN recent_events.namespace IS 'Socket.IO namespace';
COMMENT ON COLUMN recent_events.name IS 'Name';
COMMENT ON COLUMN recent_events.rooms IS 'Rooms that it went to';
COMMENT ON COLUMN recent_events.except_principal IS 'A principal that it was kept from, or NULL';
COMMENT ON COLUMN recent_events.bytes IS 'Size of its payload';
COMMENT ON COLUMN recent_events.payload IS 'Beginning of its payload';

CREATE VIEW status AS
    SELECT a.hq_schema, a.hq_version, a.agent, a.attached_at,
           (SELECT e.value FROM vantage6_events.epoch AS e) AS epoch,
           (SELECT count(*) FROM vantage6_events.instance) AS instances,
           (SELECT count(*) FROM vantage6_events.lease) AS connections,
           (SELECT count(*) FROM vantage6_events.pending) AS pending,
           (SELECT max(e.id) FROM vantage6_events.event AS e) AS last_event,
           pg_catalog.pg_notification_queue_usage() AS notify_queue
    FROM (SELECT) AS always LEFT JOIN vantage6_events.attachment AS a ON true;
COMMENT ON VIEW status IS 'The attachment and what goes on; one row, also when not attached';
COMMENT ON COLUMN status.hq_schema IS 'Schema of HQ''s tables; NULL = not attached';
COMMENT ON COLUMN status.hq_version IS '4 or 5';
COMMENT ON COLUMN status.agent IS 'Role that owns what touches HQ''s rows';
COMMENT ON COLUMN status.attached_at IS 'When attach() was last run';
COMMENT ON COLUMN status.epoch IS 'Present epoch; NULL = no vantage6-pushd since a crash';
COMMENT ON COLUMN status.instances IS 'Instances of vantage6-pushd that live';
COMMENT ON COLUMN status.connections IS 'Registered connections';
COMMENT ON COLUMN status.pending IS 'Presence still to be looked at';
COMMENT ON COLUMN status.last_event IS 'Greatest id of an event';
COMMENT ON COLUMN status.notify_queue IS 'Fill of the notification queue, 0 to 1; at 1 commits fail';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA vantage6_events FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA vantage6_events FROM PUBLIC;
REVOKE ALL ON SCHEMA vantage6_events FROM PUBLIC;
