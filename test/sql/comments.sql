-- No object is without a comment, those that attach() makes included.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
\set ECHO all
SELECT 'relation' AS what, c.oid::regclass::text AS object FROM pg_class c
WHERE c.relnamespace = 'vantage6_events'::regnamespace AND c.relkind NOT IN ('c', 't')
  AND NOT (c.relkind IN ('i', 'I') AND (c.relname ~ '_pkey$|_key$' OR c.relispartition))
  AND obj_description(c.oid, 'pg_class') IS NULL
UNION ALL
SELECT 'column', c.oid::regclass || '.' || a.attname FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'vantage6_events'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'c')
  AND a.attnum > 0 AND NOT a.attisdropped AND col_description(c.oid, a.attnum) IS NULL
UNION ALL
SELECT 'function', p.oid::regprocedure::text FROM pg_proc p
WHERE p.pronamespace = 'vantage6_events'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL
UNION ALL
SELECT 'type', t.oid::regtype::text FROM pg_type t
WHERE t.typnamespace = 'vantage6_events'::regnamespace AND t.typrelid = 0 AND t.typelem = 0
  AND obj_description(t.oid, 'pg_type') IS NULL
UNION ALL
SELECT 'trigger', tgname FROM pg_trigger WHERE NOT tgisinternal
    AND obj_description(oid, 'pg_trigger') IS NULL
UNION ALL
SELECT 'schema', nspname FROM pg_namespace
WHERE nspname = 'vantage6_events' AND obj_description(oid, 'pg_namespace') IS NULL
UNION ALL
SELECT 'extension', extname FROM pg_extension
WHERE extname = 'vantage6_events' AND obj_description(oid, 'pg_extension') IS NULL
ORDER BY 1, 2;
-- Each function says once who may call it and who owns it, and that is so.
CREATE ROLE regress_operator;
SELECT vantage6_events.grant_hq('regress_operator');
SELECT p.oid::regprocedure, f.comment FROM pg_proc p, LATERAL (
    SELECT obj_description(p.oid, 'pg_proc') AS comment, format('For %s. Owned by the %s.', CASE
        WHEN has_function_privilege('regress_pushd', p.oid, 'EXECUTE') THEN 'vantage6-pushd'
        WHEN has_function_privilege('regress_operator', p.oid, 'EXECUTE') THEN 'HQ and operators'
        WHEN has_function_privilege('regress_hq', p.oid, 'EXECUTE') THEN 'the agent'
        ELSE 'superusers' END,
        CASE p.proowner WHEN 'regress_hq'::regrole THEN 'agent' ELSE 'extension' END) AS wanted) f
WHERE p.pronamespace = 'vantage6_events'::regnamespace AND p.prorettype <> 'trigger'::regtype
  AND NOT (f.comment LIKE '%. ' || f.wanted AND f.comment NOT LIKE '%wned by%wned by%')
ORDER BY p.oid::regprocedure::text COLLATE "C";
DROP OWNED BY regress_operator;
DROP ROLE regress_operator;
-- Each setting says what it is, and setting() knows it.
SELECT name FROM pg_settings WHERE name LIKE 'vantage6_events.%' AND short_desc !~ '\.$' ORDER BY 1;
SELECT count(vantage6_events.setting(split_part(name, '.', 2))) > 10 AS known FROM pg_settings
WHERE name LIKE 'vantage6_events.%';
\set VERBOSITY terse
SELECT vantage6_events.setting('nothing');
\set ECHO none
\i test/hq/regress-down.psql
