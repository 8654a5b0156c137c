-- HQ's tasks and runs as triggers note them, and tasks that wait for others.
--
-- A dependent is announced by the transaction that finishes the last run it waits for. Two that do
-- so at the same time do not see each other. So they look when they commit (triggers that are
-- DEFERRED), one after the other, each with its turn: the second sees the first. Who adds a run to
-- a dependent commits with its turn too.
--
-- turn       an advisory lock, one for all dependents with the same remainder: a transaction may
--            have thousands. It is asked for again and again, for a tenth of a second, and never
--            waited for: its holder may wait for a row that we hold, or for a standby
-- undecided  a dependent whose turn did not come, or whose finisher sees only what was committed
--            before it began (REPEATABLE READ). beat() looks at it, until it has its turn

-- It names its operator's schema, and sets no search_path: so it becomes part of what calls it. Two
-- arrays: one of more than eight would be hashed first, by each transaction.
CREATE FUNCTION has_ended(status text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(status OPERATOR(pg_catalog.=) ANY (ARRAY[
               'completed', 'failed', 'start failed', 'non-existing Docker image', 'crashed'])
           OR status OPERATOR(pg_catalog.=) ANY (ARRAY[
               'killed by user', 'not allowed', 'unknown error', 'dataframe not found',
               'depended on failed task', 'unexpected output']), false)
$$;
COMMENT ON FUNCTION has_ended(text) IS 'Whether a run has ended: as HQ''s has_finished().';

CREATE FUNCTION note_run(was_of integer, run_id integer, task_id integer, organization_id integer,
                         status text, finished boolean) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    is_alive boolean := NOT has_ended(status);
    is_open boolean := task_id IS NOT NULL AND (is_alive OR NOT finished);
BEGIN
    IF NOT is_open OR was_of IS DISTINCT FROM task_id THEN
        DELETE FROM open_run AS o WHERE o.task_id = was_of AND o.run_id = note_run.run_id;
    END IF;
    IF is_open THEN
        INSERT INTO open_run (run_id, task_id, organization_id, unfinished, alive)
        VALUES (note_run.run_id, note_run.task_id, note_run.organization_id, NOT finished, is_alive)
        ON CONFLICT ON CONSTRAINT open_run_pkey DO UPDATE
        SET (organization_id, unfinished, alive)
            = (excluded.organization_id, excluded.unfinished, excluded.alive);
    END IF;
END $$;
COMMENT ON FUNCTION note_run(integer, integer, integer, integer, text, boolean) IS
    'A run, which was of a task, was changed: keeps open_run.';

CREATE FUNCTION forget_run(run_id integer, task_id integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    DELETE FROM open_run AS o
    WHERE o.task_id = forget_run.task_id AND o.run_id = forget_run.run_id;
    DELETE FROM log_line AS l WHERE l.run_id = forget_run.run_id;
    PERFORM forget_log_failure(run_id);
END $$;
COMMENT ON FUNCTION forget_run(integer, integer) IS
    'A run was deleted: keeps open_run, log_line and log_failure.';

-- A kill outlives its run, but not the use of its id for another.
CREATE FUNCTION forget_id(run_id integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp
    SET enable_seqscan = off AS $$
BEGIN
    PERFORM spare_run(run_id);
    PERFORM forget_relayed(run_id);
    DELETE FROM log_line AS l WHERE l.id IN (
        SELECT m.id FROM log_line AS m WHERE m.run_id = forget_id.run_id
        ORDER BY m.id FOR UPDATE SKIP LOCKED);
    PERFORM forget_log_failure(run_id);
    DELETE FROM open_run AS o WHERE o.run_id = forget_id.run_id;
END $$;
COMMENT ON FUNCTION forget_id(integer) IS
    'A run was inserted: whatever was noted of an earlier one with its id is not of this one.';

CREATE FUNCTION note_new_run(run_id integer, task_id integer, organization_id integer, status text,
                             finished boolean) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp
    SET enable_seqscan = off AS $$
DECLARE
    left_over boolean;
BEGIN
    SELECT EXISTS (SELECT FROM open_run AS o WHERE o.task_id = note_new_run.task_id
                                               AND o.run_id = note_new_run.run_id)
           OR EXISTS (SELECT FROM killed_run AS k WHERE k.run_id = note_new_run.run_id)
           OR EXISTS (SELECT FROM run_to_kill AS t WHERE t.xid = pg_current_xact_id()
                                                     AND t.run_id = note_new_run.run_id)
           OR EXISTS (SELECT FROM relayed AS r WHERE r.run_id = note_new_run.run_id)
           OR EXISTS (SELECT FROM log_line AS l WHERE l.run_id = note_new_run.run_id)
           OR EXISTS (SELECT FROM log_failure AS f WHERE f.run_id = note_new_run.run_id)
    INTO left_over;
    IF left_over THEN
        PERFORM forget_id(run_id);
    END IF;
    INSERT INTO open_run (run_id, task_id, organization_id, unfinished, alive)
    SELECT note_new_run.run_id, note_new_run.task_id, note_new_run.organization_id, NOT finished,
           n.alive
    FROM (SELECT NOT has_ended(note_new_run.status) AS alive) AS n
    WHERE note_new_run.task_id IS NOT NULL AND (n.alive OR NOT finished);
END $$;
COMMENT ON FUNCTION note_new_run(integer, integer, integer, text, boolean) IS
    'A run was inserted: keeps open_run, and forgets what was noted of an earlier one with its id.';

CREATE FUNCTION note_task(task_id integer, parent_id integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    IF parent_id IS NULL THEN
        DELETE FROM child_task AS c WHERE c.task_id = note_task.task_id;
    ELSE
        INSERT INTO child_task AS c (task_id, parent_id)
        VALUES (note_task.task_id, note_task.parent_id)
        ON CONFLICT ON CONSTRAINT child_task_pkey DO UPDATE SET parent_id = excluded.parent_id;
    END IF;
END $$;
COMMENT ON FUNCTION note_task(integer, integer) IS
    'A task has this parent now; NULL: none, or it was deleted. Keeps child_task.';

CREATE FUNCTION note_dependency(task_id integer, depends_on_id integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    IF task_id IS NOT NULL AND depends_on_id IS NOT NULL THEN
        -- Another task had its id: it has begun to wait just now.
        DELETE FROM ready_task AS r WHERE r.task_id IN (
            SELECT s.task_id FROM ready_task AS s
            WHERE s.task_id = note_dependency.task_id
              AND NOT EXISTS (SELECT FROM dependency AS d WHERE d.task_id = s.task_id)
            FOR UPDATE SKIP LOCKED);
        INSERT INTO dependency (task_id, depends_on_id)
        VALUES (note_dependency.task_id, note_dependency.depends_on_id);
    END IF;
END $$;
COMMENT ON FUNCTION note_dependency(integer, integer) IS
    'A task waits for another: keeps dependency.';

CREATE FUNCTION forget_dependency(task_id integer, depends_on_id integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    -- Of rows that are alike, one that no other transaction is taking away.
    DELETE FROM dependency AS d WHERE d.ctid = (
        SELECT e.ctid FROM dependency AS e
        WHERE e.task_id = forget_dependency.task_id
          AND e.depends_on_id = forget_dependency.depends_on_id
        LIMIT 1 FOR UPDATE SKIP LOCKED);
    DELETE FROM ready_task AS r WHERE r.task_id IN (
        SELECT s.task_id FROM ready_task AS s
        WHERE s.task_id = forget_dependency.task_id
          AND NOT EXISTS (SELECT FROM dependency AS d WHERE d.task_id = s.task_id)
        FOR UPDATE SKIP LOCKED);
END $$;
COMMENT ON FUNCTION forget_dependency(integer, integer) IS
    'A task waits for another no more: keeps dependency.';

CREATE FUNCTION takes_turn(task_id integer) RETURNS boolean
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, vantage6_events, pg_temp
AS $$ SELECT pg_try_advisory_xact_lock(lock_space() + 2, abs(task_id % 64)) $$;
COMMENT ON FUNCTION takes_turn(integer) IS
    'Whether the transaction has the turn of this dependent now; it then has it until it ends.';

CREATE FUNCTION queue_finishers(dependents integer[], organization_id integer DEFAULT 0)
    RETURNS integer[]
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    until timestamptz := clock_timestamp() + interval '100 ms'; -- for all of them
    ours integer[] := '{}';
BEGIN
    FOR n IN 1 .. cardinality(dependents) LOOP
        LOOP
            IF takes_turn(dependents[n]) THEN
                ours := ours || dependents[n];
                EXIT;
            END IF;
            EXIT WHEN clock_timestamp() >= until;
            PERFORM pg_sleep(0.002);
        END LOOP;
    END LOOP;
    INSERT INTO undecided_task (task_id, organization_id)
    SELECT d, queue_finishers.organization_id FROM unnest(dependents) AS d
    WHERE d <> ALL (ours) ON CONFLICT DO NOTHING;
    RETURN ours;
END $$;
COMMENT ON FUNCTION queue_finishers(integer[], integer) IS
    'Called at the end of a transaction: returns those of the dependents whose turn came within '
    '0.1 s, and leaves the others to beat().';

CREATE FUNCTION announce_dependent(task_id integer, parent_id integer, collaboration_id integer,
                                   organizations integer[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    args json := json_build_object('id', task_id, 'parent_id', parent_id);
    c text := 'collaboration_' || collaboration_id;
BEGIN
    -- 49 organizations at a time: an event has 100 rooms at most. No client is in two parts.
    FOR n IN 0 .. (cardinality(organizations) - 1) / 49 LOOP
        PERFORM announce('new_task_update', args,
            CASE n WHEN 0 THEN ARRAY[c || '/users'] ELSE '{}' END || ARRAY(
                SELECT c || '_organization_' || o || side
                FROM unnest(organizations[n * 49 + 1 : n * 49 + 49]) AS o,
                     unnest(ARRAY['/nodes', '/users']) AS side));
    END LOOP;
END $$;
COMMENT ON FUNCTION announce_dependent(integer, integer, integer, integer[]) IS
    'Announces a dependent that waits for nothing any more to these organizations.';

CREATE FUNCTION waits(task_id integer) RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp
    SET enable_seqscan = off AS $$
BEGIN
    RETURN EXISTS (SELECT FROM dependency AS d JOIN open_run AS o ON o.task_id = d.depends_on_id
                   WHERE d.task_id = waits.task_id AND o.unfinished);
END $$;
COMMENT ON FUNCTION waits(integer) IS 'Whether a run that the task waits for has not finished.';

CREATE FUNCTION announce_dependents(dependents integer[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp
    SET enable_seqscan = off AS $$
DECLARE
    t record;
BEGIN
    FOR t IN -- a statement after the turn came: it sees what was committed meanwhile
        SELECT k.id, k.parent_id, k.collaboration_id,
               ARRAY(SELECT DISTINCT o.organization_id FROM open_run AS o
                     WHERE o.task_id = k.id AND o.unfinished AND o.organization_id IS NOT NULL
                     ORDER BY o.organization_id) AS organizations
        FROM vantage6_events.task AS k
        WHERE k.id = ANY (dependents) AND k.collaboration_id IS NOT NULL
          -- Asked first: an insert would wait for one that deletes the row.
          AND NOT EXISTS (SELECT FROM ready_task AS r WHERE r.task_id = k.id)
          AND NOT waits(k.id)
        ORDER BY k.id
    LOOP
        CONTINUE WHEN cardinality(t.organizations) = 0; -- there is nothing to run
        INSERT INTO ready_task (task_id) VALUES (t.id) ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        PERFORM announce_dependent(t.id, t.parent_id, t.collaboration_id, t.organizations);
    END LOOP;
END $$;
COMMENT ON FUNCTION announce_dependents(integer[]) IS
    'Announces, once for ever, to nodes and users each of the dependents that has nothing left to '
    'wait for and has unfinished runs. Their turn must have come.';

CREATE FUNCTION announce_ready(finished_task integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp
    SET enable_seqscan = off AS $$
DECLARE
    dependents integer[] := ARRAY(SELECT DISTINCT d.task_id FROM dependency AS d
                                  WHERE d.depends_on_id = finished_task);
BEGIN
    IF current_setting('transaction_isolation') IN ('read committed', 'read uncommitted') THEN
        PERFORM announce_dependents(queue_finishers(dependents));
    ELSE
        INSERT INTO undecided_task (task_id) SELECT unnest(dependents) ON CONFLICT DO NOTHING;
    END IF;
END $$;
COMMENT ON FUNCTION announce_ready(integer) IS
    'A run of a task that others wait for has finished, and the transaction commits: announces '
    'each dependent that has nothing left to wait for, or leaves it to beat().';

CREATE FUNCTION join_finishers(task_id integer, organization_id integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    IF organization_id IS NOT NULL THEN
        PERFORM queue_finishers(ARRAY[task_id], organization_id);
    END IF;
END $$;
COMMENT ON FUNCTION join_finishers(integer, integer) IS
    'A run of a task that waits for others was inserted, and the transaction commits: either who '
    'finishes them sees the run, or the receiver of the run finds them finished, or beat() looks.';

-- A run that was added while somebody else announced the task. Its node may have found that the
-- task still waits, or has begun the run by now: then it would run it twice.
CREATE FUNCTION announce_joined(dependent integer, joined integer[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp
    SET enable_seqscan = off AS $$
DECLARE
    organizations integer[] := ARRAY(
        SELECT DISTINCT o.organization_id FROM open_run AS o
        JOIN vantage6_events.run AS r ON r.id = o.run_id
        WHERE o.task_id = dependent AND o.organization_id = ANY (joined) AND o.unfinished
          AND r.status = 'pending' ORDER BY 1);
BEGIN
    IF cardinality(organizations) > 0 AND NOT waits(dependent) THEN
        PERFORM announce_dependent(t.id, t.parent_id, t.collaboration_id, organizations)
        FROM vantage6_events.task AS t WHERE t.id = dependent AND t.collaboration_id IS NOT NULL;
    END IF;
END $$;
COMMENT ON FUNCTION announce_joined(integer, integer[]) IS
    'Announces a dependent that was announced before to those of the organizations that have a run '
    'which is still pending.';

-- Its rows go before anybody looks: who commits later leaves another, or looks after us.
CREATE FUNCTION decide_tasks() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    task integer;
    joined integer[];
BEGIN
    FOR task IN SELECT DISTINCT u.task_id FROM undecided_task AS u ORDER BY 1 LIMIT 1000 LOOP
        CONTINUE WHEN NOT takes_turn(task);
        WITH gone AS (DELETE FROM undecided_task AS u WHERE u.task_id = task
                      RETURNING u.organization_id)
        SELECT array_agg(g.organization_id) INTO joined FROM gone AS g;
        IF EXISTS (SELECT FROM ready_task AS r WHERE r.task_id = task) THEN
            PERFORM announce_joined(task, joined);
        ELSE
            PERFORM announce_dependents(ARRAY[task]);
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION decide_tasks() IS
    'Announces those undecided dependents that have nothing left to wait for; those whose turn '
    'does not come are looked at next time.';

CREATE FUNCTION refill_tasks() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    PERFORM empty_tables('open_run', 'child_task', 'dependency', 'unwanted_dataframe');
    INSERT INTO open_run (run_id, task_id, organization_id, unfinished, alive)
    SELECT r.id, r.task_id, r.organization_id, r.finished_at IS NULL, s.alive
    FROM vantage6_events.run AS r
    JOIN (SELECT d.status, NOT has_ended(d.status) AS alive -- asked once of each status
          FROM (SELECT DISTINCT coalesce(x.status, '') AS status
                FROM vantage6_events.run AS x) AS d) AS s
        ON s.status = coalesce(r.status, '')
    WHERE r.task_id IS NOT NULL AND (r.finished_at IS NULL OR s.alive);
    INSERT INTO child_task (task_id, parent_id)
    SELECT t.id, t.parent_id FROM vantage6_events.task AS t WHERE t.parent_id IS NOT NULL;
    INSERT INTO dependency (task_id, depends_on_id)
    SELECT d.task_id, d.depends_on_id FROM vantage6_events.task_dependency AS d
    WHERE d.task_id IS NOT NULL AND d.depends_on_id IS NOT NULL;
    INSERT INTO unwanted_dataframe (id, node_id, df_name, session_id, created_at, told_at)
    SELECT d.id, d.node_id, d.df_name, d.session_id, now(), now()
    FROM vantage6_events.dataframe_deletion AS d
    WHERE d.node_id IS NOT NULL AND d.df_name IS NOT NULL;
END $$;
COMMENT ON FUNCTION refill_tasks() IS
    'Reads from HQ''s tables what triggers note of tasks, runs, dependencies and dataframes.';

CREATE FUNCTION tidy_tasks() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    DELETE FROM done_once AS o WHERE o.xid < pg_snapshot_xmin(pg_current_snapshot());
    DELETE FROM run_to_kill AS r WHERE r.xid < pg_snapshot_xmin(pg_current_snapshot());
    DELETE FROM relayed AS r WHERE r.run_id IN (
        SELECT s.run_id FROM relayed AS s
        WHERE NOT EXISTS (SELECT FROM open_run AS o WHERE o.run_id = s.run_id)
        ORDER BY s.run_id LIMIT 1000 FOR UPDATE SKIP LOCKED)
$$;
COMMENT ON FUNCTION tidy_tasks() IS
    'Forgets what ended transactions did once or left, and what nodes said of runs that are over.';
