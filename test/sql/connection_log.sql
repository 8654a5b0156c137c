-- Who was connected when, from where, and why it ended.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
CREATE FUNCTION pg_temp.come(instance text, sid text, principal integer, more jsonb DEFAULT '{}')
    RETURNS integer LANGUAGE sql AS $$
    SELECT c.principal_id FROM vantage6_events.connect(
        (SELECT i.incarnation FROM vantage6_events.instance AS i WHERE i.name = instance),
        json_build_array(jsonb_build_object('sid', sid, 'nsp', '/tasks', 'transport', 'polling',
            'address', '10.0.0.1', 'user_agent', 'python-requests/2', 'subject',
            '00000000-0000-4000-8000-' || lpad(principal::text, 12, '0')) || more)) AS c
$$;
CREATE FUNCTION pg_temp.leave(instance text, sid text, reason text) RETURNS integer
    LANGUAGE sql AS $$
    SELECT vantage6_events.disconnect(
        (SELECT i.incarnation FROM vantage6_events.instance AS i WHERE i.name = instance),
        json_build_array(json_build_object('sid', sid, 'reason', reason, 'by_client', false)))
$$;
CREATE VIEW pg_temp.history AS
    SELECT h.sid, h.principal_id, h.kind, h.namespace, h.transport, h.address, h.user_agent,
           h.ended_at >= h.connected_at AS ended, h.reason, h.instance
    FROM vantage6_events.connection_history AS h ORDER BY h.sid;
SELECT true AS opened FROM vantage6_events.open('one', '1.0');
\set ECHO all
-- One row a connection, from its beginning. Nobody without a principal has one.
SELECT pg_temp.come('one', 'a', 1), pg_temp.come('one', 'b', 14, '{"transport": "websocket"}'),
       pg_temp.come('one', 'c', 999);
SELECT * FROM pg_temp.history;
-- An upgrade is in it, and why it ended. An earlier pushd says no User-Agent.
SELECT vantage6_events.beat(i.incarnation, '{a}') FROM vantage6_events.instance AS i;
SELECT pg_temp.come('one', 'd', 2, '{"user_agent": null, "address": null}'),
       pg_temp.leave('one', 'a', 'transport close'), pg_temp.leave('one', 'c', 'dismissed'),
       pg_temp.leave('one', 'nobody', 'refused');
SELECT * FROM pg_temp.history;
-- A connection that is registered again is the same; its beginning stays. Ended is ended.
SELECT pg_temp.come('one', 'b', 14, '{"again": true}'), pg_temp.leave('one', 'a', 'ping timeout');
SELECT * FROM pg_temp.history;
-- What is said is cut.
SELECT pg_temp.come('one', 'e', 3, jsonb_build_object('user_agent', repeat('u', 300))),
       pg_temp.leave('one', 'e', repeat('r', 300));
SELECT length(user_agent), length(reason) FROM pg_temp.history WHERE sid = 'e';
-- The instance opens again, since it had lost its link: what it had is lost, until it says that it
-- has it. What it then says of the end counts.
SELECT true AS opened FROM vantage6_events.open('one', '1.0');
SELECT sid, ended, reason FROM pg_temp.history;
SELECT pg_temp.come('one', 'b', 14, '{"again": true}'), pg_temp.leave('one', 'd', 'queue full');
SELECT sid, ended, reason, instance FROM pg_temp.history;
-- It dies: another one notices. Here its session lives, so its beat is older than 90 s.
SELECT true AS opened FROM vantage6_events.open('two', '1.0');
SELECT pg_temp.come('two', 'f', 5);
UPDATE vantage6_events.instance SET beat_at = now() - interval '91 seconds' WHERE name = 'one';
SELECT vantage6_events.beat(i.incarnation) FROM vantage6_events.instance AS i WHERE name = 'two';
SELECT sid, ended, reason, instance FROM pg_temp.history;
-- A crash of the database: the leases are gone, and this table is not.
TRUNCATE vantage6_events.instance, vantage6_events.lease, vantage6_events.epoch;
SELECT true AS opened FROM vantage6_events.open('two', '1.0');
SELECT sid, ended, reason, instance FROM pg_temp.history;
SELECT pg_temp.come('two', 'f', 5, '{"again": true}');
SELECT count(*) FROM pg_temp.history WHERE NOT ended IS TRUE;
-- audit_days: what ended longer ago goes, what lives stays.
UPDATE vantage6_events.connection_log
SET connected_at = connected_at - interval '60 days',
    ended_at = ended_at - interval '30 days 1 hour'
WHERE sid IN ('a', 'f');
SELECT vantage6_events.upkeep() IS NULL AS nothing_emptied;
SELECT string_agg(sid, ' ') FROM pg_temp.history;
-- audit_rows: the oldest goes first. A part of upkeep() that fails keeps no other from running.
SET vantage6_events.audit_rows = 2;
BEGIN;
ALTER TABLE vantage6_events.connection_log ADD CHECK (sid <> '');
CREATE FUNCTION pg_temp.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
CREATE TRIGGER no BEFORE DELETE ON vantage6_events.connection_log EXECUTE FUNCTION pg_temp.no();
SELECT vantage6_events.upkeep() IS NULL AS nothing_emptied;
SELECT part, error FROM vantage6_events.failure;
ROLLBACK;
-- One that lives does not go.
SELECT min(id) AS oldest FROM vantage6_events.connection_log \gset
UPDATE vantage6_events.connection_log SET ended_at = NULL WHERE id = :oldest;
SELECT vantage6_events.upkeep() IS NULL AS nothing_emptied;
SELECT string_agg(sid, ' ') FROM pg_temp.history;
UPDATE vantage6_events.connection_log SET ended_at = clock_timestamp() WHERE id = :oldest;
SELECT vantage6_events.upkeep() IS NULL AS nothing_emptied;
SELECT string_agg(sid, ' ') FROM pg_temp.history;
RESET vantage6_events.audit_rows;
-- 0: nothing is written down, and nothing is kept.
SET vantage6_events.audit_days = 0;
SELECT pg_temp.come('two', 'g', 4);
SELECT vantage6_events.upkeep() IS NULL AS nothing_emptied;
SELECT count(*) FROM pg_temp.history;
RESET vantage6_events.audit_days;
-- A number that was drawn for nothing would let an older row go too early: each is drawn at the
-- end, and is no int4.
SELECT pg_temp.come('two', 'h', 4), pg_temp.come('two', 'h', 4), pg_temp.come('two', 'i', 1);
SELECT max(id) - min(id) FROM vantage6_events.connection_log;
SELECT setval('vantage6_events.connection_log_id_seq', 3000000000) > 0 AS set;
SELECT pg_temp.come('two', 'j', 4);
-- detach() ends all.
SELECT vantage6_events.detach();
SELECT sid, reason FROM pg_temp.history;
-- Only whom grant_hq() was called for may look.
CREATE ROLE regress_auditor;
SELECT has_table_privilege('regress_auditor', 'vantage6_events.connection_history', 'SELECT');
SELECT vantage6_events.grant_hq('regress_auditor');
SELECT has_table_privilege('regress_auditor', 'vantage6_events.' || t, 'SELECT') AS may
FROM unnest(ARRAY['connection_history', 'connection_log']) AS t;
DROP OWNED BY regress_auditor;
DROP ROLE regress_auditor;
DROP VIEW pg_temp.history;
\set ECHO none
\i test/hq/regress-down.psql
