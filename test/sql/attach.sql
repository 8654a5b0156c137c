-- attach() makes views, functions and triggers owned by the agent; detach() leaves no trace.
\set hq 5
\set attach off
\set ECHO none
\i test/hq/regress-up.psql
-- All that the catalogs say of HQ's tables, and of what else is in the extension's schema.
CREATE VIEW pg_temp.traces AS
    WITH rel AS (
        SELECT * FROM pg_class WHERE relnamespace = '"HQ''s tables"'::regnamespace
    )
    SELECT 'trigger' AS what, relname || ' ' || tgname AS item, '' AS value
    FROM rel JOIN pg_trigger t ON tgrelid = rel.oid WHERE NOT tgisinternal
    UNION ALL
    SELECT relkind::text, relname, coalesce(relacl, acldefault(CASE relkind
        WHEN 'S' THEN 's'::"char" ELSE 'r' END, relowner))::text FROM rel
    UNION ALL
    SELECT 'column', relname || ' ' || attname, coalesce(attacl::text, '')
    FROM rel JOIN pg_attribute ON attrelid = rel.oid WHERE attnum > 0
    UNION ALL
    SELECT 'schema', nspname, coalesce(nspacl, acldefault('n', nspowner))::text FROM pg_namespace
    WHERE nspname = 'HQ''s tables'
    UNION ALL
    SELECT 'ours', proname || pg_get_function_identity_arguments(oid),
           array(SELECT x::text FROM unnest(coalesce(proacl, acldefault('f', proowner))) x
               ORDER BY 1)::text
    FROM pg_proc WHERE pronamespace = 'vantage6_events'::regnamespace
    UNION ALL
    SELECT 'ours', relname,
           array(SELECT x::text FROM unnest(coalesce(relacl, acldefault('r', relowner))) x
               ORDER BY 1)::text
    FROM pg_class WHERE relnamespace = 'vantage6_events'::regnamespace AND relkind IN ('r', 'v');
CREATE TABLE pg_temp.before AS SELECT * FROM pg_temp.traces;
\set ECHO all
SET ROLE regress_hq;
SELECT vantage6_events.attach('HQ''s tables');
RESET ROLE;
SELECT what, name, owner::regrole, whole FROM vantage6_events.made()
    ORDER BY what, name COLLATE "C";
SELECT hq_schema, hq_version, agent FROM vantage6_events.status;
SELECT * FROM vantage6_events.node_at ORDER BY 1;
-- Again, and by a superuser: the same.
SELECT vantage6_events.attach('HQ''s tables');
SELECT count(*), count(DISTINCT oid), count(*) FILTER (WHERE owner = 'regress_hq'::regrole)
FROM vantage6_events.made();
SELECT * FROM vantage6_events.faults();
-- What is attached cannot be pulled away from under HQ.
\set VERBOSITY terse
DROP EXTENSION vantage6_events;
\set VERBOSITY default
-- One database, one HQ.
CREATE SCHEMA other AUTHORIZATION regress_hq;
SET ROLE regress_hq;
SET search_path = other;
\set ECHO none
\o /dev/null
\i test/hq/hq-v4.sql
\o
\set ECHO all
SELECT vantage6_events.attach('other');
SELECT vantage6_events.detach();
RESET ROLE;
SELECT * FROM pg_temp.before EXCEPT SELECT * FROM pg_temp.traces ORDER BY 1, 2;
SELECT * FROM pg_temp.traces EXCEPT SELECT * FROM pg_temp.before ORDER BY 1, 2;
SELECT count(*) > 200 AS compared FROM pg_temp.before;
SET ROLE regress_hq;
SELECT vantage6_events.detach();
SELECT vantage6_events.attach('other');
SELECT vantage6_events.detach();
RESET ROLE;
-- HQ's schema was renamed: open() tells, and its owner can detach.
SELECT vantage6_events.attach('other');
ALTER SCHEMA other RENAME TO another;
SELECT * FROM vantage6_events.faults() WHERE faults LIKE 'schema%';
SELECT count(*) FROM vantage6_events.open('i', '1.0.0');
SET ROLE regress_hq;
SELECT vantage6_events.detach();
RESET ROLE;
ALTER SCHEMA another RENAME TO other;

-- Tables of a superuser: the agent is a role that can do nothing else.
CREATE ROLE regress_super SUPERUSER;
REASSIGN OWNED BY regress_hq TO regress_super;
TRUNCATE pg_temp.before;
INSERT INTO pg_temp.before SELECT * FROM pg_temp.traces;
SELECT vantage6_events.attach('HQ''s tables');
SELECT DISTINCT owner::regrole FROM vantage6_events.made();
SELECT rolsuper, rolcanlogin, rolcreaterole, rolcreatedb, rolbypassrls FROM pg_roles
WHERE rolname = 'vantage6_events';
SET search_path = "HQ's tables";
SELECT table_name, privilege_type FROM information_schema.table_privileges
WHERE grantee = 'vantage6_events' AND table_schema = 'HQ''s tables' ORDER BY 1, 2;
SELECT privilege_type, table_name, string_agg(column_name, ' ' ORDER BY column_name)
FROM information_schema.column_privileges
WHERE grantee = 'vantage6_events' AND table_schema = 'HQ''s tables'
GROUP BY 1, 2 ORDER BY privilege_type, table_name::text COLLATE "C";
SELECT string_agg(r, ' ') FROM vantage6_events.rooms(1) AS r;
INSERT INTO run (task_id, organization_id, status) VALUES (1, 1, 'pending');
SELECT name, rooms FROM vantage6_events.recent_events ORDER BY id;
SELECT vantage6_events.detach();
SELECT * FROM pg_temp.before EXCEPT SELECT * FROM pg_temp.traces ORDER BY 1, 2;
SELECT * FROM pg_temp.traces EXCEPT SELECT * FROM pg_temp.before ORDER BY 1, 2;
-- The role that owns it is open to nobody.
ALTER ROLE vantage6_events LOGIN;
SELECT vantage6_events.attach('HQ''s tables');
ALTER ROLE vantage6_events NOLOGIN;
SELECT vantage6_events.attach('HQ''s tables');
GRANT vantage6_events TO regress_hq;
SELECT * FROM vantage6_events.faults();
SELECT vantage6_events.attach('HQ''s tables');
REVOKE vantage6_events FROM regress_hq;
SELECT * FROM vantage6_events.faults();
SELECT vantage6_events.detach();
-- HQ was dropped while attached: a superuser can still detach.
SELECT vantage6_events.attach('HQ''s tables');
\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA "HQ's tables" CASCADE;
SELECT vantage6_events.detach();
\set ECHO none
CREATE SCHEMA "HQ's tables";
DROP SCHEMA other CASCADE;
DROP OWNED BY regress_super, vantage6_events;
DROP ROLE regress_super, vantage6_events;
\i test/hq/regress-down.psql
