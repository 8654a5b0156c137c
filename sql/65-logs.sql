-- Logs: what runs log is collected in rows of log_line, and folded into HQ's column run.log. That
-- is written as a whole each time: line by line it would cost the square of its length.
--
-- due  a run whose lines are to be folded: they exceed a quarter of the log and 4 KB, nothing has
--      come for 5 s, or the run has ended
--
-- A fold takes a few megabytes at most, and the next beat goes on: the column is written as a
-- whole, while HQ's row is locked. If a fold fails, the run's lines stay, and others come first.
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

-- Not run_id = : the index on id alone would do then, too, and might be searched for long.
CREATE FUNCTION pending_log(run_id integer, OUT bytes bigint, OUT total bigint)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp
    SET enable_seqscan = off AS $$
DECLARE
    before bigint;
BEGIN
    SELECT l.total INTO total FROM log_line AS l
    WHERE l.run_id BETWEEN pending_log.run_id AND pending_log.run_id
    ORDER BY l.run_id DESC, l.id DESC LIMIT 1;
    IF NOT FOUND THEN
        bytes := 0;
        total := 0;
        RETURN;
    END IF;
    SELECT l.total - octet_length(l.line) - 1 INTO before FROM log_line AS l
    WHERE l.run_id BETWEEN pending_log.run_id AND pending_log.run_id
    ORDER BY l.run_id, l.id LIMIT 1;
    bytes := total - before;
    IF bytes IS NULL THEN
        SELECT sum(octet_length(l.line) + 1) INTO bytes FROM log_line AS l
        WHERE l.run_id = pending_log.run_id;
        total := coalesce(total, bytes);
    END IF;
END $$;
COMMENT ON FUNCTION pending_log(integer) IS
    'How many bytes of the run wait to be put after its log, and the total of the last line; each '
    'line counts a byte more than it has.';

-- So many that HQ's row is not held for long.
CREATE FUNCTION next_lines(run_id integer, OUT last bigint)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp
    SET enable_seqscan = off AS $$
DECLARE
    bytes bigint := 0;
    line record;
BEGIN
    FOR line IN
        SELECT l.id, octet_length(l.line) AS size FROM log_line AS l
        WHERE l.run_id BETWEEN next_lines.run_id AND next_lines.run_id ORDER BY l.run_id, l.id
    LOOP
        bytes := bytes + line.size + 100; -- a row costs something, too
        EXIT WHEN last IS NOT NULL AND bytes > 4 * 1024 * 1024;
        last := line.id;
    END LOOP;
END $$;
COMMENT ON FUNCTION next_lines(integer) IS
    'The last of the lines of the run that are folded next, 4 MB at most but at least one.';

CREATE FUNCTION note_log_failure(run_id integer, reason text) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    INSERT INTO log_failure (run_id, reason, since, retry_at)
    VALUES (note_log_failure.run_id, note_log_failure.reason, clock_timestamp(),
            clock_timestamp() + interval '10 minutes')
    ON CONFLICT ON CONSTRAINT log_failure_pkey DO UPDATE
    SET (reason, retry_at) = (excluded.reason, excluded.retry_at)
$$;
COMMENT ON FUNCTION note_log_failure(integer, text) IS
    'Notes why lines of the run are not in its log; what is left is tried again 10 minutes later.';

CREATE FUNCTION forget_log_failure(run_id integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    DELETE FROM log_failure AS f WHERE f.run_id IN (
        SELECT g.run_id FROM log_failure AS g WHERE g.run_id = forget_log_failure.run_id
        FOR UPDATE SKIP LOCKED);
END $$;
COMMENT ON FUNCTION forget_log_failure(integer) IS 'The run is not set aside any more.';

CREATE FUNCTION put_lines(run_id integer) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp SET enable_seqscan = off
AS $$
DECLARE
    size bigint;
    last bigint;
    lines text[];
BEGIN
    SELECT coalesce(octet_length(x.log), 0) INTO size FROM vantage6_events.run AS x
    WHERE x.id = put_lines.run_id FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0; -- the row is being written: later
    ELSIF size > bytes('max_run_log') THEN
        DELETE FROM log_line AS l WHERE l.run_id = put_lines.run_id;
        PERFORM note_log_failure(put_lines.run_id, 'full: lines were dropped');
        RETURN 0;
    ELSIF EXISTS (SELECT FROM log_failure AS f WHERE f.run_id = put_lines.run_id
                                                 AND f.since < now() - interval '168 hours') THEN
        DELETE FROM log_line AS l WHERE l.run_id = put_lines.run_id;
        PERFORM forget_log_failure(run_id);
        RETURN 0;
    END IF;
    last := next_lines(put_lines.run_id);
    WITH gone AS (DELETE FROM log_line AS l WHERE l.run_id = put_lines.run_id AND l.id <= last
                  RETURNING l.id, l.line)
    SELECT array_agg(g.line ORDER BY g.id) INTO lines FROM gone AS g;
    IF lines IS NULL THEN
        RETURN 0; -- another has folded them
    END IF;
    PERFORM set_config('vantage6_events.folding', 'on', true);
    UPDATE vantage6_events.run AS x
    SET log = concat(x.log, joined_lines(lines, right(x.log, 1))) WHERE x.id = put_lines.run_id
    RETURNING octet_length(x.log) INTO size;
    PERFORM set_config('vantage6_events.folding', 'off', true), fire_deferred();
    PERFORM forget_log_failure(run_id);
    RETURN size;
END $$;
COMMENT ON FUNCTION put_lines(integer) IS
    'Puts the next lines of the run after its log; returns how many bytes were written. What '
    'exceeds max_run_log is dropped, and so is what has failed for a week.';

CREATE FUNCTION fold_log(run_id integer, bytes bigint, idle boolean) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp SET enable_seqscan = off
AS $$
DECLARE
    r record;
    state text;
    message text;
BEGIN
    SELECT coalesce(octet_length(x.log), 0) AS size, has_ended(x.status) AS ended INTO r
    FROM vantage6_events.run AS x WHERE x.id = fold_log.run_id;
    IF NOT FOUND THEN
        DELETE FROM log_line AS l WHERE l.run_id = fold_log.run_id;
        PERFORM forget_log_failure(run_id);
    ELSIF idle OR r.ended OR bytes > greatest(4096, r.size / 4) THEN
        RETURN put_lines(run_id);
    END IF;
    RETURN 0;
EXCEPTION
WHEN lock_not_available OR deadlock_detected OR serialization_failure THEN
    RETURN 0; -- next time
WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
    RAISE WARNING 'the log of run % could not be written: %', run_id, message
        USING ERRCODE = state, HINT = 'Its lines wait. The view vantage6_events.set_aside has it.';
    PERFORM note_log_failure(run_id, state || ': ' || message);
    RETURN 0;
END $$;
COMMENT ON FUNCTION fold_log(integer, bigint, boolean) IS
    'Puts lines of the run, which are so many bytes, after its log, if they are due and HQ''s row '
    'is not locked; returns how many bytes were written. If that fails, the run is set aside.';

CREATE FUNCTION fold_logs() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp SET jit = off AS $$
DECLARE
    item record;
    written bigint := 0;
BEGIN
    FOR item IN
        SELECT l.run_id, sum(octet_length(l.line)) AS bytes,
               max(l.at) < clock_timestamp() - interval '5 seconds' AS idle
        FROM log_line AS l
        LEFT JOIN log_failure AS f ON f.run_id = l.run_id
        WHERE f.run_id IS NULL OR f.retry_at < clock_timestamp()
        GROUP BY l.run_id, f.run_id ORDER BY f.run_id IS NOT NULL, min(l.id)
    LOOP
        written := written + fold_log(item.run_id, item.bytes, item.idle);
        EXIT WHEN written > 64 * 1024 * 1024; -- the others' turn comes with the next beat
    END LOOP;
END $$;
COMMENT ON FUNCTION fold_logs() IS
    'Folds lines of all runs that are due, those that have waited longest first; a few MB of each.';

CREATE FUNCTION tidy_set_aside() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    DELETE FROM log_failure AS f WHERE f.run_id IN (
        SELECT g.run_id FROM log_failure AS g
        WHERE g.since < now() - interval '168 hours'
          -- Lines are taken away by who holds HQ's row: see put_lines().
          AND NOT EXISTS (SELECT FROM log_line AS l WHERE l.run_id = g.run_id)
        FOR UPDATE SKIP LOCKED);
    DELETE FROM deferred AS d WHERE d.id IN (
        SELECT e.id FROM deferred AS e
        WHERE e.reason IS NOT NULL AND e.since < now() - interval '168 hours'
        FOR UPDATE SKIP LOCKED)
$$;
COMMENT ON FUNCTION tidy_set_aside() IS 'Forgets what was set aside a week ago.';

CREATE FUNCTION log_written(run_id integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    IF coalesce(current_setting('vantage6_events.folding', true), '') <> 'on' THEN
        DELETE FROM log_line AS l WHERE l.run_id = log_written.run_id;
        PERFORM forget_log_failure(run_id);
    END IF;
END $$;
COMMENT ON FUNCTION log_written(integer) IS
    'HQ has written the log of a run: that is the log now, whatever was still to be put after it.';
