-- What the role of pushd may do, and what it may not, if somebody else has its password. What it
-- may is in doc/guarantees.md.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
\i test/hq/receive.psql
CREATE ROLE regress_other;
CREATE TABLE public.hers (id integer);
SELECT lo_from_bytea(4711, 'hers') \g /dev/null
INSERT INTO "HQ's tables".run (task_id, organization_id, status) VALUES (1, 1, 'pending');
SELECT vantage6_events.kill_task(1), vantage6_events.emit('e', NULL, 'everyone') \g /dev/null
SELECT incarnation AS mine FROM vantage6_events.instance \gset
-- Runs it, undoes it, and says how it failed. done: it did not.
CREATE FUNCTION public.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        EXECUTE statement;
        RAISE EXCEPTION USING ERRCODE = 'DONE0';
    EXCEPTION WHEN OTHERS OR ASSERT_FAILURE THEN
        RETURN CASE sqlstate WHEN 'DONE0' THEN 'done' ELSE sqlstate END;
    END;
END $$;
-- For each function and relation of the extension and of HQ, ways to use it. Arguments are no
-- constants: a strict function would not be called.
CREATE TABLE public.calls AS
    SELECT p.proname AS name, format('SELECT vantage6_events.%I(%s)', p.proname, (
        SELECT string_agg(format('%s(SELECT NULL::%s)',
            CASE WHEN p.provariadic <> 0 AND n = p.pronargs THEN 'VARIADIC ' END,
            CASE t WHEN 'anyelement'::regtype THEN 'timestamptz' ELSE format_type(t, NULL) END),
            ', ' ORDER BY n)
        FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (t, n))) AS statement
    FROM pg_proc AS p WHERE p.pronamespace = 'vantage6_events'::regnamespace;
CREATE TABLE public.uses AS
    SELECT r.name, format(s, r.name, a.attname) AS statement
    FROM pg_class AS c
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped,
    format('%s.%I', c.relnamespace::regnamespace, c.relname) AS r (name),
    unnest(CASE c.relkind WHEN 'S' THEN ARRAY['SELECT * FROM %s', 'SELECT nextval(%1$L)',
                                              'SELECT setval(%1$L, 1)']
           ELSE ARRAY['SELECT %2$I FROM %1$s', 'INSERT INTO %s DEFAULT VALUES', 'DELETE FROM %s',
                      'UPDATE %1$s SET %2$I = DEFAULT', 'TRUNCATE %s', 'DROP TABLE %s',
                      'LOCK TABLE %s IN ROW SHARE MODE', 'ALTER TABLE %s OWNER TO CURRENT_USER',
                      'ALTER TABLE %s ADD x integer', 'GRANT ALL ON %s TO CURRENT_USER',
                      'CREATE TRIGGER x AFTER INSERT ON %s EXECUTE FUNCTION pg_temp.x()',
                      'CREATE RULE x AS ON INSERT TO %s DO NOTHING',
                      'CREATE TEMP TABLE x () INHERITS (%s)'] END) AS s
    WHERE c.relkind IN ('r', 'p', 'v', 'S')
      AND c.relnamespace IN ('vantage6_events'::regnamespace, '"HQ''s tables"'::regnamespace);
GRANT SELECT ON public.calls, public.uses TO regress_pushd;
CREATE TABLE public.rows_of_hq (name text, rows text);
CREATE FUNCTION public.look() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t regclass;
    rows text;
BEGIN
    FOR t IN SELECT c.oid FROM pg_class AS c
             WHERE c.relnamespace = '"HQ''s tables"'::regnamespace AND c.relkind = 'r' LOOP
        EXECUTE format('SELECT md5(coalesce(string_agg(x::text, '';'' ORDER BY x::text), ''''))'
                       ' FROM %s AS x', t) INTO rows;
        INSERT INTO public.rows_of_hq VALUES (t, rows);
    END LOOP;
END $$;
\set ECHO all
-- By the catalogs: all that it has and PUBLIC has not. Its functions are those of purpose_of().
SELECT p.proname FROM pg_proc AS p
WHERE has_function_privilege('regress_pushd', p.oid, 'EXECUTE')
  AND NOT has_function_privilege('public', p.oid, 'EXECUTE') ORDER BY p.proname COLLATE "C";
SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'vantage6_events'::regnamespace
  AND (vantage6_events.purpose_of(p.proname) = 'pushd')
      <> has_function_privilege('regress_pushd', p.oid, 'EXECUTE');
SELECT c.oid::regclass FROM pg_class AS c
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname <> 'calls' AND c.relname <> 'uses'
  AND (has_any_column_privilege('regress_pushd', c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
       OR has_table_privilege('regress_pushd', c.oid, 'DELETE, TRUNCATE, TRIGGER'))
  AND NOT (has_any_column_privilege('public', c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
           OR has_table_privilege('public', c.oid, 'DELETE, TRUNCATE, TRIGGER'));
SELECT n.nspname, has_schema_privilege('regress_pushd', n.oid, 'CREATE') AS creates
FROM pg_namespace AS n WHERE has_schema_privilege('regress_pushd', n.oid, 'USAGE')
  AND NOT has_schema_privilege('public', n.oid, 'USAGE');
SELECT has_database_privilege('regress_pushd', current_database(), 'CREATE') AS creates;
SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,
       (SELECT count(*) FROM pg_auth_members AS m WHERE m.member = r.oid) AS member_of
FROM pg_roles AS r WHERE rolname = 'regress_pushd';
SELECT classid::regclass, deptype FROM pg_shdepend
WHERE refobjid = 'regress_pushd'::regrole AND deptype = 'o';
SET SESSION AUTHORIZATION regress_pushd;
-- No setting. (55P02: nobody may in a session.)
SELECT name, public.try(format('SET %s = %L', name, setting)) AS state FROM pg_settings
WHERE name LIKE 'vantage6\_events.%' AND public.try(format('SET %s = %L', name, setting)) <> '42501'
ORDER BY name COLLATE "C";
-- By trying: each function, and each way to use a table, a view or a sequence.
SELECT DISTINCT c.name COLLATE "C" AS may_call FROM public.calls AS c
WHERE public.try(c.statement) <> '42501' ORDER BY 1;
SELECT count(DISTINCT u.name) > 50 AS tried FROM public.uses AS u;
-- (0A000, 42809, 55000: nobody may do that with a view.)
SELECT u.statement, public.try(u.statement) AS state FROM public.uses AS u
WHERE public.try(u.statement) NOT IN ('42501', '0A000', '42809', '55000') ORDER BY 1 LIMIT 20;
-- To become somebody else, to reach the machine, to leave something behind.
SELECT s AS statement, public.try(s) AS state FROM unnest(ARRAY[
    'SET ROLE regress_hq', 'SET ROLE regress_other', 'GRANT regress_other TO regress_pushd',
    'GRANT regress_hq TO regress_pushd', 'GRANT pg_read_all_data TO regress_pushd',
    'ALTER ROLE regress_pushd SUPERUSER', 'ALTER ROLE regress_pushd BYPASSRLS',
    'ALTER ROLE regress_hq PASSWORD ''x''', 'ALTER ROLE ALL SET search_path = x',
    'CREATE ROLE regress_new', 'DROP ROLE regress_other',
    'SELECT rolpassword FROM pg_authid', 'SELECT passwd FROM pg_shadow',
    'SELECT data FROM pg_largeobject', 'SELECT * FROM pg_statistic',
    'SET session_replication_role = replica', 'SET log_statement = ''none''',
    'SET lo_compat_privileges = on', 'SET track_activities = off', 'LOAD ''nothing''',
    'SET vantage6_events.retention = ''60s''', 'SET vantage6_events.max_run_log = ''512MB''',
    'ALTER ROLE regress_pushd SET vantage6_events.retention = ''60s''',
    'ALTER DATABASE contrib_regression SET vantage6_events.retention = ''60s''',
    'COPY (SELECT 1) TO PROGRAM ''true''', 'COPY (SELECT 1) TO ''/tmp/x''',
    'CREATE TEMP TABLE x (x text); COPY x FROM ''/etc/passwd''',
    'SELECT pg_read_file(''postgresql.conf'')', 'SELECT pg_ls_dir(''.'')',
    'SELECT lo_import(''/etc/passwd'')', 'SELECT lo_export(4711, ''/tmp/x'')',
    'SELECT lo_get(4711)', 'SELECT lo_unlink(4711)', 'SELECT loread(lo_open(4711, 131072), 9)',
    'SELECT pg_reload_conf()', 'SELECT pg_switch_wal()', 'SELECT pg_rotate_logfile()',
    'SELECT pg_create_physical_replication_slot(''x'')', 'CREATE PUBLICATION x FOR ALL TABLES',
    'CREATE SCHEMA x', 'CREATE EVENT TRIGGER x ON ddl_command_end'
        ' EXECUTE FUNCTION x()', 'CREATE FUNCTION pg_temp.x() RETURNS integer'
        ' LANGUAGE c AS ''x'', ''y''', 'CREATE FUNCTION pg_temp.x() RETURNS integer'
        ' LANGUAGE internal AS ''x''', 'CREATE CAST (text AS json) WITH INOUT AS IMPLICIT',
    'CREATE TABLE vantage6_events.x ()', 'CREATE TABLE "HQ''s tables".x ()',
    'CREATE TABLE public.x ()', 'CREATE FUNCTION vantage6_events.x() RETURNS integer LANGUAGE sql'
        ' AS ''SELECT 1''', 'CREATE OR REPLACE FUNCTION vantage6_events.beat(bigint, text[])'
        ' RETURNS boolean LANGUAGE sql AS ''SELECT true''',
    'ALTER FUNCTION vantage6_events.open(text, text) SECURITY INVOKER',
    'ALTER FUNCTION vantage6_events.setting(text) OWNER TO regress_pushd',
    'ALTER SCHEMA vantage6_events RENAME TO x', 'DROP EXTENSION vantage6_events CASCADE',
    'ALTER EXTENSION vantage6_events UPDATE', 'COMMENT ON SCHEMA vantage6_events IS ''x''',
    'ALTER DEFAULT PRIVILEGES FOR ROLE regress_hq GRANT ALL ON TABLES TO regress_pushd',
    'SELECT FROM public.hers']) AS s
WHERE public.try(s) <> '42501' ORDER BY 1;
\set VERBOSITY sqlstate
ALTER SYSTEM SET vantage6_events.retention = '60s';
CREATE DATABASE regress_x;
DROP DATABASE contrib_regression;
VACUUM vantage6_events.event_0;
\set VERBOSITY default
-- A view of its own is in the way of attach(), which names it.
CREATE TEMP VIEW in_the_way AS SELECT * FROM vantage6_events.principal;
RESET SESSION AUTHORIZATION;
SELECT vantage6_events.attach('HQ''s tables');
DISCARD TEMP;
SET SESSION AUTHORIZATION regress_pushd;
-- What others do is hidden from it.
SELECT count(*) FROM pg_stats WHERE schemaname IN ('vantage6_events', 'HQ''s tables');
-- Its own names, operators and settings are nothing to the functions that it may call.
RESET SESSION AUTHORIZATION;
SELECT public.look();
CREATE TABLE public.shadows AS
    SELECT DISTINCT format('CREATE TEMP TABLE %I (evil integer)', c.relname) AS statement
    FROM pg_class AS c WHERE c.relkind IN ('r', 'p', 'v')
      AND c.relnamespace IN ('vantage6_events'::regnamespace, '"HQ''s tables"'::regnamespace)
    UNION ALL
    SELECT format('CREATE TYPE pg_temp.%I AS ENUM (''evil'')', t.typname) FROM pg_type AS t
    JOIN pg_class AS c ON c.oid = t.typrelid AND c.relkind = 'c'
    WHERE t.typname <> 'node' AND t.typnamespace = 'vantage6_events'::regnamespace
    UNION ALL
    SELECT DISTINCT format('CREATE FUNCTION pg_temp.%I(%s) RETURNS text LANGUAGE sql AS '
                           '''SELECT (1 / 0)::text''', p.proname,
                           pg_get_function_identity_arguments(p.oid))
    FROM pg_proc AS p WHERE p.pronamespace = 'vantage6_events'::regnamespace
      AND p.prokind = 'f' AND p.proname !~ '^on_' AND p.proargmodes IS NULL;
GRANT SELECT ON public.shadows TO regress_pushd;
SET SESSION AUTHORIZATION regress_pushd;
DO $$
DECLARE
    s text;
BEGIN
    FOR s IN SELECT statement FROM public.shadows LOOP
        EXECUTE s;
    END LOOP;
    CREATE FUNCTION pg_temp.equal(integer, integer) RETURNS boolean LANGUAGE sql
        AS 'SELECT (1 / 0)::boolean';
    CREATE FUNCTION pg_temp.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz';
    CREATE OPERATOR pg_temp.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = pg_temp.equal);
END $$;
SET search_path = pg_temp, pg_catalog;
SET standard_conforming_strings = off;
SET array_nulls = off;
SET DateStyle = 'SQL, DMY';
SET IntervalStyle = 'sql_standard';
SELECT incarnation OPERATOR(pg_catalog.>) :mine AS opened, bell IN ('worker', 'notify') AS bell
FROM vantage6_events.open('thief', '1.0.0') \gset
SELECT kind, rooms OPERATOR(pg_catalog.~) 'node_1' AS rooms, greeting IS NOT NULL AS greeting
FROM vantage6_events.connect(:mine,
    '[{"sid": "a", "nsp": "/tasks", "subject": "00000000-0000-4000-8000-000000000001"}]');
SELECT taken, report FROM vantage6_events.receive(:mine, 'a stream of its own',
    '[{"seq": 1, "sid": "a", "principal": 1, "nsp": "/tasks", "event": ["ping"]}]');
SELECT vantage6_events.ack(:mine, '[{"id": 1, "principal": 1, "sid": "a", "acked": false}]');
SELECT vantage6_events.beat(:mine);
SELECT vantage6_events.presence(100) IS NULL AS done;
SELECT count(*) OPERATOR(pg_catalog.>) 1 AS events
FROM vantage6_events.events_since('1:1:', 0, NULL, NULL, 0, 100);
SELECT sid FROM vantage6_events.rights_since(:mine, '1:1:', '', 10);
SELECT vantage6_events.disconnect(:mine, '[{"sid": "a", "by_client": true}]');
SELECT vantage6_events.presence(100) IS NULL AS done;
RESET ALL;
SELECT * FROM pg_temp.event;
RESET SESSION AUTHORIZATION;
DISCARD TEMP;
-- What it hands to them, whatever that is, does no more than fail: nothing of HQ changes, nothing
-- fails within (XX), nothing is missing (42).
TRUNCATE public.rows_of_hq;
SELECT public.look();
CREATE TABLE public.before AS TABLE public.rows_of_hq;
CREATE TABLE public.bad AS
    SELECT x FROM unnest(ARRAY[NULL, 'null', '1', '"x"', 'true', '{}', '[]', '[null]', '[1, "x"]',
        '[[]]', '[{}]', '[{"seq": null}]', '[{"seq": 1e99}]', '[{"seq": "x"}]', '[{"seq": -1}]',
        '[{"seq": {}, "sid": [], "principal": {}, "event": {}}]',
        '[{"seq": 1, "principal": 99999999999}]', '[{"seq": 1, "event": null}]',
        '[{"seq": 2, "sid": "a", "principal": 1, "nsp": "/tasks", "event": []}]',
        '[{"seq": 3, "sid": "a", "principal": 1, "nsp": "/tasks", "event": "ping"}]',
        '[{"seq": 4, "sid": "a", "principal": -1, "nsp": "/tasks", "event": ["ping", [[]]]}]',
        '[{"seq": 5, "sid": "\u0000", "principal": 1, "nsp": "/tasks", "event": ["error", "\u0000"]
            }]',
        '[{"seq": 6, "sid": "\ud800", "principal": 1, "nsp": "/tasks", "event": ["\ud800"]}]',
        '[{"seq": 7, "principal": 1, "nsp": "/tasks", "event": ["algorithm_log",
            {"run_id": "0x1"}]}]',
        '[{"seq": 8, "principal": 1, "nsp": "/tasks", "event": ["algorithm_log",
            {"run_id": 1e0}]}]',
        '[{"seq": 9, "principal": 1, "nsp": "/tasks", "event": ["algorithm_status_change",
            {"run_id": 1, "run_id": [], "status": {}}]}]',
        '[{"seq": 10, "principal": 1, "nsp": "/tasks", "event": ["node_info_update", {"": [[]]}]}]',
        '[{"sid": null, "subject": null}]', '[{"sid": {}, "subject": []}]',
        '[{"sid": "b", "nsp": null, "subject": "''; DROP TABLE x; --"}]',
        '[{"sid": "c", "nsp": "/tasks", "subject": "x", "expires": "NaN", "pid": {}, "was": []}]',
        '[{"sid": "d", "subject": "x", "was": "x", "place": [], "most_bytes": -1, "expired": 2}]',
        '[{"sid": "e", "subject": "x", "was": "x", "place": {"prev": 1, "cur": [], "id": {}}}]',
        '[{"goes_on": -1}]', '[{"goes_on": 9223372036854775808}]', '[{"by_client": "perhaps"}]',
        '[{"id": 1, "principal": 1, "acked": "x"}]', '[{"id": null, "principal": null}]',
        repeat('[', 100000), repeat('[', 5000) || repeat(']', 5000),
        '["' || repeat('x', 1000000) || '"]',
        '[{"sid": "' || repeat('x', 100000) || '", "subject": "x"}]',
        '[' || repeat('{"seq": 1},', 10000) || '{}]']) AS x;
CREATE TABLE public.hostile AS
    SELECT DISTINCT f.name, format(f.call, i.n, x.x) AS statement
    FROM (VALUES ('open', 'SELECT vantage6_events.open(%2$L, ''1.0.0'')'),
                 ('open', 'SELECT vantage6_events.open(''thief'', %2$L)'),
                 ('connect', 'SELECT vantage6_events.connect(%s, %L)'),
                 ('disconnect', 'SELECT vantage6_events.disconnect(%s, %L)'),
                 ('receive', 'SELECT vantage6_events.receive(%s, ''t'', %L)'),
                 ('receive', 'SELECT vantage6_events.receive(%s, %L, ''[]'')'),
                 ('ack', 'SELECT vantage6_events.ack(%s, %L)'),
                 ('beat', 'SELECT vantage6_events.beat(%s, ARRAY[%L])'),
                 ('presence', 'SELECT vantage6_events.presence(%s::integer, ''{NULL, -1}'')'),
                 ('events_since', 'SELECT vantage6_events.events_since(%2$L, %1$s, 0, NULL, 0, 1)'),
                 ('events_since',
                  'SELECT vantage6_events.events_since(''9:9:'', %s, 0, NULL, 0, 1)'),
                 ('events_since',
                  'SELECT vantage6_events.events_since(''9:9:'', 0, 0, NULL, %s, -1)'),
                 ('rights_since', 'SELECT vantage6_events.rights_since(%s, ''1:1:'', %L, 9)'),
                 ('rights_since', 'SELECT vantage6_events.rights_since(%s, ''1:1:'', ''x'', -1)'))
             AS f (name, call),
         (VALUES (:'mine'), ('NULL'), ('-1'), ('9223372036854775807')) AS i (n), public.bad AS x;
GRANT SELECT ON public.hostile TO regress_pushd;
SET SESSION AUTHORIZATION regress_pushd;
CREATE TEMP TABLE tried AS SELECT h.*, public.try(h.statement) AS state FROM public.hostile AS h;
SELECT t.name, count(*) > 3 AS tried FROM tried AS t GROUP BY 1 ORDER BY 1;
SELECT t.name, left(t.statement, 200) AS statement, t.state FROM tried AS t
WHERE t.state ~ '^(XX|42|58)' ORDER BY 1, 2;
RESET SESSION AUTHORIZATION;
TRUNCATE public.rows_of_hq;
SELECT public.look();
SELECT count(*) FROM (TABLE public.before EXCEPT TABLE public.rows_of_hq) AS changed;
\set ECHO none
DROP TABLE public.hers, public.calls, public.uses, public.rows_of_hq, public.shadows, public.bad,
    public.hostile, public.before;
DROP FUNCTION public.try(text), public.look();
SELECT lo_unlink(4711) \g /dev/null
DROP ROLE regress_other;
\i test/hq/regress-down.psql
