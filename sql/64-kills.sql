-- Kills: each node receives lists of its own runs only, which are never empty: a node takes an
-- empty list as "kill everything".
--
-- Nothing here waits for rows of others, but for kill_task() and kill_node(). These lock HQ's rows
-- of run together, or give them up and try again, so that they are in no deadlock with HQ.

CREATE FUNCTION descendants(task_id integer) RETURNS SETOF integer
    LANGUAGE sql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp
    SET enable_seqscan = off AS $$
    WITH RECURSIVE below AS (
        SELECT c.task_id FROM child_task AS c WHERE c.parent_id = descendants.task_id
        UNION -- not ALL: a circle ends
        SELECT c.task_id FROM below AS b JOIN child_task AS c ON c.parent_id = b.task_id)
    SELECT b.task_id FROM below AS b
$$;
COMMENT ON FUNCTION descendants(integer) IS 'Children of the task, their children and so on.';

CREATE FUNCTION send_kills(runs integer[], tasks integer[], organizations integer[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp
    SET enable_seqscan = off AS $$
DECLARE
    list record;
    n bigint;
BEGIN
    -- Its own keys only: a new instruction, and rows that have the transaction in theirs.
    FOR list IN
        WITH addressed AS (
            SELECT u.*, n.node_id, n.collaboration_id,
                   row_number() OVER (PARTITION BY n.node_id ORDER BY u.run_id) AS number
            FROM (SELECT DISTINCT x.* FROM unnest(runs, tasks, organizations)
                                               AS x (run_id, task_id, organization_id)) AS u
            JOIN vantage6_events.task AS t ON t.id = u.task_id
            JOIN node_at AS n ON n.organization_id = u.organization_id
                                             AND n.collaboration_id = t.collaboration_id
            WHERE NOT EXISTS (SELECT FROM killed_run AS k
                              WHERE k.run_id = u.run_id AND k.node_id = n.node_id))
        SELECT p.node_id, p.collaboration_id, array_agg(p.run_id) AS runs,
               array_agg(p.task_id) AS tasks, array_agg(p.organization_id) AS organizations,
               json_agg(json_build_object('task_id', p.task_id, 'run_id', p.run_id,
                                          'organization_id', p.organization_id)
                        ORDER BY p.run_id) AS items
        FROM addressed AS p GROUP BY p.node_id, p.collaboration_id, (p.number - 1) / 1000
        ORDER BY p.node_id, min(p.run_id)
    LOOP
        n := announce('kill_containers', json_build_object(
            'kill_list', list.items, 'collaboration_id', list.collaboration_id),
            ARRAY['node_' || list.node_id], NULL, true);
        INSERT INTO instruction (id, node_id, namespace, name, collaboration_id, created_at,
                                 expires_at, told_at)
        VALUES (n, list.node_id, '/tasks', 'kill_containers', list.collaboration_id, now(),
                now() + duration('instruction_ttl'), clock_timestamp());
        INSERT INTO killed_run (run_id, node_id, instruction_id, task_id, organization_id)
        SELECT r.run, list.node_id, n, r.task, r.organization
        FROM unnest(list.runs, list.tasks, list.organizations) AS r (run, task, organization)
        ON CONFLICT DO NOTHING;
    END LOOP;
END $$;
COMMENT ON FUNCTION send_kills(integer[], integer[], integer[]) IS
    'Tells the node of each run to kill it, unless it has been told: lists of up to 1000 runs. The '
    'arrays belong together.';

-- HQ's transaction may kill run after run, by one statement or by many. So its runs are only noted,
-- and those of a node go into one list when it commits: by the first of its deferred triggers.
CREATE FUNCTION kill_run(run_id integer, task_id integer, organization_id integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp
    SET enable_seqscan = off AS $$
BEGIN
    IF task_id IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO done_once (deed, task_id)
    VALUES ('killed', kill_run.task_id) ON CONFLICT DO NOTHING;
    -- One that its node has been told of counts for the tasks below, once.
    IF FOUND OR NOT EXISTS (SELECT FROM killed_run AS k WHERE k.run_id = kill_run.run_id) THEN
        INSERT INTO run_to_kill (run_id, task_id, organization_id)
        VALUES (kill_run.run_id, kill_run.task_id, kill_run.organization_id)
        ON CONFLICT DO NOTHING;
        INSERT INTO done_once (deed, task_id) VALUES ('noted', 0) ON CONFLICT DO NOTHING;
    END IF;
END $$;
COMMENT ON FUNCTION kill_run(integer, integer, integer) IS
    'A run was marked as killed: notes that for tell_kills().';

CREATE FUNCTION tell_kills() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp
    SET enable_seqscan = off AS $$
DECLARE
    marked record;
BEGIN
    -- Not asked of the runs: each trigger would look again at those that the first has taken.
    DELETE FROM done_once AS o WHERE o.deed = 'noted' AND o.task_id = 0 AND o.organization_id = 0
                                 AND o.xid = pg_current_xact_id();
    IF NOT FOUND THEN
        RETURN;
    END IF;
    WITH noted AS (
        DELETE FROM run_to_kill AS r WHERE r.xid = pg_current_xact_id() RETURNING r.*
    ), below AS (
        SELECT DISTINCT d.task_id FROM (SELECT DISTINCT n.task_id AS id FROM noted AS n) AS t
        CROSS JOIN LATERAL descendants(t.id) AS d (task_id)
    ), marked AS (
        SELECT n.run_id, n.task_id, n.organization_id FROM noted AS n
        UNION
        SELECT o.run_id, o.task_id, o.organization_id
        FROM below AS b JOIN open_run AS o ON o.task_id = b.task_id AND o.alive
        WHERE NOT EXISTS (SELECT FROM killed_run AS k WHERE k.run_id = o.run_id))
    SELECT array_agg(m.run_id) AS runs, array_agg(m.task_id) AS tasks,
           array_agg(m.organization_id) AS organizations
    INTO marked FROM marked AS m;
    PERFORM send_kills(marked.runs, marked.tasks, marked.organizations);
END $$;
COMMENT ON FUNCTION tell_kills() IS
    'The transaction commits: tells the nodes of the runs that it has marked as killed, and of the '
    'runs of all descendant tasks that have not ended, to kill them. By one list a node, of 1000 '
    'runs at most.';

CREATE FUNCTION spare_run(run_id integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    -- Shared, and not waited for: pushd leaves a list alone that is being changed.
    PERFORM FROM instruction AS i
    WHERE i.id IN (SELECT k.instruction_id FROM killed_run AS k
                   WHERE k.run_id = spare_run.run_id)
    FOR SHARE SKIP LOCKED;
    DELETE FROM run_to_kill AS r
    WHERE r.xid = pg_current_xact_id() AND r.run_id = spare_run.run_id;
    DELETE FROM killed_run AS k WHERE k.run_id = spare_run.run_id;
END $$;
COMMENT ON FUNCTION spare_run(integer) IS
    'A run is not marked as killed any more: it leaves all lists, and may be killed again.';

CREATE FUNCTION kill_reported(node integer, runs integer[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    -- The holder of these rows is sparing the run.
    UPDATE killed_run AS k SET over = true
    FROM (SELECT s.run_id, s.node_id, s.xid FROM killed_run AS s
          WHERE s.run_id = ANY (runs) AND s.node_id = node AND NOT s.over
          ORDER BY s.run_id, s.xid FOR NO KEY UPDATE SKIP LOCKED) AS h
    WHERE (k.run_id, k.node_id, k.xid) = (h.run_id, h.node_id, h.xid);
END $$;
COMMENT ON FUNCTION kill_reported(integer, integer[]) IS
    'A node has said that these runs are over: a list of which nothing is left is not sent again.';

-- Tells first, by one list a node: the triggers of the rows then find that all is told.
CREATE FUNCTION mark_killed(runs integer[]) RETURNS integer
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp SET enable_seqscan = off
    SET lock_timeout = '200ms' -- less than deadlock_timeout
AS $$
DECLARE
    held record;
    tries integer := 0;
BEGIN
    LOOP
        BEGIN
            SELECT array_agg(h.id) AS runs, array_agg(h.task_id) AS tasks,
                   array_agg(h.organization_id) AS organizations
            INTO held FROM (SELECT r.id, r.task_id, r.organization_id FROM vantage6_events.run AS r
                            WHERE r.id = ANY (mark_killed.runs) AND NOT has_ended(r.status)
                            ORDER BY r.id FOR NO KEY UPDATE) AS h;
            EXIT;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN -- our locks are gone
            tries := tries + 1;
            IF tries >= 50 THEN
                RAISE 'somebody is changing a run that is to be killed, and does not commit'
                    USING ERRCODE = 'lock_not_available',
                    DETAIL = 'No run was marked, and no node told.',
                    HINT = 'Do it again when that transaction has ended; pg_locks shows it.';
            END IF;
            PERFORM pg_sleep(0.01 + 0.04 * random()); -- not in step with others
        END;
    END LOOP;
    PERFORM send_kills(held.runs, held.tasks, held.organizations);
    UPDATE vantage6_events.run AS r SET status = 'killed by user',
           finished_at = now_like(r.finished_at)
    WHERE r.id = ANY (held.runs);
    RETURN coalesce(cardinality(held.runs), 0);
END $$;
COMMENT ON FUNCTION mark_killed(integer[]) IS
    'Marks those of the runs that have not ended as killed, and tells their nodes; returns how '
    'many. 55P03 if one is locked for 10 s.';

CREATE FUNCTION kill_task_logic(id integer) RETURNS integer
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, vantage6_events, pg_temp
    SET enable_seqscan = off AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM vantage6_events.task AS t WHERE t.id = kill_task_logic.id) THEN
        RAISE WARNING 'task % does not exist', id;
        RETURN 0;
    END IF;
    RETURN mark_killed(ARRAY(
        SELECT o.run_id FROM open_run AS o
        WHERE o.alive AND (o.task_id = kill_task_logic.id
              OR o.task_id = ANY (ARRAY(SELECT descendants(kill_task_logic.id))))));
END $$;
COMMENT ON FUNCTION kill_task_logic(integer) IS
    'Marks the runs of the task and of all its descendants that have not ended as killed by user, '
    'and tells their nodes to kill them, online or not. Returns how many runs; 0 and a warning if '
    'there is no such task. 55P03 if one of the runs is locked for 10 s.';

CREATE FUNCTION kill_node_logic(id integer) RETURNS integer
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, vantage6_events, pg_temp
    SET enable_seqscan = off AS $$
DECLARE
    home record;
    killed integer;
BEGIN
    SELECT n.organization_id, n.collaboration_id INTO home FROM node_at AS n
    WHERE n.node_id = kill_node_logic.id;
    IF NOT FOUND THEN
        RAISE WARNING 'node % does not exist, or has no collaboration', id;
        RETURN 0;
    END IF;
    killed := mark_killed(ARRAY(
        SELECT o.run_id FROM open_run AS o
        JOIN vantage6_events.task AS t ON t.id = o.task_id
        WHERE o.organization_id = home.organization_id AND o.alive
          AND t.collaboration_id = home.collaboration_id));
    -- Never kept: late, it would kill innocent runs.
    IF EXISTS (SELECT FROM lease AS l
               WHERE l.principal_id = kill_node_logic.id AND l.nsp = '/tasks') THEN
        PERFORM announce('kill_containers', json_build_object(
            'node_id', id, 'collaboration_id', home.collaboration_id), ARRAY['node_' || id]);
    END IF;
    RETURN killed;
END $$;
COMMENT ON FUNCTION kill_node_logic(integer) IS
    'Marks the runs of the node that have not ended as killed by user, and tells it to kill them, '
    'online or not; if it is online, also to kill everything else, once. Returns how many runs; 0 '
    'and a warning if there is no such node. 55P03 if one of the runs is locked for 10 s.';
