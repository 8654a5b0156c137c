-- open, connect, disconnect, beat and receive, as vantage6-pushd calls them.
\set hq 4
\set attach off
\set ECHO none
\i test/hq/regress-up.psql
\set ECHO all
-- open() refuses what would not work, and says what to do.
SELECT * FROM vantage6_events.open('i1', '1.0.0');
SET ROLE regress_hq;
SELECT vantage6_events.attach('HQ''s tables');
SET ROLE regress_pushd;
SELECT * FROM vantage6_events.open('i1', '2.0.0');
SELECT * FROM vantage6_events.open('i1', '0.9');
SELECT * FROM vantage6_events.open('i1', NULL);
SELECT * FROM vantage6_events.open('an instance', '1.0.0');
SELECT * FROM vantage6_events.open(NULL, '1.0.0');
SELECT incarnation, system_id ~ '^\d+$' AS system_id, tli > 0 AS tli,
    epoch LIKE system_id || '-' || tli || '-%' AS epoch,
    snapshot IS NOT NULL AS snapshot, hi FROM vantage6_events.open('i1', '1.0.0');
SELECT incarnation AS one, epoch FROM vantage6_events.open('i1', '1.2.3') \gset
SELECT incarnation AS two, epoch = :'epoch' AS same_epoch
    FROM vantage6_events.open('i2', '1.0.0') \gset
\echo :two :same_epoch
RESET ROLE;
SELECT incarnation, name, version FROM vantage6_events.instance ORDER BY 1;
SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND classid = vantage6_events.lock_space()
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1;
SET ROLE regress_pushd;
-- One row per socket; nothing for whom nobody knows.
SELECT sid, principal_id, kind, rooms, greeting, snapshot IS NOT NULL AS snapshot
FROM vantage6_events.connect(:one, '[
    {"sid": "a", "nsp": "/tasks", "subject": "1", "transport": "websocket", "address": "::1",
        "expires": 1900000000},
    {"sid": "b", "nsp": "/tasks", "subject": "13", "transport": "polling", "address": "10.0.0.1",
        "expires": null},
    {"sid": "c", "nsp": "/other", "subject": "2"},
    {"sid": "d", "nsp": "/tasks", "subject": "14"},
    {"sid": "e", "nsp": "/tasks", "subject": "99"},
    {"sid": "f", "nsp": "/tasks", "subject": ""},
    {"sid": "g", "nsp": "/tasks", "subject": null},
    {"sid": "h", "nsp": "/tasks", "subject": "1; DROP TABLE node"}]') ORDER BY sid;
RESET ROLE;
SELECT sid, instance, principal_id, kind, namespace, transport, address,
    connected_at <= clock_timestamp() AS since,
    expires_at = to_timestamp(1900000000) AS expires FROM vantage6_events.connections ORDER BY sid;
-- connect writes no row of HQ.
SELECT count(*) FROM authenticatable WHERE status = 'online';
-- Registered again, by another instance: it is its client now.
SET ROLE regress_pushd;
SELECT sid, principal_id FROM vantage6_events.connect(:two,
    '[{"sid": "a", "nsp": "/tasks", "subject": "1"}]');
SELECT sid, principal_id FROM vantage6_events.connect(:two,
    '[{"sid": "b", "nsp": "/tasks", "subject": "99"}]');
SELECT * FROM vantage6_events.connect(:two, '[]');
SELECT vantage6_events.disconnect(:one,
    '[{"sid": "a", "by_client": true}, {"sid": "c", "by_client": true}, {"sid": "nobody"}]');
RESET ROLE;
SELECT sid, instance FROM vantage6_events.connections ORDER BY sid;
-- Batches of a thousand.
SELECT count(*), count(principal_id) FROM vantage6_events.connect(:two, (
    SELECT json_agg(json_build_object('sid', 's' || i, 'nsp', '/tasks', 'subject', i % 30))
        FROM generate_series(1, 1000) AS i));
SELECT vantage6_events.disconnect(:two, (
    SELECT json_agg(json_build_object('sid', 's' || i, 'by_client', true))
        FROM generate_series(1, 1000) AS i));
-- ping
SET ROLE regress_pushd;
SELECT * FROM vantage6_events.receive(:two, 's', '[
    {"seq": 1, "sid": "a", "principal": 1, "nsp": "/tasks", "event": ["ping"]},
    {"seq": 2, "sid": "d", "principal": 14, "nsp": "/tasks", "event": ["ping"]},
    {"seq": 3, "sid": "a", "principal": 2, "nsp": "/tasks", "event": ["ping"]},
    {"seq": 4, "sid": "a", "principal": 1, "nsp": "/tasks",
        "event": ["algorithm_log", {"run_id": 1, "log": "x"}]},
    {"seq": 5, "sid": "a", "principal": 1, "nsp": "/tasks", "event": [{"no": "name"}]}]');
RESET ROLE;
SELECT id, last_seen IS NOT NULL AS seen FROM authenticatable WHERE status = 'online';
UPDATE authenticatable SET status = 'offline' WHERE id = 1;
SELECT * FROM vantage6_events.receive(:two, 's',
    '[{"seq": 5, "sid": "a", "principal": 1, "nsp": "/tasks", "event": ["ping"]}]');
SELECT status AS not_taken_twice FROM authenticatable WHERE id = 1;
SELECT * FROM vantage6_events.receive(:two, 's',
    '[{"seq": 6, "sid": "a", "principal": 1, "nsp": "/tasks", "event": ["ping"]}]');
SELECT status FROM authenticatable WHERE id = 1;
SELECT * FROM vantage6_events.receive(:two, 's', '[]');
-- It writes nothing if the row is online and was written within 30 s, whoever sends it.
CREATE TEMP TABLE before (id integer, place tid);
CREATE FUNCTION pg_temp.seen(ago text, said text) RETURNS void LANGUAGE sql AS $$
    UPDATE authenticatable SET status = said,
        last_seen = timezone('UTC', clock_timestamp()) - ago::interval WHERE id = 1;
    DELETE FROM before;
    INSERT INTO before SELECT id, ctid FROM authenticatable WHERE id = 1;
$$;
CREATE FUNCTION pg_temp.pings(first integer) RETURNS json LANGUAGE sql AS $$
    SELECT json_agg(json_build_object('seq', first + n, 'sid', 'a', 'principal', 1,
                                      'nsp', '/tasks', 'event', json_build_array('ping')))
    FROM generate_series(1, 10) AS n
$$;
CREATE FUNCTION pg_temp.wrote() RETURNS TABLE (id integer, wrote boolean, status text)
    LANGUAGE sql AS $$
    SELECT a.id, a.ctid <> b.place, a.status
    FROM authenticatable AS a JOIN before AS b USING (id) ORDER BY a.id
$$;
SELECT pg_temp.seen('25 s', 'online');
SELECT taken FROM vantage6_events.receive(:two, 's', pg_temp.pings(100));
SELECT * FROM pg_temp.wrote();
SELECT pg_temp.seen('31 s', 'online');
SELECT taken FROM vantage6_events.receive(:two, 's', pg_temp.pings(200));
SELECT * FROM pg_temp.wrote();
SELECT pg_temp.seen('1 s', 'offline');
SELECT taken FROM vantage6_events.receive(:two, 's', pg_temp.pings(300));
SELECT * FROM pg_temp.wrote();
SELECT pg_temp.seen(NULL, 'online');
SELECT taken FROM vantage6_events.receive(:two, 's', pg_temp.pings(400));
SELECT * FROM pg_temp.wrote();
-- beat keeps nodes seen, when that is 30 s old.
UPDATE authenticatable SET last_seen = '2000-01-01' WHERE id IN (1, 14);
SET ROLE regress_pushd;
SELECT vantage6_events.beat(:two);
RESET ROLE;
SELECT id, last_seen > '2001-01-01' AS refreshed FROM authenticatable WHERE id IN (1, 14)
    ORDER BY id;
-- A dead instance is ended, its clients with grace; it is told so when it comes back.
SELECT vantage6_events.presence(100);
UPDATE vantage6_events.instance SET beat_at = now() - interval '19 seconds'
    WHERE incarnation = :one;
SELECT vantage6_events.beat(:two);
SELECT name FROM vantage6_events.instance ORDER BY 1;
UPDATE vantage6_events.instance SET beat_at = now() - interval '21 seconds'
    WHERE incarnation = :one;
SELECT vantage6_events.beat(:two);
SELECT name FROM vantage6_events.instance ORDER BY 1;
SELECT sid, instance FROM vantage6_events.connections ORDER BY sid;
SELECT vantage6_events.presence(100) BETWEEN 15 AND 30 AS grace;
SET ROLE regress_pushd;
SELECT vantage6_events.beat(:one);
SELECT * FROM vantage6_events.connect(:one, '[]');
SELECT * FROM vantage6_events.receive(:one, 's', '[]');
SELECT vantage6_events.disconnect(:one, '[{"sid": "a"}]');
RESET ROLE;
-- A lease that nobody keeps ends with the next beat, with grace.
UPDATE vantage6_events.lease SET incarnation = 999 WHERE sid = 'a';
SELECT vantage6_events.beat(:two);
SELECT sid, instance FROM vantage6_events.connections ORDER BY sid;
SELECT due > clock_timestamp() AS grace FROM vantage6_events.pending WHERE principal_id = 1
    ORDER BY id DESC LIMIT 1;
-- Two principals under one subject: none.
\set ECHO none
\i test/hq/regress-down.psql
\set hq 5
\set attach on
\i test/hq/regress-up.psql
\set ECHO all
UPDATE authenticatable SET keycloak_id = 'twice' WHERE id IN (1, 11);
SELECT incarnation AS one FROM vantage6_events.open('i1', '1.0.0') \gset
SELECT sid, principal_id, kind, rooms, greeting FROM vantage6_events.connect(:one, '[
    {"sid": "a", "nsp": "/tasks", "subject": "twice"},
    {"sid": "b", "nsp": "/tasks", "subject": "00000000-0000-4000-8000-000000000002"}]');
\set ECHO none
\i test/hq/regress-down.psql
