-- kick(): all connections of a principal are closed at once, and none of them goes on.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
CREATE TABLE pg_temp.cursor AS SELECT pg_current_snapshot() AS since;
-- As pushd asks; then the cursor moves on.
CREATE FUNCTION pg_temp.rights(instance text, audit_rows integer DEFAULT NULL)
    RETURNS TABLE (sid text, principal integer, in_rooms boolean, known boolean) LANGUAGE sql AS $$
    WITH moved AS (UPDATE pg_temp.cursor SET since = pg_current_snapshot())
    SELECT r.sid, r.principal_id, r.rooms IS NOT NULL, r.known
    FROM pg_temp.cursor AS c, vantage6_events.rights_since(
        (SELECT i.incarnation FROM vantage6_events.instance AS i WHERE i.name = rights.instance),
        c.since, CASE WHEN audit_rows IS NOT NULL THEN '' END, audit_rows) AS r ORDER BY r.sid
$$;
CREATE FUNCTION pg_temp.come(instance text, sid text, principal integer, more jsonb DEFAULT '{}')
    RETURNS TABLE (principal_id integer, kind text, in_rooms boolean, recovered boolean)
    LANGUAGE sql AS $$
    SELECT c.principal_id, c.kind, c.rooms IS NOT NULL, c.missed IS NOT NULL
    FROM vantage6_events.connect(
        (SELECT i.incarnation FROM vantage6_events.instance AS i WHERE i.name = come.instance),
        json_build_array(jsonb_build_object('sid', sid, 'nsp', '/tasks', 'token', 't',
            'address', '10.0.0.1', 'subject',
            '00000000-0000-4000-8000-' || lpad(principal::text, 12, '0'),
            'expires', extract(epoch FROM now()) - 1) || more)) AS c
$$;
CREATE FUNCTION pg_temp.leave(sid text, reason text, by_client boolean) RETURNS integer
    LANGUAGE sql AS $$
    SELECT vantage6_events.disconnect(l.incarnation, json_build_array(json_build_object(
        'sid', l.sid, 'reason', reason, 'by_client', by_client)))
    FROM vantage6_events.lease AS l WHERE l.sid = leave.sid
$$;
SELECT true AS opened FROM vantage6_events.open('one', '1.1');
SELECT true AS opened FROM vantage6_events.open('two', '1.1');
\set ECHO all
-- A user's, at two instances; one of another user; a node's; one that a browser has just lost.
SELECT * FROM pg_temp.come('one', 'a1', 14, '{"pid": "key-a1"}');
SELECT * FROM pg_temp.come('two', 'a2', 14, '{"nsp": "/b", "pid": "key-a2"}');
SELECT * FROM pg_temp.come('one', 'a3', 14, '{"pid": "key-a3"}');
SELECT * FROM pg_temp.come('one', 'b', 13, '{"pid": "key-b"}');
SELECT * FROM pg_temp.come('one', 'n1', 1);
SELECT * FROM pg_temp.come('one', 'n2', 1);
SELECT pg_temp.leave('a3', 'transport close', true),
       pg_temp.leave('n2', 'server shutting down', false);
UPDATE pg_temp.cursor SET since = pg_current_snapshot();
-- Nothing before the commit, nothing if there is none.
BEGIN;
SELECT vantage6_events.kick(14);
ROLLBACK;
SELECT * FROM pg_temp.rights('one');
-- How many, and whose: no principal, so a daemon that does not know kick() closes them, too. One
-- that was being registered meanwhile is among them.
SELECT vantage6_events.kick(14);
SELECT * FROM pg_temp.come('one', 'a4', 14, '{"pid": "key-a4"}');
SELECT * FROM pg_temp.rights('one', 1000);
SELECT * FROM pg_temp.rights('one');
SELECT pg_temp.leave('a4', 'kicked', true);
-- It is not registered again: its daemon had lost the database. Others are.
SELECT true AS opened FROM vantage6_events.open('one', '1.1');
SELECT * FROM pg_temp.come('one', 'a1', 14, '{"pid": "key-a1", "again": true}');
SELECT * FROM pg_temp.come('one', 'b', 13, '{"pid": "key-b", "again": true}');
SELECT sid FROM vantage6_events.connections ORDER BY sid;
-- It is not resumed, by a good token or an expired one, and whether it was kicked or lost before.
SELECT * FROM pg_temp.come('one', 'c1', 14, '{"was": "key-a1", "expired": true}');
SELECT * FROM pg_temp.come('one', 'c2', 14, '{"was": "key-a3", "expired": true}');
SELECT * FROM pg_temp.come('one', 'c3', 14, '{"was": "key-a3"}');
SELECT pg_temp.leave('b', 'transport close', true);
SELECT * FROM pg_temp.come('one', 'b2', 13, '{"was": "key-b", "expired": true}');
-- Nobody returns from it: one that the server had ended, and one that it ends now.
SELECT vantage6_events.kick(1);
SELECT * FROM pg_temp.come('one', 'n3', 1, '{"expired": true}');
SELECT * FROM pg_temp.come('one', 'n4', 1);
SELECT vantage6_events.kick(1), pg_temp.leave('n4', 'server shutting down', false);
SELECT * FROM pg_temp.come('one', 'n5', 1, '{"expired": true}');
-- A good token connects again.
SELECT * FROM pg_temp.come('one', 'n6', 1);
-- Why it ended. It is not kept for the client, and the node is offline at once.
SELECT vantage6_events.kick(1), pg_temp.leave('n6', 'kicked', true);
SELECT sid, reason FROM vantage6_events.connection_history WHERE sid = 'n6';
SELECT count(*) FROM vantage6_events.pending WHERE principal_id = 1 AND due > now() + '1 s';
-- Nobody, or nobody who is connected.
SELECT vantage6_events.kick(999), vantage6_events.kick(NULL), vantage6_events.kick(3);
-- What is old goes: not before the last could have been resumed.
UPDATE vantage6_events.kicked SET kicked_at = now() - interval '35 hours';
SELECT vantage6_events.upkeep() IS NULL AS nothing_emptied;
SELECT count(*) > 0 AS kept FROM vantage6_events.kicked;
UPDATE vantage6_events.kicked SET kicked_at = now() - interval '37 hours';
SELECT vantage6_events.upkeep() IS NULL AS nothing_emptied;
SELECT count(*) > 0 AS kept FROM vantage6_events.kicked;
-- Whom grant_hq() was called for may; vantage6-pushd's role and all others may not.
CREATE ROLE regress_kicker;
CREATE ROLE regress_daemon;
SELECT has_function_privilege('regress_kicker', 'vantage6_events.kick(integer)', 'EXECUTE');
SELECT vantage6_events.grant_hq('regress_kicker'), vantage6_events.grant_pushd('regress_daemon');
SELECT r, has_function_privilege(r, 'vantage6_events.kick(integer)', 'EXECUTE') AS may,
       has_table_privilege(r, 'vantage6_events.kicked', 'SELECT') AS may_read
FROM unnest(ARRAY['regress_kicker', 'regress_daemon']) AS r;
SET ROLE regress_kicker;
SELECT vantage6_events.kick(13);
RESET ROLE;
DROP OWNED BY regress_kicker, regress_daemon;
DROP ROLE regress_kicker;
DROP ROLE regress_daemon;
\set ECHO none
\i test/hq/regress-down.psql
