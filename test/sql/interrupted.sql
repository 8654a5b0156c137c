-- Clients whose connections the server ended, and who return with a token that has expired.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
-- A socket of the principal, with the token "t" that has expired; more of its fields as JSON.
CREATE FUNCTION pg_temp.socket(sid text, principal integer, more jsonb DEFAULT '{}') RETURNS jsonb
    LANGUAGE sql AS $$
    SELECT jsonb_build_object('sid', sid, 'nsp', '/tasks', 'token', 't', 'address', '10.0.0.1',
        'subject', '00000000-0000-4000-8000-' || lpad(principal::text, 12, '0'), 'expired', true)
        || more
$$;
CREATE FUNCTION pg_temp.enter(instance text, VARIADIC sockets jsonb[])
    RETURNS TABLE (sid text, principal_id integer) LANGUAGE sql AS $$
    SELECT c.sid, c.principal_id FROM vantage6_events.connect(
        (SELECT i.incarnation FROM vantage6_events.instance AS i WHERE i.name = enter.instance),
        array_to_json(sockets)) AS c ORDER BY c.sid
$$;
CREATE FUNCTION pg_temp.come(sid text, principal integer, more jsonb DEFAULT '{}') RETURNS integer
    LANGUAGE sql AS $$
    SELECT e.principal_id FROM pg_temp.enter('one', pg_temp.socket(sid, principal, more)) AS e
$$;
-- One that was accepted before its token expired.
CREATE FUNCTION pg_temp.begin(sid text, principal integer, more jsonb DEFAULT '{}')
    RETURNS integer LANGUAGE sql AS $$
    SELECT pg_temp.come(sid, principal, '{"expired": false}' || more)
$$;
CREATE FUNCTION pg_temp.leave(sid text, reason text DEFAULT 'server shutting down',
                              by_client boolean DEFAULT false) RETURNS integer LANGUAGE sql AS $$
    SELECT vantage6_events.disconnect(l.incarnation, json_build_array(json_build_object(
        'sid', l.sid, 'reason', reason, 'by_client', by_client)))
    FROM vantage6_events.lease AS l WHERE l.sid = leave.sid
$$;
CREATE FUNCTION pg_temp.pass(seconds float8) RETURNS void LANGUAGE sql AS $$
    UPDATE vantage6_events.interrupted SET ended_at = ended_at - seconds * interval '1 second'
$$;
-- It was killed: its lock is free, and it has not been missed yet.
CREATE FUNCTION pg_temp.kill(instance text, beat_ago float8 DEFAULT 1) RETURNS void
    LANGUAGE sql AS $$
    SELECT pg_advisory_unlock(vantage6_events.lock_space(),
                              vantage6_events.lock_key(i.incarnation))
    FROM vantage6_events.instance AS i WHERE i.name = kill.instance;
    UPDATE vantage6_events.instance SET beat_at = now() - beat_ago * interval '1 second'
    WHERE name = kill.instance
$$;
CREATE FUNCTION pg_temp.left() RETURNS TABLE (sid text, principal_id integer, token text)
    LANGUAGE sql AS $$
    SELECT i.sid, i.principal_id, i.token FROM vantage6_events.interrupted AS i ORDER BY i.sid
$$;
SELECT * FROM vantage6_events.open('one', '1.0.0') \g /dev/null
\set ECHO all
-- Once: of a drained connection.
SELECT pg_temp.begin('a', 1), pg_temp.leave('a');
SELECT * FROM pg_temp.left();
SELECT pg_temp.come('b', 1);
SELECT * FROM pg_temp.left();
SELECT pg_temp.come('c', 1);
-- Each time: what has returned goes on like any other.
SELECT pg_temp.leave('b'), pg_temp.come('d', 1), pg_temp.leave('d');
-- With the very token, from the same address, as the same principal, in the same namespace.
SELECT pg_temp.come('e', 1, '{"token": "u"}'), pg_temp.come('e', 1, '{"address": "10.0.0.2"}'),
    pg_temp.come('e', 1, '{"nsp": "/b"}'), pg_temp.come('e', 1, '{"token": null}');
SELECT pg_temp.come('e', 1), pg_temp.leave('e', 'client namespace disconnect', true);
SELECT pg_temp.begin('f', 1), pg_temp.leave('f');
SELECT pg_temp.come('g', 2);
-- Ends that do not count, whatever a client says that it was.
SELECT r.reason, pg_temp.begin('h' || r.n, 1), pg_temp.leave('h' || r.n, r.reason, r.client),
    pg_temp.come('i' || r.n, 1)
FROM (VALUES (1, 'queue full', false), (2, 'transport error', false), (3, 'ping timeout', false),
    (4, 'refused', false), (5, 'dismissed', false), (6, 'transport close', true),
    (7, 'client namespace disconnect', true), (8, 'rights in doubt', false),
    (9, 'parse error', false), (10, 'server shutting down', true)) AS r (n, reason, client);
-- A connection whose token was not kept, since it is closed when that expires.
SELECT pg_temp.begin('j', 1, '{"token": null}'), pg_temp.leave('j');
SELECT * FROM pg_temp.left();
-- Too late: drain_grace, or less.
SELECT pg_temp.begin('k', 1), pg_temp.leave('k'), pg_temp.pass(20);
SELECT pg_temp.come('l', 1), pg_temp.leave('l'), pg_temp.pass(31);
SELECT pg_temp.come('m', 1);
SET vantage6_events.resume_token = 10;
SELECT pg_temp.begin('k', 1), pg_temp.leave('k'), pg_temp.pass(11);
SELECT pg_temp.come('l', 1);
SET vantage6_events.resume_token = 0;
SELECT pg_temp.begin('k', 1), pg_temp.leave('k'), pg_temp.come('l', 1);
RESET vantage6_events.resume_token;
SELECT pg_temp.pass(31), vantage6_events.beat(max(incarnation)) FROM vantage6_events.instance;
SELECT * FROM pg_temp.left();
-- Several connections with one token: one use for each. Also if they come together.
SELECT pg_temp.begin('n1', 1), pg_temp.begin('n2', 1), pg_temp.leave('n1'), pg_temp.leave('n2');
SELECT * FROM pg_temp.enter('one', pg_temp.socket('o1', 1), pg_temp.socket('o2', 1),
                            pg_temp.socket('o3', 1));
SELECT pg_temp.leave('o1'), pg_temp.leave('o2');
SELECT pg_temp.come('p1', 1), pg_temp.come('p2', 1), pg_temp.come('p3', 1);
SELECT pg_temp.leave('p1', 'transport close', true), pg_temp.leave('p2', 'ping timeout');
-- One that is back before its token expires has used its end up.
SELECT pg_temp.begin('q', 1), pg_temp.leave('q'), pg_temp.begin('r', 1);
SELECT pg_temp.leave('r', 'transport close', true), pg_temp.come('s', 1);
-- Taken over: another one of that name is opened while the first lives, or has died. What a living
-- daemon registers again was not ended, and uses up no other's end.
SELECT pg_temp.begin('t1', 1), pg_temp.begin('t2', 1);
SELECT count(*) FROM vantage6_events.open('one', '1.0.0');
SELECT * FROM pg_temp.left();
SELECT pg_temp.begin('t1', 1, '{"again": true}');
SELECT * FROM pg_temp.left();
SELECT pg_temp.come('u', 1), pg_temp.come('v', 1);
SELECT pg_temp.leave('t1', 'transport close', true), pg_temp.kill('one', 25);
SELECT count(*) FROM vantage6_events.open('one', '1.0.0');
SELECT pg_temp.come('v', 1);
SELECT pg_temp.begin('v', 1), pg_temp.kill('one', 36);
SELECT count(*) FROM vantage6_events.open('one', '1.0.0');
SELECT pg_temp.come('w', 1);
-- A daemon that goes on after its link was lost has ended no connection.
SELECT pg_temp.begin('w1', 1);
SELECT count(*) FROM vantage6_events.open('one', '1.0.0');
SELECT vantage6_events.disconnect(max(incarnation),
    json_build_array(json_build_object('goes_on', max(incarnation) - 1)))
FROM vantage6_events.instance;
SELECT pg_temp.come('w2', 1);
-- Dead, and not missed yet: its lock is free. Its other connections are left to the beat.
SELECT count(*) FROM vantage6_events.open('two', '1.0.0');
SELECT count(*) FROM pg_temp.enter('two', pg_temp.socket('x1', 1, '{"expired": false}'),
    pg_temp.socket('x2', 1, '{"expired": false}'),
    pg_temp.socket('y', 2, '{"expired": false}'));
SELECT pg_temp.kill('two'), pg_temp.come('z', 1, '{"address": "10.0.0.2"}');
SELECT pg_temp.come('z1', 1), pg_temp.come('z2', 1), pg_temp.come('z3', 1);
SELECT sid, principal_id FROM vantage6_events.lease ORDER BY sid;
SELECT * FROM pg_temp.left();
-- Longer ago than drain_grace.
UPDATE vantage6_events.instance SET beat_at = now() - interval '36 s' WHERE name = 'two';
SELECT pg_temp.come('z4', 2);
-- A principal that HQ has removed, or that shares its subject now, is nobody. What is attached anew
-- forgets all.
SELECT pg_temp.leave('z1');
UPDATE "HQ's tables".authenticatable SET keycloak_id = '00000000-0000-4000-8000-000000000001'
WHERE id = 2;
SELECT pg_temp.come('z5', 1);
\set ECHO none
\i test/hq/regress-down.psql
