-- Whoever may call the agent's functions may have made triggers wait, on tables of its own. They do
-- not run as the agent: the role of pushd, or an operator, would get all rights of HQ's owner.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
\i test/hq/receive.psql
CREATE ROLE regress_operator;
SELECT vantage6_events.grant_hq('regress_operator') \g /dev/null
SELECT incarnation AS mine FROM vantage6_events.instance \gset
GRANT USAGE ON SCHEMA "HQ's tables" TO regress_operator;
GRANT INSERT ON "HQ's tables".run TO regress_operator;
GRANT USAGE ON SEQUENCE "HQ's tables".run_id_seq TO regress_operator;
CREATE TABLE public.lent (i integer);
GRANT INSERT, TRIGGER ON public.lent TO regress_pushd;
-- A trigger, a check of uniqueness that calls a function, a foreign key.
CREATE FUNCTION public.prepare() RETURNS void LANGUAGE sql AS $$
    CREATE TEMP TABLE caught (who text);
    GRANT INSERT ON caught TO PUBLIC;
    CREATE FUNCTION pg_temp.trap() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO pg_temp.caught VALUES (current_user); RETURN NULL; END';
    CREATE FUNCTION pg_temp.same(i integer) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT i';
    CREATE TEMP TABLE triggered (i integer PRIMARY KEY);
    CREATE CONSTRAINT TRIGGER trap AFTER INSERT ON triggered DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION pg_temp.trap();
    CREATE TEMP TABLE parted (i integer) PARTITION BY LIST (i);
    CREATE TEMP TABLE part PARTITION OF parted DEFAULT;
    CREATE CONSTRAINT TRIGGER trap AFTER INSERT ON parted DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION pg_temp.trap();
    CREATE TEMP TABLE excluded (
        i integer, EXCLUDE ((pg_temp.same(i)) WITH =) DEFERRABLE INITIALLY DEFERRED);
    CREATE TEMP TABLE referring (
        i integer REFERENCES triggered DEFERRABLE INITIALLY DEFERRED);
$$;
\set ECHO all
\set VERBOSITY terse
SET SESSION AUTHORIZATION regress_pushd;
SELECT public.prepare();
BEGIN;
INSERT INTO triggered VALUES (1);
SELECT vantage6_events.presence(10);
ROLLBACK;
BEGIN;
INSERT INTO parted VALUES (1);
SELECT * FROM vantage6_events.receive(:mine, 's', '[]');
ROLLBACK;
BEGIN;
INSERT INTO excluded VALUES (1), (1);
SELECT vantage6_events.beat(:mine);
ROLLBACK;
BEGIN;
INSERT INTO referring VALUES (1);
SELECT count(*) FROM vantage6_events.connect(:mine, '[]');
ROLLBACK;
-- In one statement, and below a savepoint.
WITH new AS (INSERT INTO triggered VALUES (1) RETURNING i)
SELECT vantage6_events.presence(10 * i) FROM new;
BEGIN;
SAVEPOINT here;
INSERT INTO triggered VALUES (1);
RELEASE here;
\set VERBOSITY default
SELECT vantage6_events.presence(10);
\set VERBOSITY terse
ROLLBACK;
-- The table is a superuser's, its trigger is not.
CREATE FUNCTION pg_temp.own() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO pg_temp.caught VALUES (current_user); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER own AFTER INSERT ON public.lent DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION pg_temp.own();
BEGIN;
INSERT INTO public.lent VALUES (1);
SELECT vantage6_events.presence(10);
ROLLBACK;
-- As itself a caller may run them first. What was rolled back does not wait.
BEGIN;
INSERT INTO triggered VALUES (1);
SET CONSTRAINTS ALL IMMEDIATE;
SELECT vantage6_events.presence(10) IS NULL AS done;
SELECT DISTINCT who FROM caught;
COMMIT;
BEGIN;
SAVEPOINT here;
INSERT INTO triggered VALUES (2);
ROLLBACK TO here;
SELECT vantage6_events.presence(10) IS NULL AS done;
COMMIT;
RESET SESSION AUTHORIZATION;
DISCARD TEMP;
-- An operator. What it has written into HQ's own tables is no reason to refuse.
SET SESSION AUTHORIZATION regress_operator;
SELECT public.prepare();
BEGIN;
INSERT INTO triggered VALUES (1);
SELECT vantage6_events.kill_task(1);
ROLLBACK;
BEGIN;
INSERT INTO triggered VALUES (1);
SELECT vantage6_events.kill_node(1);
ROLLBACK;
BEGIN;
INSERT INTO "HQ's tables".run (task_id, organization_id, status) VALUES (1, 1, 'pending');
SELECT vantage6_events.kill_task(1) > 0 AS killed;
SELECT vantage6_events.kill_task(1) IS NOT NULL AS again;
COMMIT;
SELECT DISTINCT who FROM caught;
RESET SESSION AUTHORIZATION;
DISCARD TEMP;
-- No way around: each that lets HQ's deferred triggers run begins so.
SELECT p.oid::regprocedure FROM pg_proc AS p WHERE p.pronamespace = 'vantage6_events'::regnamespace
  AND p.prosecdef AND p.prosrc ~ 'fire_deferred'
  AND p.prosrc !~ 'BEGIN PERFORM [^;]*refuse_deferred'
ORDER BY p.proname COLLATE "C";
\set ECHO none
DROP FUNCTION public.prepare();
DROP TABLE public.lent;
DROP OWNED BY regress_operator;
DROP ROLE regress_operator;
\i test/hq/regress-down.psql
