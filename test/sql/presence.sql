-- Presence: what is written and told when clients come and go.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
CREATE TABLE pg_temp.seen AS SELECT 0::bigint AS id;
CREATE FUNCTION pg_temp.news() RETURNS TABLE (rooms text, except_principal integer, payload text)
    LANGUAGE sql AS $$
    WITH new AS (SELECT e.* FROM vantage6_events.event e, pg_temp.seen s WHERE e.id > s.id),
    mark AS (UPDATE pg_temp.seen SET id = (SELECT max(e.id) FROM vantage6_events.event e))
    SELECT array_to_string(n.rooms, ' '), n.except_principal, n.payload FROM new n ORDER BY n.id
$$;
CREATE FUNCTION pg_temp.arrive(sid text, principal integer, nsp text DEFAULT '/tasks') RETURNS text
    LANGUAGE sql AS $$
    SELECT kind FROM vantage6_events.connect((SELECT max(incarnation)
        FROM vantage6_events.instance),
        json_build_array(json_build_object('sid', sid, 'nsp', nsp, 'subject',
            '00000000-0000-4000-8000-' || lpad(principal::text, 12, '0'))))
$$;
CREATE FUNCTION pg_temp.leave(sid text, by_client boolean) RETURNS integer LANGUAGE sql AS $$
    SELECT vantage6_events.disconnect((SELECT max(incarnation) FROM vantage6_events.instance),
        json_build_array(json_build_object('sid', sid, 'reason', 'x', 'by_client', by_client)))
$$;
-- The time passes: all that is pending becomes due.
CREATE FUNCTION pg_temp.later() RETURNS void LANGUAGE sql AS $$
    UPDATE vantage6_events.pending SET due = '2000-01-01'
$$;
CREATE VIEW pg_temp.hq AS
    SELECT id, status, abs(extract(epoch
        FROM last_seen - clock_timestamp() AT TIME ZONE 'UTC')) < 60 AS now_utc
    FROM authenticatable WHERE id IN (1, 3, 11, 13, 14) ORDER BY id;
SELECT 1 FROM vantage6_events.open('regress', '1.0.0') \g /dev/null
SET TimeZone = 'Pacific/Auckland';
\set ECHO all
SELECT pg_temp.arrive('a', 3), pg_temp.arrive('b', 13), pg_temp.arrive('c', 14),
    pg_temp.arrive('d', 11);
SELECT vantage6_events.presence(100);
SELECT * FROM pg_temp.news();
SELECT * FROM pg_temp.hq;
-- Nothing more to tell.
SELECT vantage6_events.presence(100);
SELECT pg_temp.arrive('a2', 3), vantage6_events.presence(100);
SELECT * FROM pg_temp.news();
-- The late end of an old connection harms nobody; nor does a second tab's.
SELECT pg_temp.leave('a', true), vantage6_events.presence(100);
SELECT * FROM pg_temp.news();
-- The end of the last one: at once if the client left.
SELECT * FROM nodeconfig;
SELECT pg_temp.leave('a2', true), vantage6_events.presence(100);
SELECT * FROM pg_temp.news();
SELECT * FROM nodeconfig;
SELECT * FROM pg_temp.hq;
-- With a grace if the daemon ended the connection; who is back in time was never away.
SELECT pg_temp.leave('b', false), vantage6_events.presence(100) BETWEEN 15 AND 30 AS grace;
SELECT pg_temp.arrive('b2', 13), vantage6_events.presence(100);
SELECT * FROM pg_temp.news();
-- One connection was drained, the other left by itself: the grace holds.
SELECT pg_temp.arrive('b3', 13), pg_temp.leave('b2', false), pg_temp.leave('b3', true);
SELECT vantage6_events.presence(100) BETWEEN 15 AND 30 AS grace;
SELECT * FROM pg_temp.news();
SELECT pg_temp.later(), vantage6_events.presence(100);
SELECT * FROM pg_temp.news();
SELECT * FROM pg_temp.hq;
-- A grace ends when the principal registers again: it may leave by itself right afterwards.
SELECT pg_temp.arrive('a3', 3), vantage6_events.presence(100), pg_temp.leave('a3', false),
    pg_temp.arrive('a4', 3);
SELECT pg_temp.leave('a4', true), vantage6_events.presence(100);
SELECT * FROM pg_temp.news();
-- In another namespace it does not, nor does somebody else's.
SELECT pg_temp.arrive('a5', 3), vantage6_events.presence(100), pg_temp.leave('a5', false);
SELECT pg_temp.arrive('a6', 3, '/other'), pg_temp.arrive('c2', 14),
    vantage6_events.presence(100) BETWEEN 15 AND 30 AS grace;
SELECT pg_temp.leave('c2', true), pg_temp.later(), vantage6_events.presence(100);
SELECT * FROM pg_temp.news();
-- The graces are settings.
SET vantage6_events.drain_grace = '5min';
SELECT pg_temp.leave('d', false), vantage6_events.presence(100) BETWEEN 250 AND 300 AS grace;
RESET vantage6_events.drain_grace;
-- A connection in another namespace is not presence.
SELECT pg_temp.arrive('e', 1, '/other'),
    vantage6_events.presence(100) BETWEEN 200 AND 300 AS other_grace;
SELECT * FROM pg_temp.news();
-- Rights that changed are told when presence is next looked at.
SELECT pg_temp.arrive('d2', 11), pg_temp.later(), vantage6_events.presence(100);
DELETE FROM "Permission" WHERE user_id = 11;
INSERT INTO "UserPermission" (user_id, rule_id) VALUES (11, 3);
SELECT pg_temp.arrive('d3', 11), vantage6_events.presence(100);
SELECT * FROM pg_temp.news();
-- A principal that HQ has removed is told to have left, and is no obstacle.
SELECT pg_temp.arrive('f', 1), vantage6_events.presence(100);
SELECT count(*) FROM pg_temp.news();
BEGIN;
SET LOCAL session_replication_role = replica;
DELETE FROM node WHERE id = 1;
DELETE FROM authenticatable WHERE id = 1;
COMMIT;
SELECT pg_temp.leave('f', true), vantage6_events.presence(100);
SELECT * FROM pg_temp.news();
-- In pages: 0 means that more is due.
SELECT count(pg_temp.arrive('g' || i, i)) FROM generate_series(11, 15) AS i;
SELECT vantage6_events.presence(3), vantage6_events.presence(3);
-- The leases were lost: all that were told online have a minute to come back.
SELECT count(*) FROM pg_temp.news();
TRUNCATE vantage6_events.lease, vantage6_events.instance, vantage6_events.pending,
    vantage6_events.epoch;
SELECT epoch IS NOT NULL AS epoch FROM vantage6_events.open('regress', '1.0.0');
SELECT vantage6_events.presence(100) BETWEEN 45 AND 60 AS grace;
SELECT count(pg_temp.arrive('h' || i, i)) FROM generate_series(11, 14) AS i;
SELECT vantage6_events.presence(100) BETWEEN 45 AND 60 AS grace;
-- One of them is back, and leaves.
SELECT pg_temp.leave('h13', true), vantage6_events.presence(100) BETWEEN 45 AND 60 AS grace;
SELECT * FROM pg_temp.news();
SELECT pg_temp.later(), vantage6_events.presence(100);
SELECT * FROM pg_temp.news();
-- attach() knows whom the server before left online; they too have a minute.
SELECT vantage6_events.detach();
SELECT count(*) FROM vantage6_events.announced;
UPDATE authenticatable SET status = CASE id WHEN 3 THEN 'online' ELSE 'offline' END;
SELECT vantage6_events.attach('HQ''s tables');
SELECT principal_id, kind, name, online, rooms FROM vantage6_events.announced;
SELECT vantage6_events.presence(100) BETWEEN 45 AND 60 AS grace;
SELECT pg_temp.later(), vantage6_events.presence(100);
SELECT * FROM pg_temp.news();
-- A node that comes over, and leaves again, is gone before that; attach() freezes nobody who is
-- there already.
SELECT vantage6_events.detach();
UPDATE authenticatable SET status = 'online' WHERE id IN (3, 1, 4);
SELECT vantage6_events.attach('HQ''s tables');
SELECT 1 FROM vantage6_events.open('regress', '1.0.0') \g /dev/null
SELECT pg_temp.arrive('k', 3), vantage6_events.presence(100) BETWEEN 45 AND 60 AS others_grace;
SELECT pg_temp.leave('k', true), vantage6_events.presence(100) BETWEEN 45 AND 60 AS others_grace;
SELECT * FROM pg_temp.news();
TRUNCATE vantage6_events.pending;
UPDATE authenticatable SET status = 'online' WHERE id = 3;
DELETE FROM vantage6_events.announced WHERE principal_id = 3;
SELECT pg_temp.arrive('l', 3);
SELECT vantage6_events.attach('HQ''s tables');
SELECT pg_temp.leave('l', true), vantage6_events.presence(100);
SELECT * FROM pg_temp.news();
-- An instance died some time ago: who has registered elsewhere since needs no grace.
SELECT incarnation AS first FROM vantage6_events.instance \gset
SELECT pg_temp.arrive('i1', 3), pg_temp.arrive('i2', 13), vantage6_events.presence(100);
SELECT 1 FROM vantage6_events.open('regress-2', '1.0.0') \g /dev/null
SELECT pg_temp.arrive('i3', 3), vantage6_events.presence(100);
UPDATE vantage6_events.lease SET connected_at = connected_at - interval '1 minute'
    WHERE sid IN ('i1', 'i2');
UPDATE vantage6_events.instance SET beat_at = beat_at - interval '1 minute'
    WHERE incarnation = :first;
SELECT count(*) FROM pg_temp.news();
SELECT 1 FROM vantage6_events.open('regress', '1.0.0') \g /dev/null
SELECT vantage6_events.disconnect((SELECT max(incarnation) - 1 FROM vantage6_events.instance),
    '[{"sid": "i3", "reason": "x", "by_client": true}]'),
    vantage6_events.presence(100) BETWEEN 15 AND 30 AS grace;
SELECT * FROM pg_temp.news();
SELECT pg_temp.later(), vantage6_events.presence(100);
SELECT * FROM pg_temp.news();
\set ECHO none
\i test/hq/regress-down.psql
