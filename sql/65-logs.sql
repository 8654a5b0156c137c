-- Logs: what runs log is collected in rows of log_line, and folded into HQ's column run.log. That
-- is written as a whole each time: line by line it would cost the square of its length.
--
-- due  a run whose lines are to be folded: they exceed a quarter of the log and 4 KB, nothing has
--      come for 5 s, or the run has ended
--
-- Only the transaction that holds HQ's row of the run takes lines away, so that HQ and a fold never
-- cross.

CREATE FUNCTION joined_lines(lines text[], ends text) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    -- As HQ does it: a line is put after a line feed, unless there is one already or nothing yet.
    SELECT concat(CASE WHEN ends NOT IN ('', E'\n') THEN E'\n' END, string_agg(
        CASE WHEN x.n = cardinality(lines) OR x.line = '' OR right(x.line, 1) = E'\n' THEN x.line
             ELSE x.line || E'\n' END, '' ORDER BY x.n))
    FROM unnest(lines) WITH ORDINALITY AS x (line, n)
$$;
COMMENT ON FUNCTION joined_lines(text[], text) IS
    'The lines as they continue a log that ends with this character; NULL or empty: there is none.';

CREATE FUNCTION fold_log(run_id integer, bytes bigint, idle boolean) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp SET enable_seqscan = off
AS $$
DECLARE
    r record;
    lines text[];
BEGIN
    SELECT coalesce(octet_length(x.log), 0) AS size, has_ended(x.status) AS ended INTO r
    FROM vantage6_events.run AS x WHERE x.id = fold_log.run_id FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        IF NOT EXISTS (SELECT FROM vantage6_events.run AS x WHERE x.id = fold_log.run_id) THEN
            DELETE FROM log_line AS l WHERE l.run_id = fold_log.run_id;
        END IF;
        RETURN; -- or the row is being written: later
    END IF;
    IF NOT (idle OR r.ended OR bytes > greatest(4096, r.size / 4)) THEN
        RETURN;
    END IF;
    WITH gone AS (DELETE FROM log_line AS l WHERE l.run_id = fold_log.run_id
                  RETURNING l.id, l.line)
    SELECT array_agg(g.line ORDER BY g.id) INTO lines FROM gone AS g;
    IF lines IS NULL THEN
        RETURN; -- another has folded them
    END IF;
    PERFORM set_config('vantage6_events.folding', 'on', true);
    UPDATE vantage6_events.run AS x
    SET log = concat(x.log, joined_lines(lines, right(x.log, 1))) WHERE x.id = fold_log.run_id;
    PERFORM set_config('vantage6_events.folding', 'off', true);
END $$;
COMMENT ON FUNCTION fold_log(integer, bigint, boolean) IS
    'Puts the lines of the run, which are so many bytes, after its log, if they are due and '
    'HQ''s row is not locked.';

CREATE FUNCTION fold_logs() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp SET jit = off AS $$
BEGIN
    PERFORM fold_log(p.run_id, p.bytes, p.idle)
    FROM (SELECT l.run_id, sum(octet_length(l.line)) AS bytes,
                 max(l.at) < clock_timestamp() - interval '5 seconds' AS idle
          FROM log_line AS l GROUP BY l.run_id ORDER BY l.run_id) AS p;
END $$;
COMMENT ON FUNCTION fold_logs() IS 'Folds the lines of all runs that are due.';

CREATE FUNCTION log_written(run_id integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    IF coalesce(current_setting('vantage6_events.folding', true), '') <> 'on' THEN
        DELETE FROM log_line AS l WHERE l.run_id = log_written.run_id;
    END IF;
END $$;
COMMENT ON FUNCTION log_written(integer) IS
    'HQ has written the log of a run: that is the log now, whatever was still to be put after it.';
