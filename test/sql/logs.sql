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
-- A line that is too long is cut; a log that is too long grows no more, though its lines are told.
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
\set ECHO none
\i test/hq/regress-down.psql
