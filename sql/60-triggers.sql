-- What changes of HQ's tables announce. attach() puts triggers on them that call these functions
-- with the fields of the row. None scans a table of HQ: tasks are looked up by their key.
--
-- C   room collaboration_<id>
-- CO  room collaboration_<id>_organization_<id>

CREATE FUNCTION announce_run(task_id integer, organization_id integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t record;
    event text;
    args json;
    c text;
    co text;
BEGIN
    SELECT k.id, k.parent_id, k.collaboration_id INTO t FROM vantage6_events.task AS k
    WHERE k.id = announce_run.task_id;
    IF t.collaboration_id IS NULL OR organization_id IS NULL THEN
        RETURN; -- nobody's room
    END IF;
    event := (SELECT CASE a.hq_version WHEN 4 THEN 'new_task' ELSE 'new_task_update' END
              FROM vantage6_events.attachment AS a);
    args := json_build_object('id', t.id, 'parent_id', t.parent_id);
    c := 'collaboration_' || t.collaboration_id;
    co := c || '_organization_' || organization_id;

    -- A node may run twice what it hears twice.
    INSERT INTO vantage6_events.announced_task (task_id, organization_id)
    VALUES (t.id, announce_run.organization_id) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        PERFORM vantage6_events.announce(event, args, ARRAY[co || '/nodes']);
    END IF;
    -- No row tells which run is the last: users hear of each.
    PERFORM vantage6_events.announce(event, args, ARRAY[c || '/users', co || '/users']);
END
$$;
COMMENT ON FUNCTION announce_run(integer, integer) IS
    'A run was inserted: announces its task, to the nodes of its organization once per transaction, '
    'to users with every run. For the agent only; owned by the extension.';

CREATE FUNCTION announce_status(run_id integer, task_id integer, organization_id integer,
                                 status text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t record;
    rooms text[];
BEGIN
    SELECT k.id, k.job_id, k.parent_id, k.collaboration_id INTO t FROM vantage6_events.task AS k
    WHERE k.id = announce_status.task_id;
    IF t.collaboration_id IS NULL THEN
        RETURN;
    END IF;
    rooms := ARRAY['collaboration_' || t.collaboration_id];
    IF organization_id IS NOT NULL THEN
        rooms := rooms || (rooms[1] || '_organization_' || organization_id);
    END IF;
    PERFORM vantage6_events.announce('status_update', json_build_object('run_id', run_id), rooms);
    PERFORM vantage6_events.announce('algorithm_status_change', json_build_object(
        'status', left(status, 1000), -- HQ bounds no text, and a client's queue is bounded
        'run_id', run_id,
        'task_id', t.id,
        'job_id', t.job_id,
        'collaboration_id', t.collaboration_id,
        'node_id', (SELECT min(n.node_id) FROM vantage6_events.node_at AS n
                    WHERE n.organization_id = announce_status.organization_id
                      AND n.collaboration_id = t.collaboration_id),
        'organization_id', organization_id,
        'parent_id', t.parent_id), rooms);
END
$$;
COMMENT ON FUNCTION announce_status(integer, integer, integer, text) IS
    'A run''s status changed: announces status_update and algorithm_status_change to C and CO. '
    'For the agent only; owned by the extension.';

CREATE FUNCTION place_node(node_id integer, organization_id integer,
                                 collaboration_id integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF organization_id IS NULL OR collaboration_id IS NULL THEN
        DELETE FROM vantage6_events.node_at AS n WHERE n.node_id = place_node.node_id;
    ELSE
        INSERT INTO vantage6_events.node_at AS n (node_id, organization_id, collaboration_id)
        VALUES (place_node.node_id, place_node.organization_id, place_node.collaboration_id)
        ON CONFLICT ON CONSTRAINT node_at_pkey DO UPDATE
        SET organization_id = excluded.organization_id, collaboration_id = excluded.collaboration_id
        WHERE (n.organization_id, n.collaboration_id)
              <> (excluded.organization_id, excluded.collaboration_id);
    END IF;
END
$$;
COMMENT ON FUNCTION place_node(integer, integer, integer) IS
    'A node was inserted, moved, or deleted (then with NULL, NULL): keeps node_at. For the agent only; '
    'owned by the extension.';

CREATE FUNCTION displace_nodes() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM vantage6_events.node_at;
END
$$;
COMMENT ON FUNCTION displace_nodes() IS
    'HQ''s node table was emptied: so is node_at. For the agent only; owned by the extension.';

CREATE FUNCTION trigger_template()
    RETURNS TABLE (name text, on_table text, timing text, condition text, call text)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    VALUES
    ('on_run_inserted', 'run', 'AFTER INSERT', '',
     'announce_run(NEW.task_id, NEW.organization_id)'),
    ('on_run_status', 'run', 'AFTER UPDATE', 'WHEN (OLD.status IS DISTINCT FROM NEW.status)',
     'announce_status(NEW.id, NEW.task_id, NEW.organization_id, NEW.status)'),
    ('on_node_moved', 'node', 'AFTER INSERT OR UPDATE', '',
     'place_node(NEW.id, NEW.organization_id, NEW.collaboration_id)'),
    ('on_node_deleted', 'node', 'AFTER DELETE', '', 'place_node(OLD.id, NULL, NULL)'),
    ('on_nodes_truncated', 'node', 'AFTER TRUNCATE', '', 'displace_nodes()')
$$;
COMMENT ON FUNCTION trigger_template() IS
    'The trigger functions that attach() makes, and where it puts them as triggers '
    'vantage6_events_<name>. Owned by the extension.';
