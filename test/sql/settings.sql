-- What a session has set changes nothing that the extension makes or does: names, types and
-- literals are spelled by quote_all_identifiers, standard_conforming_strings and others.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
RESET search_path;
-- All that the script and attach() make.
CREATE VIEW public.made AS
    SELECT p.oid::regprocedure::text AS object, concat_ws(E'\n', p.prosrc,
        translate(p.proconfig::text, E'"\\\\', ''), pg_get_function_arguments(p.oid),
        pg_get_function_result(p.oid), obj_description(p.oid, 'pg_proc'),
        ARRAY(SELECT x::text FROM unnest(p.proacl) x ORDER BY 1))
        AS text
    FROM pg_proc p WHERE p.pronamespace = 'vantage6_events'::regnamespace
    UNION ALL
    SELECT c.oid::regclass::text, concat_ws(E'\n', c.relkind, obj_description(c.oid, 'pg_class'),
        CASE c.relkind WHEN 'v' THEN pg_get_viewdef(c.oid) WHEN 'i' THEN pg_get_indexdef(c.oid) END,
        (SELECT string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod),
             a.attnotnull, pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)), E'\n'
             ORDER BY a.attnum)
         FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid
             AND d.adnum = a.attnum WHERE a.attrelid = c.oid AND a.attnum > 0))
    FROM pg_class c WHERE c.relnamespace = 'vantage6_events'::regnamespace
        AND c.relkind NOT IN ('t')
    UNION ALL
    SELECT g.tgname, pg_get_triggerdef(g.oid) || obj_description(g.oid, 'pg_trigger')
    FROM pg_trigger g WHERE NOT g.tgisinternal;
CREATE TABLE public.usual AS TABLE public.made;
\set ECHO all
SET quote_all_identifiers = on;
SET standard_conforming_strings = off;
SET escape_string_warning = on;
SET array_nulls = off;
SET transform_null_equals = on;
SET extra_float_digits = -15;
SET bytea_output = 'escape';
SET DateStyle = 'SQL, DMY';
SET IntervalStyle = 'sql_standard';
SET TimeZone = 'Asia/Kolkata';
SET check_function_bodies = off;
SET plpgsql.extra_errors = 'all';
SELECT vantage6_events.attach('HQ''s tables');
SELECT * FROM vantage6_events.faults();
SELECT vantage6_events.detach();
DROP EXTENSION vantage6_events;
CREATE EXTENSION vantage6_events;
SELECT vantage6_events.grant_hq('regress_hq'), vantage6_events.grant_pushd('regress_pushd');
SET ROLE regress_hq;
SELECT vantage6_events.attach('HQ''s tables');
RESET ROLE;
SELECT * FROM vantage6_events.faults();
-- It works, too.
SELECT vantage6_events.without_nul(E'["a\\u0000b", "\\\\\\\\u0000", "\\\\\\\\\\\\u0000"]');
SELECT vantage6_events.emit('e', '["it''s"]'::text, 'everyone') > 0 AS emitted;
INSERT INTO "HQ's tables".run (task_id, organization_id, status) VALUES (1, 1, 'pending');
SELECT vantage6_events.kill_task(1) > 0 AS killed;
SELECT name, rooms FROM vantage6_events.event ORDER BY id;
SELECT count(*) FROM vantage6_events.open('i', '1.0.0');
SELECT vantage6_events.beat(incarnation) FROM vantage6_events.instance;
SELECT vantage6_events.upkeep();
TRUNCATE "HQ's tables".run;
SELECT count(*) FROM vantage6_events.open_run;
RESET ALL;
-- The same as usual.
SELECT object FROM (TABLE public.made EXCEPT TABLE public.usual) AS x;
SELECT object FROM (TABLE public.usual EXCEPT TABLE public.made) AS x;
SELECT count(*) > 300 AS compared FROM public.usual;
-- A literal with a backslash would mean something else under standard_conforming_strings = off.
SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'vantage6_events'::regnamespace
    AND regexp_replace(p.prosrc, 'E''[^'']*''', '', 'g') ~ '\\';
-- Case would be that of the database's locale, and days have 23 to 25 hours by TimeZone.
SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'vantage6_events'::regnamespace
    AND (regexp_replace(p.prosrc, 'lower\([^()]* COLLATE "C"\)', '', 'g')
             ~ '\m(lower|upper|initcap)\('
         OR p.prosrc ~ 'interval ''[^'']*(day|week|month|year)'
         OR p.proname <> 'duration' AND p.prosrc ~ 'setting\([^()]*\)::interval');
-- A size is read in whatever unit the server writes it, which pg_size_bytes() may not know.
SET vantage6_events.max_log_line = 1500;
SET vantage6_events.max_run_log = '3MB';
SET vantage6_events.max_node_config = '2kB';
SELECT s AS size, vantage6_events.setting(s), vantage6_events.bytes(s)
FROM unnest(ARRAY['max_log_line', 'max_run_log', 'max_node_config', 'max_payload']) AS s;
SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'vantage6_events'::regnamespace
    AND p.prosrc ~ 'pg_size_bytes' AND p.proname <> 'bytes';
\set ECHO none
DROP TABLE public.usual;
DROP VIEW public.made;
\i test/hq/regress-down.psql
