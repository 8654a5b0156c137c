-- Clients of users that lost their connection and come back.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
-- A socket as connect() is told of it; more of its fields as JSON.
CREATE FUNCTION pg_temp.socket(sid text, principal integer, more jsonb DEFAULT '{}') RETURNS json
    LANGUAGE sql AS $$
    SELECT (jsonb_build_object('sid', sid, 'nsp', '/tasks', 'pid', 'pid of ' || sid, 'subject',
        '00000000-0000-4000-8000-' || lpad(principal::text, 12, '0')) || more)::json
$$;
CREATE FUNCTION pg_temp.enter(VARIADIC sockets json[])
    RETURNS TABLE (sid text, principal_id integer, recovers boolean, missed json) LANGUAGE sql AS $$
    SELECT c.sid, c.principal_id, c.recovers, c.missed -> 'events' FROM vantage6_events.connect(
        (SELECT max(incarnation) FROM vantage6_events.instance), array_to_json(sockets)) AS c
    ORDER BY c.sid
$$;
CREATE FUNCTION pg_temp.arrive(sid text, principal integer, more jsonb DEFAULT '{}')
    RETURNS TABLE (principal_id integer, recovers boolean, missed json) LANGUAGE sql AS $$
    SELECT e.principal_id, e.recovers, e.missed
    FROM pg_temp.enter(pg_temp.socket(sid, principal, more)) AS e
$$;
CREATE FUNCTION pg_temp.leave(sid text, reason text DEFAULT 'transport close') RETURNS integer
    LANGUAGE sql AS $$
    SELECT vantage6_events.disconnect((SELECT max(incarnation) FROM vantage6_events.instance),
        json_build_array(json_build_object('sid', sid, 'reason', reason, 'by_client', true)))
$$;
CREATE FUNCTION pg_temp.goodbye(VARIADIC sids text[]) RETURNS integer LANGUAGE sql AS $$
    SELECT sum(pg_temp.leave(s, 'client namespace disconnect'))::integer FROM unnest(sids) AS s
$$;
CREATE FUNCTION pg_temp.tell(name text, VARIADIC rooms text[]) RETURNS bigint LANGUAGE sql AS $$
    SELECT vantage6_events.emit(name, '[]'::json, rooms)
$$;
-- What a client says that goes on after a place.
CREATE FUNCTION pg_temp.after(was text, prev text, cur text, id bigint) RETURNS jsonb
    LANGUAGE sql AS $$
    SELECT jsonb_build_object('was', was, 'place',
                              jsonb_build_object('prev', prev, 'cur', cur, 'id', id))
$$;
-- What a client says whose token expired so many hours ago.
CREATE FUNCTION pg_temp.expired(was text, hours float8) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('was', was, 'expired', true,
                              'expires', floor(extract(epoch FROM now()) - 3600 * hours))
$$;
CREATE FUNCTION pg_temp.keys()
    RETURNS TABLE (key text, holder text, ended boolean, since boolean, replayed_to text)
    LANGUAGE sql AS $$
    SELECT r.key, r.holder, r.ended_at IS NOT NULL, r.since IS NOT NULL, r.replayed ->> 'sid'
    FROM vantage6_events.resumable AS r ORDER BY r.key
$$;
CREATE FUNCTION pg_temp.leases() RETURNS TABLE (sid text, key text, somebody boolean)
    LANGUAGE sql AS $$
    SELECT l.sid, l.key, l.subject <> '' FROM vantage6_events.lease AS l ORDER BY l.sid
$$;
CREATE FUNCTION pg_temp.pass(hours float8) RETURNS bigint LANGUAGE sql AS $$
    WITH older AS (UPDATE vantage6_events.resumable
                   SET ended_at = ended_at - hours * interval '1 hour'
                   WHERE holder IS NULL RETURNING key)
    SELECT count(*) FROM older
$$;
SELECT * FROM vantage6_events.open('regress', '1.0.0') \g /dev/null
\set ECHO all
SELECT * FROM pg_temp.arrive('a', 12);
SELECT * FROM pg_temp.keys();
SELECT pg_temp.tell('one', 'collaboration_1');
SELECT pg_temp.leave('a');
SELECT * FROM pg_temp.keys();
SELECT pg_temp.tell('two', 'collaboration_1'), pg_temp.tell('not_for_it', 'user_13'),
    pg_temp.tell('three', 'collaboration_2', 'everyone');
SELECT pg_temp.tell('elsewhere', 'node_1');
-- Without a place: all since it was connected. It goes on under its name; a name is good once.
SELECT * FROM pg_temp.arrive('b', 12, '{"was": "pid of a"}');
SELECT * FROM pg_temp.keys();
SELECT * FROM pg_temp.arrive('c', 12, '{"was": "pid of no one"}');
SELECT pg_temp.leave('c');
-- With a place: what comes after it. Of what cur sees by id, then the rest by id.
SELECT pg_current_snapshot() AS prev \gset
SELECT pg_temp.tell('four', 'user_12') AS four, pg_temp.tell('five', 'user_12');
SELECT max(id) - 1 AS four FROM vantage6_events.event \gset
SELECT pg_current_snapshot() AS cur \gset
SELECT pg_temp.tell('six', 'user_12');
SELECT pg_temp.leave('b', 'ping timeout');
SELECT pg_temp.after('pid of a', :'prev', :'cur', :four) AS back \gset
SELECT principal_id, json_array_elements(missed) AS missed FROM pg_temp.arrive('d', 12, :'back');
-- A connection that seems to live still is taken over: what is left of it is nobody's, and its
-- daemon is told.
SELECT pg_current_snapshot() AS now \gset
SELECT recovers, missed FROM pg_temp.arrive('e', 12, '{"was": "pid of a"}');
SELECT * FROM pg_temp.leases();
SELECT sid, rooms, known FROM vantage6_events.rights_since(
    (SELECT max(incarnation) FROM vantage6_events.instance), :'now', NULL, NULL);
SELECT pg_temp.leave('d');
SELECT * FROM pg_temp.keys();
-- The same socket asks again when its link was lost: nothing has been sent to it yet.
SELECT json_array_length(missed) AS all_again FROM pg_temp.arrive('e', 12, '{"was": "pid of a"}');
-- Its client has shown no other place since: it may have got a part of that.
SELECT pg_temp.leave('e');
SELECT * FROM pg_temp.keys();
SELECT * FROM pg_temp.arrive('ee', 12, '{"was": "pid of a"}');
-- Where nothing was sent again it may come back with the same place as often as it likes.
SELECT pg_temp.leave('ee');
SELECT * FROM pg_temp.arrive('ef', 12, '{"was": "pid of ee"}');
SELECT pg_temp.leave('ef');
SELECT * FROM pg_temp.arrive('eg', 12, '{"was": "pid of ee"}');
SELECT pg_temp.leave('eg');
SELECT pg_temp.tell('late', 'user_12');
SELECT missed FROM pg_temp.arrive('eh', 12, '{"was": "pid of ee"}');
-- Registered again by a link that was lost, that is remembered; and with another place it goes on.
SELECT count(*) FROM pg_temp.arrive('eh', 12, '{"pid": "pid of ee", "again": true}');
SELECT * FROM pg_temp.keys();
SELECT pg_current_snapshot() AS now \gset
SELECT pg_temp.after('pid of ee', :'now', :'now', 0) AS back \gset
SELECT missed FROM pg_temp.arrive('ei', 12, :'back');
SELECT pg_temp.leave('eh');
-- Nor if a daemon that has not noticed that it is over registers it again, and both leave at once.
SELECT pg_temp.tell('later', 'user_12');
SELECT missed FROM pg_temp.arrive('ej', 12, :'back');
SELECT count(*) FROM pg_temp.arrive('ei', 12, '{"pid": "pid of ee", "again": true}');
SELECT * FROM pg_temp.leases();
SELECT * FROM pg_temp.keys();
SELECT * FROM pg_temp.arrive('ek', 12, :'back');
SELECT pg_temp.leave('ei'), pg_temp.leave('ej');
-- It is told what came after it was connected, though it shows a place of before, which
-- socket.io-client keeps.
SELECT pg_temp.leave('ek');
SELECT pg_temp.tell('at_last', 'user_12');
SELECT missed FROM pg_temp.arrive('el', 12, replace(:'back', 'ee', 'ek')::jsonb);
SELECT pg_temp.leave('el');
-- Not recovered, but who it is: rights have changed; too late; too much.
INSERT INTO "HQ's tables"."UserPermission" (user_id, rule_id) VALUES (12, 1);
SELECT * FROM pg_temp.arrive('f', 12, '{"was": "pid of ek"}');
SELECT * FROM pg_temp.keys();
SELECT pg_temp.leave('f');
INSERT INTO "HQ's tables"."UserPermission" (user_id, rule_id) VALUES (13, 1);
SELECT * FROM pg_temp.arrive('g', 12, '{"was": "pid of f"}');
SELECT pg_temp.leave('g');
SELECT pg_temp.pass(0.05) > 0 AS later;
SELECT * FROM pg_temp.arrive('h', 12, '{"was": "pid of f"}');
SELECT pg_temp.leave('h');
SET vantage6_events.recovery_events = 2;
SELECT pg_temp.tell('x', 'node_1'), pg_temp.tell('x', 'node_1');
SELECT * FROM pg_temp.arrive('i', 12, '{"was": "pid of h"}');
SELECT pg_temp.leave('i');
SELECT pg_temp.tell('x', 'node_1'), pg_temp.tell('x', 'node_1'), pg_temp.tell('x', 'node_1');
SELECT * FROM pg_temp.arrive('j', 12, '{"was": "pid of h"}');
RESET vantage6_events.recovery_events;
SELECT pg_temp.leave('j');
SELECT pg_temp.tell('y', 'user_12');
SELECT * FROM pg_temp.arrive('ja', 12, '{"was": "pid of j", "most_bytes": 100}');
SELECT pg_temp.leave('ja');
SELECT pg_temp.tell('y', 'user_12');
SELECT missed FROM pg_temp.arrive('j', 12, '{"was": "pid of ja", "most_bytes": 400}');
SELECT pg_temp.goodbye('j');
-- A token that is good for ever, as some say it.
SELECT count(*) FROM pg_temp.arrive('ja', 12, '{"expires": 9999999999999}');
SELECT count(*) FROM pg_temp.arrive('j', 12, '{"expires": 1800000000}');
SELECT count(*) FROM pg_temp.arrive('jb', 12, '{"expires": -1e14}');
SELECT sid, expires_at AT TIME ZONE 'UTC' AS expires FROM vantage6_events.lease
WHERE principal_id = 12 ORDER BY sid;
SELECT pg_temp.goodbye('ja', 'jb');
-- An expired token: the pid proves that its bearer still is the one it names, once, until twelve
-- hours after it expired, however often the client has come back since.
SELECT * FROM pg_temp.arrive('k', 12, pg_temp.expired(NULL, 1));
SELECT pg_temp.leave('j');
-- (A stranger's does not use it up.)
SELECT * FROM pg_temp.arrive('k', 13, pg_temp.expired('pid of j', 1));
SELECT * FROM pg_temp.arrive('l', 12, pg_temp.expired('pid of j', 1));
SELECT * FROM pg_temp.arrive('m', 13);
SELECT pg_temp.leave('m');
SELECT pg_temp.pass(11) > 0 AS later;
SELECT * FROM pg_temp.arrive('n', 13, pg_temp.expired('pid of m', 11));
SELECT pg_temp.leave('n');
SELECT * FROM pg_temp.arrive('o', 13, pg_temp.expired('pid of n', 11.9));
SELECT pg_temp.leave('o');
SELECT * FROM pg_temp.arrive('oo', 13, pg_temp.expired('pid of n', 12.1));
SELECT * FROM pg_temp.arrive('o', 13);
SELECT pg_temp.leave('o');
SET vantage6_events.resume_identity = 0;
SELECT * FROM pg_temp.arrive('oo', 13, pg_temp.expired('pid of o', 0.1));
RESET vantage6_events.resume_identity;
-- Somebody else's, though his token is good: nothing of it.
SELECT * FROM pg_temp.arrive('p', 13);
SELECT pg_temp.leave('p');
SELECT pg_temp.tell('secret', 'user_13');
SELECT * FROM pg_temp.arrive('q', 14, '{"was": "pid of p"}');
-- Nodes, those that said goodbye, and connections without a pid do not come back.
SELECT sid, principal_id, recovers FROM pg_temp.enter(
    pg_temp.socket('r', 1), pg_temp.socket('s', 13), pg_temp.socket('t', 13, '{"pid": null}'));
SELECT pg_temp.leave('r'), pg_temp.goodbye('s'), pg_temp.leave('t');
SELECT * FROM pg_temp.keys();
-- One that is registered again, by a link that was lost or in doubt, goes on where it began.
SELECT count(*) FROM pg_temp.arrive('v', 13);
SELECT pg_temp.tell('before', 'user_13');
SELECT count(*) FROM vantage6_events.open('regress', '1.0.0');
SELECT count(*) FROM pg_temp.arrive('v', 13, '{"again": true}');
SELECT * FROM pg_temp.keys() WHERE key = 'pid of v';
SELECT pg_temp.tell('between', 'user_13');
SELECT count(*) FROM pg_temp.arrive('v', 13, '{"again": true}');
SELECT pg_temp.tell('after', 'user_13');
SELECT missed FROM pg_temp.arrive('w', 13, '{"was": "pid of v"}');
SELECT pg_current_snapshot() AS now \gset
-- Nor does that change when its daemon, which takes it for a live one, registers it too: what
-- another goes on as is over.
SELECT count(*) FROM vantage6_events.open('regress', '1.0.0');
SELECT pg_temp.after('pid of v', :'now', :'now', 0) AS back \gset
SELECT sid, principal_id, missed FROM pg_temp.enter(pg_temp.socket('x', 13, :'back'),
    pg_temp.socket('w', 13, '{"pid": "pid of v", "again": true}'));
-- Of two that are registered again nobody knows which one lives: the key stays as it was until both
-- have ended.
SELECT * FROM pg_temp.arrive('w', 13, '{"pid": "pid of v", "again": true}');
SELECT * FROM pg_temp.leases() WHERE key = 'pid of v';
SELECT * FROM pg_temp.keys() WHERE key = 'pid of v';
SELECT pg_temp.leave('x');
SELECT pg_temp.pass(0.05) > 0 AS later;
SELECT pg_temp.leave('w');
SELECT missed FROM pg_temp.arrive('z', 13, :'back');
-- Also if they come together. A goodbye counts of the one that holds the key.
SELECT sid, principal_id FROM pg_temp.enter(
    pg_temp.socket('z', 13, '{"pid": "pid of v", "again": true}'),
    pg_temp.socket('w', 13, '{"pid": "pid of v", "again": true}'));
SELECT * FROM pg_temp.keys() WHERE key = 'pid of v';
SELECT pg_temp.goodbye('z');
SELECT missed FROM pg_temp.arrive('x', 13, :'back');
SELECT * FROM pg_temp.leases() WHERE sid IN ('w', 'x');
SELECT pg_temp.goodbye('x');
SELECT * FROM pg_temp.keys() WHERE key = 'pid of v';
SELECT missed FROM pg_temp.arrive('z', 13, :'back');
SELECT pg_temp.goodbye('z');
-- After a crash nobody knows what it may have missed: only with a place, if at all.
SELECT count(*) FROM pg_temp.arrive('y', 13, '{"again": true}');
SELECT missed FROM pg_temp.arrive('z', 13, '{"was": "pid of y"}');
SELECT pg_temp.goodbye('w', 'z'), pg_temp.leave('y');
-- The end of an instance is no goodbye. Old ones are forgotten.
SELECT count(*) FROM pg_temp.arrive('u', 13);
SELECT incarnation AS next FROM vantage6_events.open('regress', '1.0.0') \gset
SELECT * FROM pg_temp.keys();
UPDATE vantage6_events.resumable SET ended_at = ended_at - interval '13 hours'
WHERE key = 'pid of q';
SELECT vantage6_events.beat(:next);
SELECT * FROM pg_temp.keys();
-- One secret, for all openings.
SELECT count(*), min(length(value)) FROM vantage6_events.secret;
SELECT o.secret = (SELECT value FROM vantage6_events.secret) AS same
FROM vantage6_events.open('another', '1.0.0') AS o;
\set ECHO none
\i test/hq/regress-down.psql
