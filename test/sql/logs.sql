-- Lines of runs, collected and folded into HQ's column.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
\i test/hq/receive.psql
CREATE FUNCTION pg_temp.logs(principal integer, run integer, VARIADIC lines text[]) RETURNS text
    LANGUAGE sql AS $$
    SELECT string_agg(pg_temp.said(principal, 'algorithm_log',
        json_build_object('run_id', run, 'log', l)::text), ' ' ORDER BY n)
    FROM unnest(lines) WITH ORDINALITY AS x (l, n)
$$;
CREATE FUNCTION pg_temp.beat() RETURNS boolean LANGUAGE sql AS $$
    SELECT vantage6_events.beat((SELECT max(incarnation) FROM vantage6_events.instance))
$$;
-- Five seconds pass.
CREATE FUNCTION pg_temp.later() RETURNS void LANGUAGE sql AS $$
    UPDATE vantage6_events.log_line SET at = at - interval '5 seconds'
$$;
SELECT pg_temp.arrive('{1, 2, 3}') \g /dev/null
\set ECHO all
-- HQ's rule of line feeds: against appending one by one, as it does.
CREATE FUNCTION pg_temp.one_by_one(log text, lines text[]) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. cardinality(lines) LOOP
        IF log <> '' THEN
            log := log || CASE WHEN right(log, 1) = E'\n' THEN '' ELSE E'\n' END || lines[i];
        ELSE
            log := lines[i];
        END IF;
    END LOOP;
    RETURN log;
END $$;
SELECT count(*), count(*) FILTER (WHERE concat(log, vantage6_events.joined_lines(ARRAY[a, b, c],
    right(log, 1)))
                                        IS DISTINCT FROM pg_temp.one_by_one(log,
                                            ARRAY[a, b, c])) AS otherwise
FROM unnest(ARRAY[NULL, '', 'l', E'l\n']) AS log,
    unnest(ARRAY['', 'x', E'x\n', E'\n', E'x\n\ny']) AS a,
     unnest(ARRAY['', 'x', E'x\n', E'\n']) AS b, unnest(ARRAY['', 'x', E'x\n', E'\n']) AS c;
-- Nothing is written while lines come; when none has come for 5 s, all is.
SELECT pg_temp.logs(1, 1, 'one', E'two\n', 'three'), pg_temp.logs(3, 3, 'new line'), pg_temp.beat();
SELECT id, log FROM run WHERE id IN (1, 3) ORDER BY id;
SELECT pg_temp.later();
SELECT pg_temp.logs(1, 1, 'four'), pg_temp.beat();
SELECT id, log FROM run WHERE id IN (1, 3) ORDER BY id;
SELECT pg_temp.later();
SELECT pg_temp.beat();
SELECT id, log FROM run WHERE id IN (1, 3) ORDER BY id;
SELECT count(*) FROM vantage6_events.log_line;
-- At once if it exceeds 4 KB and a quarter of what is there.
SELECT pg_temp.logs(1, 1, repeat('a', 4096)), pg_temp.beat();
SELECT length(log) FROM run WHERE id = 1;
SELECT pg_temp.logs(1, 1, 'b'), pg_temp.beat();
SELECT length(log) FROM run WHERE id = 1;
UPDATE run SET log = repeat('l', 100000) WHERE id = 1;
SELECT pg_temp.logs(1, 1, repeat('a', 25000)), pg_temp.beat();
SELECT length(log) FROM run WHERE id = 1;
SELECT pg_temp.logs(1, 1, 'b'), pg_temp.beat();
SELECT length(log) FROM run WHERE id = 1;
-- HQ's own write of the column wins, and drops what is pending.
SELECT pg_temp.logs(1, 1, 'dropped');
UPDATE run SET log = 'HQ''s' WHERE id = 1;
SELECT pg_temp.later(), pg_temp.beat();
SELECT pg_temp.logs(1, 1, 'after');
UPDATE run SET log = 'HQ''s', started_at = now() WHERE id = 1;
SELECT pg_temp.later();
SELECT pg_temp.beat();
SELECT log FROM run WHERE id = 1;
-- At once at the end of the run.
SELECT pg_temp.logs(1, 1, 'last words');
UPDATE run SET status = 'completed', finished_at = now() WHERE id = 1;
SELECT pg_temp.beat();
SELECT log FROM run WHERE id = 1;
-- A fold announces nothing.
SELECT payload FROM pg_temp.news() WHERE payload NOT LIKE '["algorithm_log%';
-- A line that is too long is cut; a log that is too long grows no more.
SET vantage6_events.max_log_line = '1kB';
SELECT pg_temp.logs(2, 2, repeat('x', 1024)), pg_temp.logs(2, 2, repeat('é', 513));
SELECT left(line, 3), right(line, 40), length(line) FROM vantage6_events.log_line ORDER BY id;
SELECT length(payload) FROM pg_temp.news();
RESET vantage6_events.max_log_line;
SET vantage6_events.max_run_log = '1kB';
SELECT pg_temp.later();
SELECT pg_temp.beat();
SELECT pg_temp.logs(2, 2, 'too much'), pg_temp.logs(3, 3, 'not too much');
SELECT payload FROM pg_temp.news();
SELECT run_id, line FROM vantage6_events.log_line;
RESET vantage6_events.max_run_log;
-- Lines of runs that are deleted go with them.
DELETE FROM run WHERE id = 3;
SELECT count(*) FROM vantage6_events.log_line;
INSERT INTO vantage6_events.log_line (run_id, line, at) VALUES (3, 'late', now()), (2, 'x', now());
SELECT pg_temp.beat();
SELECT run_id, line FROM vantage6_events.log_line;
TRUNCATE run CASCADE;
SELECT count(*) FROM vantage6_events.log_line;
-- What waits counts: a run that is full takes no line more, and announces none.
INSERT INTO run (id, task_id, organization_id, status) VALUES (1, 1, 1, 'active'),
    (2, 1, 2, 'active'), (3, 1, 3, 'active');
DELETE FROM vantage6_events.log_line;
SELECT count(*) FROM pg_temp.news() \g /dev/null
SET vantage6_events.max_run_log = '1kB';
SELECT pg_temp.logs(1, 1, repeat('a', 600), repeat('b', 500), 'too much', ''),
    pg_temp.logs(2, 2, 'of another');
SELECT run_id, left(line, 10) AS line, total FROM vantage6_events.log_line ORDER BY id;
SELECT left(payload, 60) FROM pg_temp.news();
SELECT pg_temp.later(), pg_temp.beat();
SELECT pg_temp.logs(1, 1, 'too much');
UPDATE run SET log = '' WHERE id = 1;
SELECT pg_temp.logs(1, 1, 'HQ has made room');
SELECT left(payload, 60) FROM pg_temp.news();
-- Lines that are empty count, too; and of which the total is not known.
DELETE FROM vantage6_events.log_line;
INSERT INTO vantage6_events.log_line (run_id, line, at)
    SELECT 1, '', now() FROM generate_series(1, 1020);
SELECT pg_temp.logs(1, 1, '', 'x', '', '', ''), pg_temp.logs(1, 1, '');
DELETE FROM vantage6_events.log_line;
RESET vantage6_events.max_run_log;
-- A few megabytes are folded at a time, in order, and what exceeds the limit is dropped.
UPDATE run SET log = NULL;
INSERT INTO vantage6_events.log_line (run_id, line, at)
    SELECT 1, lpad(i::text, 262144, '-'), now() - interval '1 minute'
    FROM generate_series(1, 40) AS i;
SELECT pg_temp.logs(1, 1, 'last'), pg_temp.beat();
SELECT octet_length(log) / 262144 AS lines FROM run WHERE id = 1;
SELECT count(*) FROM vantage6_events.log_line;
SELECT (vantage6_events.pending_log(1)).bytes
    = (SELECT sum(octet_length(line) + 1) FROM vantage6_events.log_line) AS counted;
DO $$
BEGIN
    FOR i IN 1 .. 10 LOOP
        PERFORM pg_temp.later(), pg_temp.beat();
    END LOOP;
END $$;
SELECT log = (SELECT string_agg(lpad(i::text, 262144, '-'), E'\n' ORDER BY i) || E'\nlast'
              FROM generate_series(1, 40) AS i) AS whole FROM run WHERE id = 1;
INSERT INTO vantage6_events.log_line (run_id, line, at)
    SELECT 2, repeat('b', 262144), now() - interval '1 minute' FROM generate_series(1, 60) AS i;
SET vantage6_events.max_run_log = '6MB';
SELECT pg_temp.beat(), pg_temp.beat(), pg_temp.beat();
SELECT octet_length(log) / 1024 / 1024 AS mb FROM run WHERE id = 2;
SELECT count(*) FROM vantage6_events.log_line;
SELECT run_id, name, reason FROM vantage6_events.set_aside;
RESET vantage6_events.max_run_log;
-- HQ makes room: the next lines need not wait until it is tried again.
UPDATE run SET log = '' WHERE id = 2;
SELECT count(*) FROM vantage6_events.set_aside;
SELECT pg_temp.logs(2, 2, 'there is room'), pg_temp.later(), pg_temp.beat();
SELECT log FROM run WHERE id = 2;
-- A run whose lines fail is set aside, and keeps neither the others nor the beat from going on.
UPDATE run SET log = NULL;
CREATE FUNCTION pg_temp.fails() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.log LIKE '%poison%' THEN
        RAISE 'no % here', left(NEW.log, 6) USING ERRCODE = '54000';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER fails AFTER UPDATE ON run DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION pg_temp.fails();
SELECT pg_temp.logs(1, 1, 'poison'), pg_temp.logs(2, 2, 'fine'), pg_temp.logs(3, 3, 'fine');
SELECT pg_temp.later();
SELECT pg_temp.beat();
SELECT id, log FROM run WHERE id < 4 ORDER BY id;
SELECT principal_id, run_id, name, reason, retry_at > now() + interval '9 minutes' AS later
FROM vantage6_events.set_aside;
SELECT count(*) FROM vantage6_events.failure;
-- It is tried again ten minutes later, after the others, and then is no failure any more.
SELECT pg_temp.logs(1, 1, 'more'), pg_temp.later();
SELECT pg_temp.beat();
SELECT run_id, line FROM vantage6_events.log_line ORDER BY id;
DROP TRIGGER fails ON run;
UPDATE vantage6_events.log_failure SET retry_at = now();
SELECT pg_temp.beat();
SELECT log FROM run WHERE id = 1;
SELECT count(*) FROM vantage6_events.set_aside;
-- So is an event that failed when its turn came; later ones of the node do not wait behind it.
CREATE FUNCTION pg_temp.no_config() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE 'no configuration of % today', NEW.node_id;
END $$;
CREATE TRIGGER no_config BEFORE INSERT ON nodeconfig FOR EACH ROW WHEN (NEW.node_id = 1)
    EXECUTE FUNCTION pg_temp.no_config();
INSERT INTO vantage6_events.deferred (principal_id, name, arg, since) VALUES
    (1, 'node_info_update', '{"a": 1}', now()),
    (1, 'dataframe_deleted', '{"df_name": "df_old", "session_id": 1}', now()),
    (2, 'node_info_update', '{"b": 2}', now());
SELECT pg_temp.beat();
SELECT principal_id, run_id, name, reason FROM vantage6_events.set_aside;
SELECT count(*) FROM vantage6_events.deferred;
SELECT node_id, key FROM nodeconfig WHERE node_id IN (1, 2);
SELECT pg_temp.said(1, 'dataframe_deleted', '{"df_name": "none", "session_id": 1}');
SELECT count(*) FROM vantage6_events.deferred;
DROP TRIGGER no_config ON nodeconfig;
UPDATE vantage6_events.deferred SET retry_at = now();
SELECT pg_temp.beat();
SELECT node_id, key FROM nodeconfig WHERE node_id IN (1, 2) ORDER BY 1;
SELECT count(*) FROM vantage6_events.set_aside;
-- A configuration that was set aside is void when the node has shared another.
INSERT INTO vantage6_events.deferred (principal_id, name, arg, since, reason, retry_at) VALUES
    (1, 'node_info_update', '{"old": 1}', now(), 'x', now() + interval '1 day'),
    (1, 'dataframe_deleted', '7', now(), 'x', now() + interval '1 day'),
    (2, 'node_info_update', '{"old": 2}', now(), 'x', now() + interval '1 day');
SELECT pg_temp.said(1, 'node_info_update', '7');
SELECT count(*) FROM vantage6_events.set_aside;
SELECT pg_temp.said(1, 'node_info_update', '{"newer": 3}');
SELECT principal_id, name FROM vantage6_events.set_aside ORDER BY 1, 2;
UPDATE vantage6_events.deferred SET retry_at = now();
SELECT pg_temp.beat();
SELECT node_id, key FROM nodeconfig WHERE node_id IN (1, 2) ORDER BY 1;
-- Lines that fail are dropped a week after they failed first, and not while they may be put.
CREATE CONSTRAINT TRIGGER fails AFTER UPDATE ON run DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION pg_temp.fails();
UPDATE run SET log = NULL;
SELECT pg_temp.logs(1, 1, 'poison'), pg_temp.later();
SELECT pg_temp.beat();
UPDATE vantage6_events.log_failure SET since = now() - interval '6 days', retry_at = now();
SELECT pg_temp.beat();
SELECT now() - since > interval '5 days' AS long_ago, retry_at > now() AS later
FROM vantage6_events.set_aside;
UPDATE vantage6_events.log_failure SET since = now() - interval '8 days';
SELECT vantage6_events.upkeep() \g /dev/null
SELECT count(*) FROM vantage6_events.set_aside;
UPDATE vantage6_events.log_failure SET retry_at = now();
SELECT pg_temp.beat();
SELECT count(*) FROM vantage6_events.log_line;
SELECT count(*) FROM vantage6_events.set_aside;
DROP TRIGGER fails ON run;
-- With a run goes what it is set aside for, and an id that comes again is not set aside.
INSERT INTO vantage6_events.log_failure (run_id, reason, since, retry_at)
    SELECT id, 'x', now(), now() + interval '1 day' FROM unnest(ARRAY[1, 3, 99]) AS id;
DELETE FROM run WHERE id = 3;
INSERT INTO run (id, task_id, organization_id, status) VALUES (99, 1, 1, 'active');
SELECT run_id FROM vantage6_events.set_aside;
TRUNCATE run CASCADE;
SELECT count(*) FROM vantage6_events.set_aside;
-- It is kept for a week.
INSERT INTO vantage6_events.deferred (principal_id, name, arg, since, reason, retry_at)
    VALUES (1, 'dataframe_deleted', '7', now() - interval '8 days', 'x', now() + interval '1 day'),
        (1, 'dataframe_deleted', '7', now() - interval '6 days', 'x', now() + interval '1 day');
INSERT INTO vantage6_events.log_failure (run_id, reason, since, retry_at)
    VALUES (1, 'x', now() - interval '8 days', now() + interval '1 day');
SELECT vantage6_events.upkeep() \g /dev/null
SELECT name, now() - since < interval '7 days' AS young FROM vantage6_events.set_aside;
\set ECHO none
\i test/hq/regress-down.psql
