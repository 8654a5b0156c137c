-- What a principal may send in all, and how large the log may be.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
\i test/hq/receive.psql
-- n items from the principal, taken by the instance; what is over, its time to 5 s.
CREATE FUNCTION pg_temp.sent(instance text, principal integer, n integer, text text DEFAULT 'x')
    RETURNS TABLE (took bigint, over text, log text) LANGUAGE plpgsql AS $$
DECLARE
    before bigint := coalesce((SELECT seq FROM vantage6_events.received
                               WHERE stream = instance), 0);
BEGIN
    RETURN QUERY SELECT r.taken - before, (SELECT string_agg(format('%s %s %s s', o ->> 'principal',
            o ->> 'reason', 5 * round((o ->> 'ms')::numeric / 5000)), ', ')
        FROM json_array_elements(r.report -> 'over') AS o),
        (SELECT string_agg(k, ' ' ORDER BY k)
         FROM json_array_elements(r.report -> 'log') AS l, json_object_keys(l) AS k)
    FROM vantage6_events.receive(
        (SELECT i.incarnation FROM vantage6_events.instance AS i WHERE i.name = instance), instance,
        (SELECT json_agg(json_build_object('seq', before + s, 'sid', 's' || principal,
                'principal', principal, 'nsp', '/tasks', 'event', json_build_array('x', text)))
         FROM generate_series(1, n) AS s)) AS r;
END $$;
\set ECHO all
SELECT pg_temp.arrive('{1, 2, 12}');
SELECT count(*) FROM vantage6_events.open('other', '1.0.0');
-- A mean of 10 s: 20 events at 2 a second are not too many, 40 are twice as many. They are taken.
SET vantage6_events.principal_event_rate = 2;
SELECT * FROM pg_temp.sent('regress', 1, 20);
SELECT * FROM pg_temp.sent('regress', 1, 20);
-- Of another principal nothing was counted; and what does nothing counts too, as of a user.
SELECT * FROM pg_temp.sent('regress', 2, 19);
SELECT * FROM pg_temp.sent('regress', 12, 54);
-- It fades, is counted over all instances, and is told where something came of it.
UPDATE vantage6_events.sent SET at = at - interval '1 min';
SELECT * FROM pg_temp.sent('regress', 1, 15);
SELECT * FROM pg_temp.sent('other', 2, 15);
SELECT * FROM pg_temp.sent('other', 1, 25);
SELECT * FROM pg_temp.sent('regress', 2, 1);
-- One minute is the longest; no rate is none; what is sent again does not count again.
SELECT * FROM pg_temp.sent('other', 2, 20000);
SELECT max(events) BETWEEN 20000 AND 20015.1 AS once FROM vantage6_events.sent;
SELECT taken = 20040 AS same, report FROM vantage6_events.receive((SELECT incarnation
    FROM vantage6_events.instance WHERE name = 'other'), 'other',
    '[{"seq": 1, "sid": "s2", "principal": 2, "nsp": "/tasks", "event": ["x"]}]');
SELECT max(events) BETWEEN 20000 AND 20015.1 AS once FROM vantage6_events.sent;
SET vantage6_events.principal_event_rate = 0;
SELECT * FROM pg_temp.sent('other', 2, 100);
-- Bytes, not characters: 10 kB at 1 kB a second.
SET vantage6_events.principal_byte_rate = '1kB';
SELECT * FROM pg_temp.sent('regress', 1, 1, repeat('x', 9000));
UPDATE vantage6_events.sent SET at = at - interval '2 min';
SELECT * FROM pg_temp.sent('regress', 1, 1, repeat('ä', 14000));
RESET vantage6_events.principal_byte_rate;
RESET vantage6_events.principal_event_rate;
-- What an incarnation counted goes with it.
UPDATE vantage6_events.sent SET at = now() - interval '10 min';
SELECT vantage6_events.upkeep() \g /dev/null
SELECT count(*) FROM vantage6_events.sent;
SELECT count(*) FROM vantage6_events.open('other', '1.0.0');
SELECT vantage6_events.upkeep() \g /dev/null
SELECT principal_id, name FROM vantage6_events.sent JOIN vantage6_events.instance
    USING (incarnation) ORDER BY 1;
-- Before the first beat the size of the log is not known; then nothing is told below three
-- quarters.
SET vantage6_events.max_log_bytes = '1MB';
SELECT * FROM pg_temp.sent('regress', 1, 1);
SELECT count(vantage6_events.beat(incarnation)) FROM vantage6_events.instance;
SELECT * FROM pg_temp.sent('regress', 1, 1);
-- HQ is never refused: neither emit nor its triggers, at ten times the limit.
SET ROLE regress_hq;
SELECT count(vantage6_events.emit('e', to_json(noise), 'everyone')) FROM generate_series(1, 24),
    (SELECT string_agg(md5(i::text), '') AS noise FROM generate_series(1, 15000) AS i) AS n;
SELECT max(id) AS last FROM vantage6_events.recent_events \gset
UPDATE run SET status = 'active' WHERE id = 2;
SELECT DISTINCT name FROM vantage6_events.recent_events WHERE id > :last ORDER BY 1;
RESET ROLE;
SELECT count(vantage6_events.beat(incarnation)) FROM vantage6_events.instance;
SELECT min(log_bytes) > 10 * 1024 * 1024 AS ten_times FROM vantage6_events.instance;
SET ROLE regress_hq;
SELECT vantage6_events.emit('e', '[]'::json, 'everyone') > :last AS emitted;
SELECT max(id) AS last FROM vantage6_events.recent_events \gset
UPDATE run SET status = 'failed' WHERE id = 2;
INSERT INTO run (task_id, organization_id, status) VALUES (1, 1, 'pending');
SELECT DISTINCT name FROM vantage6_events.recent_events WHERE id > :last ORDER BY 1;
RESET ROLE;
-- What clients sent waits, at every instance, and is not counted yet; all else goes on.
SELECT * FROM pg_temp.sent('regress', 1, 5);
SELECT * FROM pg_temp.sent('other', 12, 5);
SELECT pg_temp.arrive('{3}');
SELECT vantage6_events.presence(10) \g /dev/null
SELECT count(*) FROM vantage6_events.sent WHERE events BETWEEN 4 AND 7;
-- From three quarters on it is told; and what waited is taken when there is room.
SELECT set_config('vantage6_events.max_log_bytes', log_bytes * 5 / 4 / 1024 || 'kB', false)
    FROM vantage6_events.instance LIMIT 1 \g /dev/null
SELECT * FROM pg_temp.sent('regress', 1, 5);
SELECT report #>> '{log,0,bytes}' = log_bytes::text AS bytes, report -> 'refused' AS refused
FROM vantage6_events.instance, vantage6_events.receive(incarnation, 'regress', '[{"seq": 100000,
    "sid": "s1", "principal": 1, "nsp": "/tasks", "event": ["algorithm_log", {"run_id": 7}]}]')
    WHERE name = 'regress';
-- No limit; and nothing to take, only to ask.
SELECT report IS NOT NULL AS told FROM vantage6_events.instance,
    vantage6_events.receive(incarnation, 'regress', '[]') WHERE name = 'regress';
SET vantage6_events.max_log_bytes = 0;
SELECT * FROM pg_temp.sent('regress', 1, 5);
SELECT taken, report FROM vantage6_events.instance,
    vantage6_events.receive(incarnation, 'regress', '[]') WHERE name = 'regress';
\set ECHO none
\i test/hq/regress-down.psql
