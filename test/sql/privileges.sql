-- Who may do what, and who owns what.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
\set ECHO all
-- PUBLIC may do nothing.
SELECT p.oid::regprocedure FROM pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) a
WHERE pronamespace = 'vantage6_events'::regnamespace AND a.grantee = 0;
SELECT c.oid::regclass FROM pg_class c, aclexplode(relacl) a
WHERE relnamespace = 'vantage6_events'::regnamespace AND a.grantee = 0;
SELECT has_schema_privilege('public', 'vantage6_events', 'USAGE');
-- The daemon's role: its functions and nothing else; no table.
SELECT p.oid::regprocedure FROM pg_proc p WHERE pronamespace = 'vantage6_events'::regnamespace
  AND has_function_privilege('regress_pushd', p.oid, 'EXECUTE') ORDER BY p.proname COLLATE "C";
SELECT c.oid::regclass FROM pg_class c
WHERE relnamespace IN ('vantage6_events'::regnamespace, '"HQ''s tables"'::regnamespace)
  AND relkind IN ('r', 'p', 'v', 'S')
      AND (CASE WHEN relkind = 'S' THEN has_sequence_privilege('regress_pushd', c.oid,
      'USAGE, SELECT, UPDATE')
       ELSE has_any_column_privilege('regress_pushd', c.oid, 'SELECT, INSERT, UPDATE')
            OR has_table_privilege('regress_pushd', c.oid, 'DELETE, TRUNCATE, TRIGGER') END);
SELECT has_schema_privilege('regress_pushd', 'HQ''s tables', 'USAGE'),
       has_schema_privilege('regress_pushd', 'vantage6_events', 'CREATE'),
       has_schema_privilege('regress_hq', 'vantage6_events', 'CREATE');
-- HQ's own, granted to another role than the owner.
CREATE ROLE regress_operator;
SELECT vantage6_events.grant_hq('regress_operator');
SELECT p.oid::regprocedure FROM pg_proc p WHERE pronamespace = 'vantage6_events'::regnamespace
  AND has_function_privilege('regress_operator', p.oid, 'EXECUTE')
      ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT c.oid::regclass, c.relkind FROM pg_class c
    WHERE relnamespace = 'vantage6_events'::regnamespace
  AND relkind IN ('r', 'p', 'v')
      AND has_any_column_privilege('regress_operator', c.oid, 'SELECT, INSERT, UPDATE') ORDER BY 1;
SET ROLE regress_operator;
SELECT count(*) FROM vantage6_events.connections;
SELECT hq_version FROM vantage6_events.status;
SELECT vantage6_events.emit('x', NULL, 'everyone') > 0 AS emitted;
SELECT count(*) FROM vantage6_events.recent_events;
SELECT vantage6_events.may_receive(1, 'everyone');
RESET ROLE;
-- What runs as a superuser touches no row of HQ: these write the log, the leases, definitions.
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
WHERE pronamespace = 'vantage6_events'::regnamespace AND prosecdef AND rolsuper
ORDER BY p.oid::regprocedure::text COLLATE "C";
-- Grants outlive attach().
SELECT vantage6_events.attach('HQ''s tables');
SELECT has_function_privilege('regress_pushd', 'vantage6_events.presence(integer, integer[])',
    'EXECUTE'),
       has_function_privilege('regress_operator', 'vantage6_events.rooms(integer)', 'EXECUTE');
-- open() refuses what attach() did not make so, as after a restore without owners.
CREATE ROLE regress_super SUPERUSER;
ALTER FUNCTION vantage6_events.presence(integer, integer[]) OWNER TO regress_super;
SET ROLE regress_pushd;
SELECT * FROM vantage6_events.open('i', '1.0.0');
RESET ROLE;
SELECT vantage6_events.attach('HQ''s tables');
ALTER VIEW vantage6_events.principal OWNER TO regress_operator;
SELECT * FROM vantage6_events.open('i', '1.0.0');
SELECT vantage6_events.attach('HQ''s tables');
ALTER TABLE run DISABLE TRIGGER vantage6_events_on_run_changed;
SELECT * FROM vantage6_events.open('i', '1.0.0');
DROP TRIGGER vantage6_events_on_run_changed ON run;
SELECT * FROM vantage6_events.faults();
SELECT vantage6_events.attach('HQ''s tables');
ALTER ROLE regress_hq SUPERUSER;
SELECT * FROM vantage6_events.open('i', '1.0.0');
ALTER ROLE regress_hq NOSUPERUSER;
SELECT incarnation > 0 AS open FROM vantage6_events.open('i', '1.0.0');
-- Nor when somebody else may create in the schema: what he creates would run as a superuser.
SELECT a.grantee::regrole FROM pg_namespace n, aclexplode(n.nspacl) a
WHERE n.nspname = 'vantage6_events' AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner;
BEGIN;
GRANT CREATE ON SCHEMA vantage6_events TO regress_operator;
SELECT * FROM vantage6_events.faults();
SAVEPOINT here;
SELECT * FROM vantage6_events.open('i', '1.0.0');
ROLLBACK TO here;
SELECT vantage6_events.attach('HQ''s tables');
ROLLBACK;
BEGIN;
ALTER SCHEMA vantage6_events OWNER TO regress_operator;
GRANT CREATE ON SCHEMA vantage6_events TO PUBLIC;
SELECT * FROM vantage6_events.faults();
ROLLBACK;
-- Neither does it when the agent lacks a right, or HQ has other tables now.
REVOKE ALL ON SCHEMA vantage6_events FROM regress_hq;
REVOKE UPDATE ON vantage6_events.lease FROM regress_hq;
REVOKE EXECUTE ON FUNCTION vantage6_events.announce(text, json, text[], integer, boolean, bigint,
    text) FROM regress_hq;
SELECT * FROM vantage6_events.faults();
SELECT * FROM vantage6_events.open('i', '1.0.0');
SELECT vantage6_events.attach('HQ''s tables');
SELECT * FROM vantage6_events.faults();
BEGIN;
SET LOCAL search_path = "HQ's tables";
ALTER TABLE run RENAME TO run_old;
CREATE TABLE run (LIKE run_old);
ALTER TABLE task RENAME TO task_old;
CREATE TABLE task (LIKE task_old);
ALTER TABLE run OWNER TO regress_hq;
ALTER TABLE task OWNER TO regress_hq;
SELECT * FROM vantage6_events.faults();
SELECT vantage6_events.attach('HQ''s tables');
SELECT * FROM vantage6_events.faults();
ROLLBACK;
BEGIN;
DROP TRIGGER vantage6_events_on_run_inserted ON "HQ's tables".run;
CREATE TRIGGER vantage6_events_on_run_inserted BEFORE INSERT ON "HQ's tables".run
    FOR EACH ROW EXECUTE FUNCTION vantage6_events.on_run_inserted();
SELECT * FROM vantage6_events.faults();
ROLLBACK;
-- The document's way to take grants back: nothing is left, but what the agent needs.
CREATE TABLE pg_temp.roles AS
    SELECT unnest(ARRAY['regress_operator', 'regress_pushd', 'regress_hq']) AS somebody;
BEGIN;
DELETE FROM vantage6_events.granted WHERE grantee IN (SELECT somebody::regrole FROM pg_temp.roles);
REVOKE USAGE ON SCHEMA vantage6_events FROM regress_operator, regress_pushd, regress_hq;
REVOKE SELECT ON vantage6_events.connections, vantage6_events.connection_history,
    vantage6_events.recent_events, vantage6_events.pending_instructions,
    vantage6_events.set_aside, vantage6_events.status
        FROM regress_operator, regress_pushd, regress_hq;
DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT oid FROM pg_proc WHERE pronamespace = 'vantage6_events'::regnamespace
        AND proname IN
        -- of grant_hq, then of grant_pushd
        ('emit', 'bell', 'rooms', 'may_receive', 'kill_task', 'kill_node', 'kick', 'attach',
            'make', 'detach',
         'open', 'connect', 'disconnect', 'events_since', 'beat', 'presence', 'receive',
             'rights_since', 'ack')
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM regress_operator, regress_pushd,
            regress_hq', f);
    END LOOP;
END
$$;
SELECT vantage6_events.attach('HQ''s tables');
SELECT * FROM vantage6_events.faults();
SELECT somebody, has_schema_privilege(somebody, 'vantage6_events', 'USAGE') AS usage,
    (SELECT count(*) FROM pg_proc p WHERE pronamespace = 'vantage6_events'::regnamespace
     AND prosecdef AND proname NOT IN ('announce', 'missed_events', 'upkeep')
         AND proowner <> somebody::regrole
     AND has_function_privilege(somebody, p.oid, 'EXECUTE')) AS functions,
    (SELECT count(*) FROM pg_class c WHERE relnamespace = 'vantage6_events'::regnamespace
        AND relkind = 'v'
     AND relowner <> somebody::regrole AND has_table_privilege(somebody, c.oid, 'SELECT')) AS views
FROM pg_temp.roles ORDER BY 1;
ROLLBACK;
-- Whoever emits has a search_path of his own, which is no way to anything: what is in it first is
-- never called.
\c -
SET client_min_messages = warning;
CREATE SCHEMA regress_evil;
CREATE FUNCTION regress_evil.pg_current_xact_id() RETURNS xid8 LANGUAGE sql AS $$
    SELECT (1 / 0)::text::xid8 $$;
CREATE FUNCTION regress_evil.nextval(regclass) RETURNS bigint LANGUAGE sql AS $$ SELECT 1 / 0 $$;
CREATE TABLE regress_evil.event (LIKE vantage6_events.event);
CREATE FUNCTION regress_evil.equal(smallint, smallint) RETURNS boolean LANGUAGE sql AS $$
    SELECT 1 / 0 = 1 $$;
CREATE OPERATOR regress_evil.= (LEFTARG = smallint, RIGHTARG = smallint,
    FUNCTION = regress_evil.equal);
SET search_path = regress_evil, pg_catalog;
SELECT vantage6_events.emit('x', '[1]'::json, 'node_1', durable => true) > 0 AS emitted;
SELECT count(*) FROM event;
RESET search_path;
SELECT count(*) FROM vantage6_events.instruction WHERE name = 'x';
DROP SCHEMA regress_evil CASCADE;
RESET client_min_messages;
-- Neither is pg_temp: it comes last, and what attach() makes is named with its schema, should it be
-- missing.
SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'vantage6_events'::regnamespace
  AND (p.proconfig[1] ~ '^search_path=pg_catalog(, vantage6_events)?, pg_temp$') IS NOT TRUE
ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT p.oid::regprocedure, v.name FROM pg_proc p, vantage6_events.view_template(5) v
WHERE p.pronamespace = 'vantage6_events'::regnamespace
  AND p.prosrc ~ ('(?<!DISTINCT )\m(FROM|JOIN|UPDATE|INTO)\s+' || v.name || '\M');
SET ROLE regress_operator;
CREATE TEMP TABLE open_run AS SELECT 'open_run' AS evil;
CREATE TEMP TABLE task AS SELECT 'task' AS evil;
BEGIN;
SELECT vantage6_events.kill_task(1);
RESET ROLE;
DROP VIEW vantage6_events.task;
SET ROLE regress_operator;
\set VERBOSITY sqlstate
SELECT vantage6_events.kill_task(1);
\set VERBOSITY default
ROLLBACK;
RESET ROLE;
-- A trigger that HQ's owner puts on his own table does not run as a superuser.
SET ROLE regress_hq;
SET search_path = "HQ's tables";
CREATE FUNCTION who() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE NOTICE 'as %', current_user; RETURN NEW; END $$;
CREATE TRIGGER who BEFORE UPDATE ON authenticatable FOR EACH ROW EXECUTE FUNCTION who();
RESET ROLE;
SELECT kind FROM vantage6_events.connect((SELECT incarnation FROM vantage6_events.instance),
    '[{"sid": "a", "nsp": "/tasks", "subject": "00000000-0000-4000-8000-000000000001"}]');
SELECT vantage6_events.presence(10);
SET ROLE regress_hq;
UPDATE authenticatable SET last_seen = NULL WHERE id = 1; -- or the ping would write nothing
RESET ROLE;
SELECT * FROM vantage6_events.receive((SELECT incarnation FROM vantage6_events.instance), 's',
    '[{"seq": 1, "sid": "a", "principal": 1, "nsp": "/tasks", "event": ["ping"]}]');
\set ECHO none
DROP OWNED BY regress_operator;
DROP ROLE regress_operator, regress_super;
\i test/hq/regress-down.psql
