-- Clients of users that lost their connection and come back.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
-- connect() with one socket; more of its fields as JSON.
CREATE FUNCTION pg_temp.arrive(sid text, principal integer, more jsonb DEFAULT '{}')
    RETURNS TABLE (principal_id integer, recovers boolean, missed json) LANGUAGE sql AS $$
    SELECT c.principal_id, c.recovers, c.missed -> 'events' FROM vantage6_events.connect(
        (SELECT max(incarnation) FROM vantage6_events.instance),
        json_build_array(jsonb_build_object('sid', sid, 'nsp', '/tasks', 'subject',
            '00000000-0000-4000-8000-' || lpad(principal::text, 12, '0'), 'pid', 'pid of ' || sid) || more)) AS c
$$;
CREATE FUNCTION pg_temp.leave(sid text, reason text DEFAULT 'transport close') RETURNS integer LANGUAGE sql AS $$
    SELECT vantage6_events.disconnect((SELECT max(incarnation) FROM vantage6_events.instance),
        json_build_array(json_build_object('sid', sid, 'reason', reason, 'by_client', true)))
$$;
CREATE FUNCTION pg_temp.tell(name text, VARIADIC rooms text[]) RETURNS bigint LANGUAGE sql AS $$
    SELECT vantage6_events.emit(name, '[]'::json, rooms)
$$;
SELECT * FROM vantage6_events.open('regress', '1.0.0') \g /dev/null
\set ECHO all
SELECT * FROM pg_temp.arrive('a', 12);
SELECT key, holder, since IS NOT NULL AS since, ended_at FROM vantage6_events.resumable;
SELECT pg_temp.tell('one', 'collaboration_1');
SELECT pg_temp.leave('a');
SELECT key, principal_id, nsp, holder, ended_at IS NOT NULL AS ended FROM vantage6_events.resumable;
SELECT pg_temp.tell('two', 'collaboration_1'), pg_temp.tell('not_for_it', 'user_13'), pg_temp.tell('three', 'collaboration_2', 'everyone');
SELECT pg_temp.tell('elsewhere', 'node_1');
-- Without a place: all since it was connected. It goes on under its name; a name is good once.
SELECT * FROM pg_temp.arrive('b', 12, '{"was": "pid of a"}');
SELECT key, holder FROM vantage6_events.resumable ORDER BY key;
SELECT * FROM pg_temp.arrive('c', 12, '{"was": "pid of no one"}');
SELECT pg_temp.leave('c');
-- With a place: what comes after it. Of what cur sees by id, then the rest by id.
SELECT pg_current_snapshot() AS prev \gset
SELECT pg_temp.tell('four', 'user_12') AS four, pg_temp.tell('five', 'user_12');
SELECT max(id) - 1 AS four FROM vantage6_events.event \gset
SELECT pg_current_snapshot() AS cur \gset
SELECT pg_temp.tell('six', 'user_12');
SELECT pg_temp.leave('b', 'ping timeout');
SELECT json_build_object('was', 'pid of a', 'place', json_build_object('prev', :'prev', 'cur', :'cur', 'id', :four)) AS resumption \gset
SELECT principal_id, json_array_elements(missed) AS missed FROM pg_temp.arrive('d', 12, :'resumption');
-- A connection that seems to live still is taken over: what is left of it is nobody's, and its daemon is told.
SELECT pg_current_snapshot() AS now \gset
SELECT recovers, missed FROM pg_temp.arrive('e', 12, '{"was": "pid of a"}');
SELECT sid, key, subject <> '' AS somebody FROM vantage6_events.lease ORDER BY sid;
SELECT sid, rooms, known FROM vantage6_events.rights_since((SELECT max(incarnation) FROM vantage6_events.instance), :'now', NULL, NULL);
SELECT pg_temp.leave('d');
SELECT key, holder FROM vantage6_events.resumable ORDER BY key;
-- The same socket asks again when its link was lost: nothing has been sent to it yet.
SELECT json_array_length(missed) AS all_again FROM pg_temp.arrive('e', 12, '{"was": "pid of a"}');
-- Its client has shown no other place since: it may have got a part of that.
SELECT pg_temp.leave('e');
SELECT key, holder, replayed FROM vantage6_events.resumable ORDER BY key;
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
SELECT key, holder, replayed ->> 'sid' AS replayed FROM vantage6_events.resumable;
SELECT pg_current_snapshot() AS now \gset
SELECT json_build_object('was', 'pid of ee', 'place', json_build_object('prev', :'now', 'cur', :'now', 'id', 0)) AS resumption \gset
SELECT missed FROM pg_temp.arrive('ei', 12, :'resumption');
SELECT pg_temp.leave('eh');
-- Nor if a daemon that has not noticed that it is over registers it again, and both leave at once.
SELECT pg_temp.tell('later', 'user_12');
SELECT missed FROM pg_temp.arrive('ej', 12, :'resumption');
SELECT count(*) FROM pg_temp.arrive('ei', 12, '{"pid": "pid of ee", "again": true}');
SELECT l.sid, r.holder, r.since IS NOT NULL AS since, r.replayed ->> 'sid' AS replayed FROM vantage6_events.lease l JOIN vantage6_events.resumable r USING (key) ORDER BY 1;
SELECT * FROM pg_temp.arrive('ek', 12, :'resumption');
SELECT pg_temp.leave('ei'), pg_temp.leave('ej');
-- It is told what came after it was connected, though it shows a place of before, which socket.io-client keeps.
SELECT pg_temp.leave('ek');
SELECT pg_temp.tell('at_last', 'user_12');
SELECT missed FROM pg_temp.arrive('el', 12, replace(:'resumption', 'ee', 'ek')::jsonb);
SELECT pg_temp.leave('el');
-- Not recovered, but who it is: rights have changed; too late; too much.
INSERT INTO "HQ's tables"."UserPermission" (user_id, rule_id) VALUES (12, 1);
SELECT * FROM pg_temp.arrive('f', 12, '{"was": "pid of ek"}');
SELECT key, holder FROM vantage6_events.resumable ORDER BY key;
SELECT pg_temp.leave('f');
INSERT INTO "HQ's tables"."UserPermission" (user_id, rule_id) VALUES (13, 1);
SELECT * FROM pg_temp.arrive('g', 12, '{"was": "pid of f"}');
SELECT pg_temp.leave('g');
UPDATE vantage6_events.resumable SET ended_at = ended_at - interval '3 minutes';
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
SELECT missed FROM pg_temp.arrive('j', 12, '{"was": "pid of ja", "most_bytes": 400, "pid": "pid of j"}');
SELECT pg_temp.leave('j', 'client namespace disconnect');
-- A token that is good for ever, as some say it.
SELECT count(*) FROM pg_temp.arrive('ja', 12, '{"expires": 9999999999999}') AS a, pg_temp.arrive('j', 12, '{"expires": 1800000000}') AS b, pg_temp.arrive('jb', 12, '{"expires": -1e14}') AS c;
SELECT sid, expires_at AT TIME ZONE 'UTC' AS expires FROM vantage6_events.lease WHERE principal_id = 12 ORDER BY sid;
SELECT pg_temp.leave('ja', 'client namespace disconnect'), pg_temp.leave('jb', 'client namespace disconnect');
-- An expired token: the pid proves that its bearer still is the one it names, for twelve hours, once.
SELECT * FROM pg_temp.arrive('k', 12, '{"expired": true}');
SELECT pg_temp.leave('j');
-- (A stranger's does not use it up.)
SELECT * FROM pg_temp.arrive('k', 13, '{"was": "pid of j", "expired": true}');
SELECT * FROM pg_temp.arrive('l', 12, '{"was": "pid of j", "expired": true}');
SELECT * FROM pg_temp.arrive('m', 13);
SELECT pg_temp.leave('m');
UPDATE vantage6_events.resumable SET ended_at = ended_at - interval '11 hours';
SELECT * FROM pg_temp.arrive('n', 13, '{"was": "pid of m", "expired": true}');
SELECT pg_temp.leave('n');
UPDATE vantage6_events.resumable SET ended_at = ended_at - interval '13 hours';
SELECT * FROM pg_temp.arrive('o', 13, '{"was": "pid of n", "expired": true}');
-- Somebody else's, though his token is good: nothing of it.
SELECT * FROM pg_temp.arrive('p', 13);
SELECT pg_temp.leave('p');
SELECT pg_temp.tell('secret', 'user_13');
SELECT * FROM pg_temp.arrive('q', 14, '{"was": "pid of p"}');
-- Nodes, those that said goodbye, and connections without a pid do not come back.
SELECT count(*) FROM pg_temp.arrive('r', 1) AS r, pg_temp.arrive('s', 13) AS s, pg_temp.arrive('t', 13, '{"pid": null}') AS t;
SELECT pg_temp.leave('r'), pg_temp.leave('s', 'client namespace disconnect'), pg_temp.leave('t');
SELECT count(*) FROM vantage6_events.resumable;
-- One that is registered again, by a link that was lost or in doubt, goes on where it began; and parts when it parts.
SELECT count(*) FROM pg_temp.arrive('v', 13);
SELECT pg_temp.tell('before', 'user_13');
SELECT count(*) FROM vantage6_events.open('regress', '1.0.0');
SELECT count(*) FROM pg_temp.arrive('v', 13, '{"again": true}');
SELECT holder, ended_at FROM vantage6_events.resumable WHERE key = 'pid of v';
SELECT pg_temp.tell('between', 'user_13');
SELECT count(*) FROM pg_temp.arrive('v', 13, '{"again": true}');
SELECT pg_temp.tell('after', 'user_13');
SELECT missed FROM pg_temp.arrive('w', 13, '{"was": "pid of v"}');
SELECT pg_current_snapshot() AS now \gset
-- Nor does that change when its daemon, which takes it for a live one, registers it too: what another goes on as is over.
SELECT count(*) FROM vantage6_events.open('regress', '1.0.0');
SELECT sid, principal_id, missed IS NOT NULL AS recovered FROM vantage6_events.connect((SELECT max(incarnation) FROM vantage6_events.instance),
    json_build_array(json_build_object('sid', 'w', 'nsp', '/tasks', 'subject', '00000000-0000-4000-8000-000000000013', 'pid', 'pid of v', 'again', true),
                     json_build_object('sid', 'x', 'nsp', '/tasks', 'subject', '00000000-0000-4000-8000-000000000013', 'pid', 'pid of x', 'was', 'pid of v',
                                       'place', json_build_object('prev', :'now', 'cur', :'now', 'id', 0)))) ORDER BY sid;
-- Of two that are registered again nobody knows which one lives: the key stays as it was until both have ended.
SELECT * FROM pg_temp.arrive('w', 13, '{"pid": "pid of v", "again": true}');
SELECT l.sid, r.key, r.holder, r.since IS NOT NULL AS since FROM vantage6_events.lease l JOIN vantage6_events.resumable r USING (key) ORDER BY 1;
SELECT pg_temp.leave('x');
UPDATE vantage6_events.resumable SET ended_at = ended_at - interval '3 minutes';
SELECT pg_temp.leave('w');
SELECT json_build_object('was', 'pid of v', 'place', json_build_object('prev', :'now', 'cur', :'now', 'id', 0)) AS was_v \gset
SELECT missed FROM pg_temp.arrive('z', 13, :'was_v');
-- Also if they come together. A goodbye counts of the one that holds the key.
SELECT count(principal_id) FROM vantage6_events.connect((SELECT max(incarnation) FROM vantage6_events.instance),
    (SELECT json_agg(json_build_object('sid', s, 'nsp', '/tasks', 'subject', '00000000-0000-4000-8000-000000000013', 'pid', 'pid of v', 'again', true))
     FROM unnest('{z,w}'::text[]) AS s));
SELECT l.sid, r.holder FROM vantage6_events.lease l JOIN vantage6_events.resumable r USING (key) ORDER BY 1;
SELECT pg_temp.leave('z', 'client namespace disconnect');
SELECT missed FROM pg_temp.arrive('x', 13, :'was_v');
SELECT sid, key FROM vantage6_events.lease ORDER BY sid;
SELECT pg_temp.leave('x', 'client namespace disconnect');
SELECT count(*) FROM vantage6_events.resumable WHERE key = 'pid of v';
SELECT missed FROM pg_temp.arrive('z', 13, :'was_v');
SELECT pg_temp.leave('z', 'client namespace disconnect');
-- After a crash nobody knows what it may have missed: only with a place, if at all.
SELECT count(*) FROM pg_temp.arrive('y', 13, '{"again": true}');
SELECT missed FROM pg_temp.arrive('z', 13, '{"was": "pid of y"}');
SELECT pg_temp.leave('w', 'client namespace disconnect'), pg_temp.leave('y'), pg_temp.leave('z', 'client namespace disconnect');
-- The end of an instance is no goodbye. Old ones are forgotten.
SELECT count(*) FROM pg_temp.arrive('u', 13);
SELECT incarnation AS next FROM vantage6_events.open('regress', '1.0.0') \gset
SELECT key, holder FROM vantage6_events.resumable ORDER BY key;
UPDATE vantage6_events.resumable SET ended_at = ended_at - interval '13 hours' WHERE key = 'pid of q';
SELECT vantage6_events.beat(:next);
SELECT key, holder FROM vantage6_events.resumable ORDER BY key;
-- One secret, for all openings.
SELECT count(*), min(length(value)) FROM vantage6_events.secret;
SELECT o.secret = (SELECT value FROM vantage6_events.secret) AS same FROM vantage6_events.open('another', '1.0.0') AS o;
\set ECHO none
\i test/hq/regress-down.psql
