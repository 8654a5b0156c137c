-- A role that is renamed keeps what it has, and another that gets its name gets nothing.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
-- Which roles may do what of the extension.
CREATE FUNCTION pg_temp.may() RETURNS TABLE (role name, hq boolean, pushd boolean, task boolean)
    LANGUAGE sql AS $$
    SELECT rolname, has_function_privilege(oid, 'vantage6_events.emit(text, json, text, text,
        boolean, interval)', 'EXECUTE'), has_function_privilege(oid,
        'vantage6_events.open(text, text)', 'EXECUTE'),
        has_column_privilege(oid, '"HQ''s tables".task', 'id', 'SELECT')
    FROM pg_roles WHERE rolname ~ '^regress_|^vantage6_events' AND NOT rolsuper
    ORDER BY rolname COLLATE "C"
$$;
CREATE ROLE regress_operator;
SELECT vantage6_events.grant_hq('regress_operator') \g /dev/null
\set ECHO all
SELECT * FROM vantage6_events.granted ORDER BY grantee::text COLLATE "C";
SELECT * FROM pg_temp.may();
-- The role of pushd.
ALTER ROLE regress_pushd RENAME TO "regress_Its new name";
CREATE ROLE regress_pushd;
SELECT vantage6_events.attach('HQ''s tables');
SELECT * FROM pg_temp.may();
GRANT ALL ON SCHEMA public TO "regress_Its new name";
SET ROLE "regress_Its new name";
SELECT count(*) FROM vantage6_events.open('i', '1.0.0');
SELECT vantage6_events.beat(1);
RESET ROLE;
-- A role that was dropped.
DROP OWNED BY regress_operator;
DROP ROLE regress_operator;
CREATE ROLE regress_operator;
SELECT vantage6_events.attach('HQ''s tables');
SELECT * FROM pg_temp.may();
SELECT * FROM vantage6_events.granted ORDER BY grantee::text COLLATE "C";
-- The owner of HQ's tables, which is the agent.
ALTER ROLE regress_hq RENAME TO regress_owner;
CREATE ROLE regress_hq;
SELECT agent FROM vantage6_events.status;
SELECT * FROM vantage6_events.faults();
SET ROLE regress_owner;
SELECT vantage6_events.attach('HQ''s tables');
INSERT INTO run (task_id, organization_id, status) VALUES (1, 1, 'pending');
SELECT vantage6_events.detach();
RESET ROLE;
SELECT * FROM pg_temp.may();
-- The agent of a superuser's tables.
CREATE ROLE regress_super SUPERUSER;
REASSIGN OWNED BY regress_owner TO regress_super;
SELECT vantage6_events.attach('HQ''s tables');
ALTER ROLE vantage6_events RENAME TO vantage6_events_agent;
SELECT agent FROM vantage6_events.status;
SELECT * FROM vantage6_events.faults();
CREATE ROLE vantage6_events LOGIN;
SELECT vantage6_events.attach('HQ''s tables');
SELECT DISTINCT owner::regrole FROM vantage6_events.made();
SELECT * FROM vantage6_events.faults();
INSERT INTO run (task_id, organization_id, status) VALUES (1, 1, 'pending');
SELECT * FROM pg_temp.may();
GRANT vantage6_events_agent TO regress_hq;
SELECT * FROM vantage6_events.faults();
REVOKE vantage6_events_agent FROM regress_hq;
SELECT vantage6_events.detach();
SELECT * FROM pg_temp.may();
\set ECHO none
DROP ROLE regress_hq;
ALTER ROLE regress_owner RENAME TO regress_hq;
DROP OWNED BY "regress_Its new name", vantage6_events_agent;
DROP ROLE "regress_Its new name", vantage6_events_agent, vantage6_events, regress_operator;
\i test/hq/regress-down.psql
DROP OWNED BY regress_super;
DROP ROLE regress_super;
