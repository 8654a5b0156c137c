-- attach() takes HQ's columns only of types that it can read and write, and says which are not.
\set hq 5
\set attach off
\set ECHO none
\i test/hq/regress-up.psql
CREATE TYPE public.status AS ENUM ('pending', 'active', 'completed', 'killed by user');
CREATE TYPE public.operation AS ENUM ('VIEW', 'EDIT', 'SEND', 'RECEIVE');
CREATE DOMAIN public.key AS integer CHECK (value > 0);
-- What attach() says once the type of a column is changed, and what it has changed itself.
CREATE FUNCTION pg_temp.attached(t text, c text, type text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
    s text;
    d text;
BEGIN
    EXECUTE format('ALTER TABLE %I ALTER %I TYPE %s USING NULL::%3$s', t, c, type);
    n := (SELECT count(*) FROM pg_depend) + (SELECT count(*) FROM vantage6_events.attachment);
    BEGIN
        PERFORM vantage6_events.attach('HQ''s tables');
        RAISE EXCEPTION USING ERRCODE = 'P0099';
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS s = RETURNED_SQLSTATE, d = PG_EXCEPTION_DETAIL;
    END;
    IF n <> (SELECT count(*) FROM pg_depend) + (SELECT count(*) FROM vantage6_events.attachment)
    THEN
        d := d || ', and has changed something';
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'P0098';
EXCEPTION
    WHEN SQLSTATE 'P0098' THEN
        RETURN CASE s WHEN 'P0099' THEN 'attached' ELSE s || ' ' || d END;
    WHEN not_null_violation THEN
        RETURN sqlerrm;
END $$;
-- No rows: a key cannot become NULL.
DO $$
BEGIN
    EXECUTE (SELECT 'TRUNCATE ' || string_agg(format('%I', c.relname), ', ') FROM pg_class c
             WHERE c.relnamespace = '"HQ''s tables"'::regnamespace AND c.relkind = 'r');
END $$;
\pset format unaligned
\set ECHO all
-- Every key, of every other type.
SELECT DISTINCT regexp_replace(pg_temp.attached(c.table_name, c.column_name, t),
    format('%I.%I', c.table_name, c.column_name), '<column>') AS attached, count(*)
FROM vantage6_events.hq_columns(5) AS c, unnest(ARRAY['bigint', 'smallint', 'public.key']) AS t
WHERE c.types = '{integer}' GROUP BY 1 ORDER BY 1;
SELECT pg_temp.attached('run', 'id', 'bigint');
SELECT pg_temp.attached('run', 'status', 'public.status');
SELECT pg_temp.attached('run', 'status', 'varchar(13)');
SELECT pg_temp.attached('run', 'status', 'varchar(14)');
SELECT pg_temp.attached('run', 'status', 'char(20)');
SELECT pg_temp.attached('run', 'log', 'varchar(100000)');
SELECT pg_temp.attached('run', 'log', 'bytea');
SELECT pg_temp.attached('run', 'finished_at', 'date');
SELECT pg_temp.attached('authenticatable', 'last_seen', 'time');
SELECT pg_temp.attached('authenticatable', 'last_seen', 'timestamptz(0)');
SELECT pg_temp.attached('authenticatable', 'status', 'varchar(6)');
SELECT pg_temp.attached('authenticatable', 'status', 'varchar(7)');
SELECT pg_temp.attached('authenticatable', 'type', '"char"');
SELECT pg_temp.attached('nodeconfig', 'value', 'json');
SELECT pg_temp.attached('rule', 'operation', 'integer');
-- What works, besides HQ's own types.
SELECT c.table_name, c.column_name, t, pg_temp.attached(c.table_name, c.column_name,
    CASE t WHEN 'anyenum' THEN 'public.operation' ELSE t END) AS attached
FROM vantage6_events.hq_columns(5) AS c, unnest(c.types) WITH ORDINALITY AS y (t, n)
WHERE y.n > 1 ORDER BY c.table_name COLLATE "C", c.column_name COLLATE "C", t;
-- What HQ generates cannot be written.
BEGIN;
ALTER TABLE run DROP COLUMN status,
    ADD COLUMN status text GENERATED ALWAYS AS (coalesce(log, 'pending')) STORED;
SELECT vantage6_events.attach('HQ''s tables');
ROLLBACK;
-- More than one.
ALTER TABLE run ALTER id TYPE bigint;
ALTER TABLE node ALTER organization_id TYPE bigint;
SELECT vantage6_events.attach('HQ''s tables');
SELECT count(*) FROM vantage6_events.made() WHERE oid IS NOT NULL;
ALTER TABLE run ALTER id TYPE integer;
ALTER TABLE node ALTER organization_id TYPE integer;
-- Times with time zone are the same moments as those without, in UTC, whatever the session's is.
ALTER TABLE authenticatable ALTER last_seen TYPE timestamptz;
ALTER TABLE run ALTER finished_at TYPE timestamptz;
SELECT vantage6_events.attach('HQ''s tables');
\set ECHO none
\o /dev/null
\i :cast
\o
\i test/hq/receive.psql
SELECT vantage6_events.attach('HQ''s tables') \g /dev/null
CREATE FUNCTION pg_temp.moments() RETURNS TABLE (seen bigint, finished bigint) LANGUAGE sql AS $$
    SELECT (SELECT count(*) FROM authenticatable
            WHERE abs(extract(epoch FROM last_seen - clock_timestamp())) < 60),
           (SELECT count(*) FROM run
            WHERE abs(extract(epoch FROM finished_at - clock_timestamp())) < 60)
$$;
\set ECHO all
SET TimeZone = 'Europe/Amsterdam';
SELECT pg_temp.arrive('{1, 2, 11}'), vantage6_events.presence(100);
SELECT * FROM pg_temp.moments();
UPDATE authenticatable SET last_seen = last_seen - interval '31 s';
SELECT vantage6_events.beat(max(incarnation)) FROM vantage6_events.instance;
SELECT id, last_seen > now() - interval '20 s' AS refreshed FROM authenticatable
WHERE last_seen IS NOT NULL ORDER BY id;
UPDATE authenticatable SET last_seen = '2000-01-01';
SELECT pg_temp.said(11, 'ping'), pg_temp.said(1, 'ping');
SELECT vantage6_events.kill_task(1) > 0 AS killed;
SELECT * FROM pg_temp.moments();
\set ECHO none
\pset format aligned
\i test/hq/regress-down.psql
DROP TYPE public.status, public.operation;
DROP DOMAIN public.key;
