-- vantage6_events: tells the Socket.IO clients of vantage6 what was committed in its database.
--
-- HQ         the vantage6 server (version 4) or HQ (version 5), whose tables are in this database
-- principal  a node or a user of HQ: a row of authenticatable
-- agent      the role that owns what touches HQ's rows: the owner of HQ's tables, or, if that is a
--            superuser, the NOLOGIN role vantage6_events. Never a superuser
-- logic      a function X_logic of the extension, SECURITY INVOKER, that touches HQ's rows.
--            attach() makes of each a function X, SECURITY DEFINER, owned by the agent
--
-- Refusals and their SQLSTATEs:
--   V6001  open: not attached                       V6101  emit: bad namespace
--   V6002  attach: neither HQ 4 nor HQ 5, or a      V6102  emit: bad room
--          column has a type that cannot be used    V6103  emit: NULL room, or none
--   V6003  attach: attached to another schema       V6104  emit: too many rooms
--   V6004  attach: owner of the tables is unclear,  V6105  emit: bad event name
--          not you; or the agent is open to others, V6106  emit: reserved event name
--          or may not see all rows                  V6107  emit: larger than max_payload
--   V6005  open: what attach() made is not whole    V6108  emit: durable, with rooms of others
--   V6006  open: a standby                                 than nodes
--   V6007  open: server_encoding is SQL_ASCII       V6109  emit: bad ttl, or not durable
--   V6008  open: version of pushd not supported
--   V6009  open: bad instance name
--   V6010  connect, receive, ack, rights_since:
--          the incarnation ended
--
-- Settings, vantage6_events.<name>: src/settings.def.
\echo Use "CREATE EXTENSION vantage6_events" to load this file. \quit

-- Functions name nothing of the extension's with its schema: search_path finds it, pg_catalog first
-- and pg_temp last. So nobody else may create anything in the schema. What attach() makes is named
-- with the schema: it may be missing, and must not be looked for in pg_temp then.
CREATE FUNCTION creators() RETURNS SETOF text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('schema vantage6_events belongs to %I, which is not a superuser', r.rolname)
    FROM pg_namespace AS n JOIN pg_roles AS r ON r.oid = n.nspowner
    WHERE n.nspname = 'vantage6_events' AND NOT r.rolsuper
    UNION ALL
    SELECT format('%s may create in schema vantage6_events',
                  CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
    FROM pg_namespace AS n, aclexplode(n.nspacl) AS a
    WHERE n.nspname = 'vantage6_events' AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner
$$;
COMMENT ON FUNCTION creators() IS
    'Who may create in the schema and ought not to, one line each: it could run as a superuser.';

DO $$
DECLARE
    fault text := (SELECT c FROM vantage6_events.creators() AS c LIMIT 1);
BEGIN
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION '%', fault
            USING HINT = 'Drop or rename it; CREATE EXTENSION makes its own.';
    END IF;
END $$;

COMMENT ON SCHEMA vantage6_events IS 'The extension vantage6_events, and what its attach() makes';

CREATE FUNCTION timeline() RETURNS integer
    LANGUAGE c STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'v6e_sql_timeline';
COMMENT ON FUNCTION timeline() IS 'The timeline that is being written now; an error on a standby.';

CREATE FUNCTION system_id() RETURNS text
    LANGUAGE c IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'v6e_sql_system_id';
COMMENT ON FUNCTION system_id() IS 'The system identifier of this cluster, decimal.';

CREATE FUNCTION setting(name text) RETURNS text
    LANGUAGE c STABLE STRICT SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'v6e_sql_setting';
COMMENT ON FUNCTION setting(text) IS
    'The value of vantage6_events.<name> with its unit, as SHOW gives it; also before the module '
    'is loaded. An error if there is no such setting.';

CREATE FUNCTION duration(setting text) RETURNS interval
    LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN -- without days, which have 23 to 25 hours by TimeZone
    RETURN make_interval(secs => extract(epoch FROM setting(duration.setting)::interval));
END $$;
COMMENT ON FUNCTION duration(text) IS 'The value of a setting that is a time, in hours at most.';

CREATE FUNCTION bytes(setting text) RETURNS bigint
    LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    size text := setting(bytes.setting);
BEGIN -- "B", as SHOW writes it, is no unit of pg_size_bytes() before PostgreSQL 16
    RETURN pg_size_bytes(CASE WHEN size ~ '[0-9]B$' THEN rtrim(size, 'B') ELSE size END);
END $$;
COMMENT ON FUNCTION bytes(text) IS 'The value of a setting that is a size.';
