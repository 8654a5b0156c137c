-- HQ's tasks and runs as triggers note them, and tasks that wait for others.
--
-- A dependent is announced by the transaction that finishes the last run it waits for. Two that do
-- so at the same time do not see each other. Neither may wait for the other while it may still want
-- HQ's rows. So they look when they commit (triggers that are DEFERRED), one after the other under
-- an advisory lock: the second sees the first. Who adds a run to a dependent commits under it too.

CREATE FUNCTION has_ended(status text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN -- not sql: with its SET it would cost four times as much
    RETURN coalesce(status, '') IN (
        'completed', 'failed', 'start failed', 'non-existing Docker image', 'crashed',
        'killed by user', 'not allowed', 'unknown error', 'dataframe not found',
        'depended on failed task', 'unexpected output');
END $$;
COMMENT ON FUNCTION has_ended(text) IS 'Whether a run has ended: as HQ''s has_finished().';

CREATE FUNCTION note_run(run_id integer, task_id integer, organization_id integer, status text,
                         finished boolean) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    is_alive boolean := NOT has_ended(status);
BEGIN
    IF task_id IS NULL OR finished AND NOT is_alive THEN
        DELETE FROM open_run AS o WHERE o.run_id = note_run.run_id;
    ELSE
        INSERT INTO open_run AS o (run_id, task_id, organization_id, unfinished, alive)
        VALUES (note_run.run_id, note_run.task_id, note_run.organization_id, NOT finished, is_alive)
        ON CONFLICT ON CONSTRAINT open_run_pkey DO UPDATE
        SET (task_id, organization_id, unfinished, alive)
            = (excluded.task_id, excluded.organization_id, excluded.unfinished, excluded.alive)
        WHERE (o.task_id, o.organization_id, o.unfinished, o.alive) IS DISTINCT FROM
              (excluded.task_id, excluded.organization_id, excluded.unfinished, excluded.alive);
    END IF;
END $$;
COMMENT ON FUNCTION note_run(integer, integer, integer, text, boolean) IS
    'A run was inserted or changed: keeps open_run.';

CREATE FUNCTION forget_run(run_id integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    DELETE FROM open_run AS o WHERE o.run_id = forget_run.run_id;
    DELETE FROM log_line AS l WHERE l.run_id = forget_run.run_id;
END $$;
COMMENT ON FUNCTION forget_run(integer) IS 'A run was deleted: keeps open_run and log_line.';

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

-- At most half a second, less than deadlock_timeout: HQ's commit must not fail for our sake.
CREATE FUNCTION queue_finishers() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp
    SET lock_timeout = '500ms' AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(lock_space() + 2, 0);
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
    RAISE WARNING 'advisory lock (%, 0) is held for long', lock_space() + 2
        USING DETAIL = 'Two transactions that finish the last runs of a task at the same moment '
            'may both miss that the tasks which depend on it are ready.';
END $$;
COMMENT ON FUNCTION queue_finishers() IS
    'Called at the end of a transaction: one after the other, but waits 0.5 s at most.';

CREATE FUNCTION announce_ready(finished_task integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp
    SET enable_seqscan = off AS $$
DECLARE
    dependents integer[] := ARRAY(SELECT DISTINCT d.task_id FROM dependency AS d
                                  WHERE d.depends_on_id = finished_task);
    t record;
    args json;
    c text;
BEGIN
    IF cardinality(dependents) = 0 THEN
        RETURN;
    END IF;
    PERFORM queue_finishers();
    FOR t IN -- a statement after the lock: it sees what was committed meanwhile
        SELECT k.id, k.parent_id, k.collaboration_id,
               ARRAY(SELECT DISTINCT o.organization_id FROM open_run AS o
                     WHERE o.task_id = k.id AND o.unfinished AND o.organization_id IS NOT NULL
                     ORDER BY o.organization_id) AS organizations
        FROM vantage6_events.task AS k
        WHERE k.id = ANY (dependents) AND k.collaboration_id IS NOT NULL
          -- Asked first: an insert would wait for one that deletes the row.
          AND NOT EXISTS (SELECT FROM ready_task AS r WHERE r.task_id = k.id)
          AND NOT EXISTS (SELECT FROM dependency AS d
                          JOIN open_run AS o ON o.task_id = d.depends_on_id
                          WHERE d.task_id = k.id AND o.unfinished)
        ORDER BY k.id
    LOOP
        CONTINUE WHEN cardinality(t.organizations) = 0; -- there is nothing to run
        INSERT INTO ready_task (task_id) VALUES (t.id) ON CONFLICT DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        args := json_build_object('id', t.id, 'parent_id', t.parent_id);
        c := 'collaboration_' || t.collaboration_id;
        -- 49 organizations at a time: an event has 100 rooms at most. No client is in two parts.
        FOR n IN 0 .. (cardinality(t.organizations) - 1) / 49 LOOP
            PERFORM announce('new_task_update', args,
                CASE n WHEN 0 THEN ARRAY[c || '/users'] ELSE '{}' END || ARRAY(
                    SELECT c || '_organization_' || o || side
                    FROM unnest(t.organizations[n * 49 + 1 : n * 49 + 49]) AS o,
                         unnest(ARRAY['/nodes', '/users']) AS side));
        END LOOP;
    END LOOP;
END $$;
COMMENT ON FUNCTION announce_ready(integer) IS
    'A run of the task has finished, and the transaction commits: announces, once for ever, to '
    'nodes and users each dependent that has nothing left to wait for and has unfinished runs.';

CREATE FUNCTION join_finishers(task_id integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM dependency AS d WHERE d.task_id = join_finishers.task_id) THEN
        PERFORM queue_finishers();
    END IF;
END $$;
COMMENT ON FUNCTION join_finishers(integer) IS
    'A run was inserted, and the transaction commits: if its task waits for others, either who '
    'finishes them sees the run, or the receiver of the run finds them finished.';

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
    DELETE FROM relayed AS r WHERE r.run_id IN (
        SELECT s.run_id FROM relayed AS s
        WHERE NOT EXISTS (SELECT FROM open_run AS o WHERE o.run_id = s.run_id)
        ORDER BY s.run_id LIMIT 1000 FOR UPDATE SKIP LOCKED)
$$;
COMMENT ON FUNCTION tidy_tasks() IS
    'Forgets what ended transactions did once, and what nodes said of runs that are over.';
