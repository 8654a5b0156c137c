-- attach() and open() refuse row security that may hide rows from the agent.
\set hq 5
\set attach off
\set ECHO none
\i test/hq/regress-up.psql
CREATE ROLE regress_super SUPERUSER;
CREATE FUNCTION pg_temp.refusal(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    RETURN concat(sqlstate, ': ', sqlerrm);
END $$;
-- What attach() says of two tables with row security, and open() of each.
CREATE FUNCTION pg_temp.refused(change text) RETURNS TABLE (tables bigint, attach text, open text)
    LANGUAGE plpgsql AS $$
DECLARE
    t record;
    a text;
    o text;
BEGIN
    CREATE TEMP TABLE verdict (t text, attach text, open text);
    FOR t IN SELECT DISTINCT c.table_name FROM vantage6_events.hq_columns(5) AS c LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, ' || change, t.table_name);
        o := pg_temp.refusal('SELECT vantage6_events.open(''i'', ''1.0.0'')');
        a := CASE WHEN t.table_name IN ('task', 'Member') THEN
            pg_temp.refusal('SELECT vantage6_events.attach(''HQ''''s tables'')') END;
        INSERT INTO verdict VALUES (t.table_name, a, o);
        EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY',
                       t.table_name);
    END LOOP;
    RETURN QUERY SELECT count(*), replace(v.attach, '.' || quote_ident(v.t), '.<table>') AS x,
        replace(v.open, '.' || quote_ident(v.t), '.<table>') FROM verdict v GROUP BY 2, 3
        ORDER BY 1;
    DROP TABLE verdict;
END $$;
\pset format unaligned
\set ECHO all
-- The owner of a table sees all rows, unless that is forced.
SELECT vantage6_events.attach('HQ''s tables');
SELECT * FROM pg_temp.refused('NO FORCE ROW LEVEL SECURITY');
SELECT * FROM pg_temp.refused('FORCE ROW LEVEL SECURITY');
-- The agent of a superuser's tables owns none of them.
SELECT vantage6_events.detach();
REASSIGN OWNED BY regress_hq TO regress_super;
SELECT vantage6_events.attach('HQ''s tables');
SELECT * FROM pg_temp.refused('NO FORCE ROW LEVEL SECURITY');
-- Nor does it of ours.
ALTER TABLE vantage6_events.open_run ENABLE ROW LEVEL SECURITY;
SELECT * FROM vantage6_events.faults();
SELECT vantage6_events.attach('HQ''s tables');
ALTER TABLE vantage6_events.open_run DISABLE ROW LEVEL SECURITY;
SELECT vantage6_events.attach('HQ''s tables');
-- Who bypasses row security sees all.
ALTER ROLE vantage6_events BYPASSRLS;
SELECT * FROM pg_temp.refused('FORCE ROW LEVEL SECURITY');
ALTER TABLE task ENABLE ROW LEVEL SECURITY;
INSERT INTO run (task_id, organization_id, status) VALUES (1, 1, 'pending');
SELECT count(*) FROM vantage6_events.event;
\set ECHO none
\pset format aligned
SELECT vantage6_events.detach() \g /dev/null
DROP OWNED BY vantage6_events;
DROP ROLE vantage6_events;
\i test/hq/regress-down.psql
DROP OWNED BY regress_super;
DROP ROLE regress_super;
