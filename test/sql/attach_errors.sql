-- What attach() refuses says what is missing and what to do.
\set hq 4
\set attach off
\set ECHO none
\i test/hq/regress-up.psql
CREATE ROLE regress_other;
\set VERBOSITY verbose
\set SHOW_CONTEXT never
CREATE FUNCTION pg_temp.refusal(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE s text; m text; d text; h text;
BEGIN
    EXECUTE command;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS s = RETURNED_SQLSTATE, m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL,
        h = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', s || ': ' || m, nullif(d, ''), nullif(h, ''));
END $$;
\pset format unaligned
\pset tuples_only on
\set ECHO all
SELECT pg_temp.refusal('SELECT vantage6_events.attach(''nowhere'')');
SELECT pg_temp.refusal('SELECT vantage6_events.attach(''public'')');
BEGIN;
ALTER TABLE task DROP COLUMN job_id;
ALTER TABLE nodeconfig RENAME TO config;
ALTER TABLE "Member" RENAME COLUMN organization_id TO org;
SELECT pg_temp.refusal('SELECT vantage6_events.attach(''HQ''''s tables'')');
ROLLBACK;
-- A view is no table.
BEGIN;
ALTER TABLE nodeconfig RENAME TO config;
CREATE VIEW nodeconfig AS TABLE config;
SELECT pg_temp.refusal('SELECT vantage6_events.attach(''HQ''''s tables'')');
ROLLBACK;
BEGIN;
ALTER TABLE run OWNER TO regress_other;
SELECT pg_temp.refusal('SELECT vantage6_events.attach(''HQ''''s tables'')');
ROLLBACK;
-- Not everybody may, and not on everybody's tables.
SET ROLE regress_pushd;
SELECT pg_temp.refusal('SELECT vantage6_events.attach(''HQ''''s tables'')');
RESET ROLE;
SELECT vantage6_events.grant_hq('regress_other');
SET ROLE regress_other;
SELECT pg_temp.refusal('SELECT vantage6_events.attach(''HQ''''s tables'')');
RESET ROLE;
SELECT vantage6_events.attach('HQ''s tables');
SET ROLE regress_other;
SELECT pg_temp.refusal('SELECT vantage6_events.detach()');
SELECT pg_temp.refusal('SELECT vantage6_events.unmake()');
SELECT pg_temp.refusal('SELECT vantage6_events.grant_hq(''regress_other'')');
RESET ROLE;
SELECT pg_temp.refusal('SELECT vantage6_events.grant_pushd(''regress_nobody'')');
-- The schema must not be in the hands of somebody who could put functions before ours.
\set ECHO none
\pset tuples_only off
\pset format aligned
\set VERBOSITY default
DROP OWNED BY regress_other;
\i test/hq/regress-down.psql
CREATE SCHEMA vantage6_events AUTHORIZATION regress_other;
\set ECHO all
CREATE EXTENSION vantage6_events;
\set ECHO none
DROP SCHEMA vantage6_events;
DROP ROLE regress_other;
