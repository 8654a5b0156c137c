-- The owner of HQ's tables may put triggers on them. Whatever the extension does with their rows,
-- for whomever, they run as the agent, and get nobody's rights: deferred ones too, which would run
-- at commit.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
\i test/hq/receive.psql
\set ECHO all
SET client_min_messages = warning;
SET ROLE regress_hq;
SET search_path = "HQ's tables";
CREATE TABLE caught (who text, gained text, tab text, op text, fired text);
GRANT USAGE ON SCHEMA "HQ's tables" TO PUBLIC;
GRANT INSERT ON caught TO PUBLIC;
CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    me text := current_user;
    gained text := '';
    act text;
BEGIN
    FOREACH act IN ARRAY ARRAY['RESET ROLE', 'RESET SESSION AUTHORIZATION', 'SET ROLE NONE',
                               'ALTER ROLE regress_hq SUPERUSER',
                                   'GRANT pg_monitor TO regress_hq'] LOOP
        BEGIN
            EXECUTE act;
            gained := concat_ws(', ', nullif(gained, ''), act);
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
    INSERT INTO "HQ's tables".caught VALUES (me, gained, TG_TABLE_NAME, TG_OP, TG_NAME);
    RETURN coalesce(NEW, OLD);
END $$;
DO $$
DECLARE
    t regclass;
BEGIN
    FOR t IN SELECT c.oid FROM pg_class AS c WHERE c.relnamespace = '"HQ''s tables"'::regnamespace
             AND c.relkind = 'r' AND c.relname <> 'caught' LOOP
        EXECUTE format('CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OR DELETE ON %s'
                       ' FOR EACH ROW EXECUTE FUNCTION trap()', t);
        EXECUTE format('CREATE TRIGGER after_row AFTER INSERT OR UPDATE OR DELETE ON %s'
                       ' FOR EACH ROW EXECUTE FUNCTION trap()', t);
        EXECUTE format('CREATE TRIGGER statement AFTER INSERT OR UPDATE OR DELETE ON %s'
                       ' EXECUTE FUNCTION trap()', t);
        EXECUTE format('CREATE CONSTRAINT TRIGGER deferred AFTER INSERT OR UPDATE OR DELETE ON %s'
                       ' DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION trap()', t);
    END LOOP;
END $$;
RESET ROLE;
CREATE ROLE regress_operator;
SELECT vantage6_events.grant_hq('regress_operator');
-- The daemon: connect, presence, all that nodes send, a beat that folds logs and tries again what
-- waited.
SELECT incarnation AS mine FROM vantage6_events.instance \gset
SELECT array_agg(format('{"sid": "s%s", "nsp": "/tasks", "subject": "%s"}', id,
    keycloak_id)) AS sockets
FROM authenticatable \gset
SET ROLE regress_pushd;
SELECT count(*) FROM vantage6_events.connect(:mine, array_to_json(:'sockets'::json[]));
SELECT count(*) > 0 AS present FROM vantage6_events.presence(100);
SELECT taken, report FROM vantage6_events.receive(:mine, 'a stream', '[
    {"seq": 1, "sid": "s2", "principal": 2, "nsp": "/tasks", "event": ["ping"]},
    {"seq": 2, "sid": "s2", "principal": 2, "nsp": "/tasks", "event": ["algorithm_status_change",
        {"status": "active", "run_id": 2}]},
    {"seq": 3, "sid": "s1", "principal": 1, "nsp": "/tasks",
        "event": ["algorithm_log", {"run_id": 1, "log": "a line"}]},
    {"seq": 4, "sid": "s3", "principal": 3, "nsp": "/tasks",
        "event": ["node_info_update", {"encryption": "False", "allowed_users": ["a", "b"]}]},
    {"seq": 5, "sid": "s3", "principal": 3, "nsp": "/tasks",
        "event": ["node_info_update", {"encryption": "True"}]},
    {"seq": 6, "sid": "s1", "principal": 1, "nsp": "/tasks",
        "event": ["dataframe_deleted", {"session_id": 1, "df_name": "df_old"}]}]');
RESET ROLE;
UPDATE vantage6_events.log_line SET at = at - interval '1 hour';
INSERT INTO vantage6_events.deferred (principal_id, name, arg, since)
VALUES (2, 'node_info_update', '{"encryption": "False"}', now());
SET ROLE regress_pushd;
SELECT vantage6_events.beat(:mine);
SELECT vantage6_events.disconnect(:mine, '[{"sid": "s1", "by_client": true}]');
SELECT count(*) > 0 AS left FROM vantage6_events.presence(100);
RESET ROLE;
-- Operators, and superusers, who ought to be safe when they call these.
SET ROLE regress_operator;
SELECT vantage6_events.kill_task(1) AS killed;
RESET ROLE;
SELECT vantage6_events.kill_node(5) AS killed;
SELECT vantage6_events.attach('HQ''s tables');
SELECT vantage6_events.emit('x', NULL, 'everyone') > 0 AS emitted;
SELECT vantage6_events.detach();
-- All as the agent, and nothing gained.
SELECT who, gained, count(*) > 0 AS caught FROM caught GROUP BY 1, 2;
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_hq';
SELECT tab, op, string_agg(DISTINCT fired, ', ' ORDER BY fired) FROM caught GROUP BY 1, 2
    ORDER BY 1, 2;
\set ECHO none
DROP OWNED BY regress_operator;
DROP ROLE regress_operator;
\i test/hq/regress-down.psql
