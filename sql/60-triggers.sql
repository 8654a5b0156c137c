-- What changes of HQ's tables announce. attach() puts triggers on them that call these functions
-- with the fields of the row. None scans a table of HQ: tasks are looked up by their key.
--
-- C   room collaboration_<id>
-- CO  room collaboration_<id>_organization_<id>

-- One statement each: what PL/pgSQL evaluates by itself is prepared anew in each transaction.
CREATE FUNCTION announce_run(event text, task_id integer, organization_id integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    told bigint;
BEGIN
    -- A node may run twice what it receives twice. No row tells which run is the last: users
    -- receive each.
    WITH first AS (
        INSERT INTO done_once (deed, task_id, organization_id)
        SELECT 'announced', announce_run.task_id, announce_run.organization_id
        WHERE announce_run.task_id IS NOT NULL AND announce_run.organization_id IS NOT NULL
        ON CONFLICT DO NOTHING RETURNING true)
    SELECT announce(
        event, json_build_object('id', t.id, 'parent_id', t.parent_id),
        CASE WHEN EXISTS (SELECT FROM first) THEN ARRAY[t.co || '/nodes'] ELSE '{}' END
        || ARRAY[t.c || '/users', t.co || '/users'])
    INTO told
    FROM (SELECT k.id, k.parent_id, 'collaboration_' || k.collaboration_id AS c,
                 'collaboration_' || k.collaboration_id || '_organization_'
                 || announce_run.organization_id AS co
          FROM vantage6_events.task AS k WHERE k.id = announce_run.task_id) AS t
    WHERE t.co IS NOT NULL; -- else there is no room
END $$;
COMMENT ON FUNCTION announce_run(text, integer, integer) IS
    'A run was inserted: announces its task by an event of this name, to the nodes of its '
    'organization once per transaction, to users with every run.';

-- A text, for the trigger and for announce_status(): a call of a function that sets its search_path
-- costs HQ a quarter of what a change of a status does.
CREATE FUNCTION status_told(run_id text, task_id text, organization_id text, status text,
                            by_row boolean) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    -- HQ bounds no text, and a client's queue is bounded.
    SELECT format($told$vantage6_events.announce(
        CASE WHEN %5$s THEN 'status_update' END, json_build_object('run_id', %1$s),
        'algorithm_status_change', json_build_object(
            'status', left(%4$s, 1000),
            'run_id', %1$s,
            'task_id', t.id,
            'job_id', t.job_id,
            'collaboration_id', t.collaboration_id,
            'node_id', (SELECT min(n.node_id) FROM vantage6_events.node_at AS n
                        WHERE n.organization_id = %3$s
                          AND n.collaboration_id = t.collaboration_id),
            'organization_id', %3$s,
            'parent_id', t.parent_id),
        array_remove(ARRAY[t.c, t.c || '_organization_' || %3$s], NULL))
    FROM (SELECT k.*, 'collaboration_' || k.collaboration_id AS c
          FROM vantage6_events.task AS k WHERE k.id = %2$s) AS t
    WHERE t.collaboration_id IS NOT NULL$told$,
        run_id, task_id, organization_id, status, by_row::text)
$$;
COMMENT ON FUNCTION status_told(text, text, text, text, boolean) IS
    'The rest of a SELECT that announces the status of a run, of which expressions are given: '
    'status_update and algorithm_status_change to C and CO; unless by_row, only the latter.';

DO $$
BEGIN
    EXECUTE format(
        'CREATE FUNCTION announce_status(run_id integer, task_id integer, organization_id integer,'
        ' status text) RETURNS void'
        ' LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS %L',
        format('BEGIN PERFORM %s; END', status_told('$1', '$2', '$3', '$4', false)));
END $$;
COMMENT ON FUNCTION announce_status(integer, integer, integer, text) IS
    'A node has said the status of its run, before HQ''s row has it: algorithm_status_change.';

CREATE FUNCTION forget_relayed(run_id integer) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    DELETE FROM relayed AS r WHERE r.run_id IN (
        SELECT s.run_id FROM relayed AS s WHERE s.run_id = forget_relayed.run_id
        FOR UPDATE SKIP LOCKED)
$$;
COMMENT ON FUNCTION forget_relayed(integer) IS
    'A run''s status changed, or its id is another''s: what its node says from now on is news. If '
    'the row is locked, it is being said just now.';

CREATE FUNCTION note_node(node_id integer, organization_id integer, collaboration_id integer)
    RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    IF organization_id IS NULL OR collaboration_id IS NULL THEN
        DELETE FROM node_at AS n WHERE n.node_id = note_node.node_id;
    ELSE
        INSERT INTO node_at AS n (node_id, organization_id, collaboration_id)
        VALUES (note_node.node_id, note_node.organization_id, note_node.collaboration_id)
        ON CONFLICT ON CONSTRAINT node_at_pkey DO UPDATE
        SET organization_id = excluded.organization_id, collaboration_id = excluded.collaboration_id
        WHERE (n.organization_id, n.collaboration_id)
              <> (excluded.organization_id, excluded.collaboration_id);
    END IF;
END $$;
COMMENT ON FUNCTION note_node(integer, integer, integer) IS
    'A node was inserted, moved, or deleted (then with NULL, NULL): keeps node_at.';

CREATE FUNCTION empty_tables(VARIADIC names name[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    name name;
BEGIN
    FOREACH name IN ARRAY names LOOP
        EXECUTE format('DELETE FROM %I', name);
    END LOOP;
END $$;
COMMENT ON FUNCTION empty_tables(name[]) IS
    'Empties tables: HQ''s TRUNCATE has emptied their source, or another HQ has other ids.';

CREATE FUNCTION differs(VARIADIC columns name[]) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(format('OLD.%1$I IS DISTINCT FROM NEW.%1$I', c), ' OR ')
        FROM unnest(columns) AS c
$$;
COMMENT ON FUNCTION differs(name[]) IS
    'The condition of a trigger on UPDATE for which one of the columns changes.';

CREATE FUNCTION finishes() RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL'
$$;
COMMENT ON FUNCTION finishes() IS 'The condition for which a run finishes.';

CREATE FUNCTION is_noted() RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    SELECT differs('task_id', 'organization_id')
           || ' OR (OLD.finished_at IS NULL) <> (NEW.finished_at IS NULL)'
$$;
COMMENT ON FUNCTION is_noted() IS
    'The condition for which what open_run has of a run changes, but for its status.';

-- after  what: all triggers are AFTER triggers
-- fires  for each ROW, for each row when the transaction COMMITs, for each STATEMENT, or the same
--        with the ROWS of it at hand: "changed" as they are now (of a DELETE: were), "was" as they
--        were before an UPDATE
-- condition  is read anew by each statement of HQ: few triggers with short ones cost least
-- call   a function of the extension, or statements
CREATE FUNCTION trigger_template(version integer)
    RETURNS TABLE (name text, on_table text, after text, fires text, condition text, call text)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    SELECT t.name, t.on_table, t.after, t.fires, t.condition, t.call FROM (VALUES
    ('on_run_inserted', 0, 'run', 'INSERT', 'ROW', '', format(
     'PERFORM vantage6_events.announce_run(%L, NEW.task_id, NEW.organization_id);'
     ' PERFORM vantage6_events.note_new_run(NEW.id, NEW.task_id, NEW.organization_id, NEW.status,'
     ' NEW.finished_at IS NOT NULL);', CASE version WHEN 4 THEN 'new_task'
                                       ELSE 'new_task_update' END)),
    ('on_run_joins', 5, 'run', 'INSERT', 'COMMIT', 'NEW.finished_at IS NULL',
     'IF EXISTS (SELECT FROM vantage6_events.dependency AS d WHERE d.task_id = NEW.task_id) THEN'
     ' PERFORM vantage6_events.join_finishers(NEW.task_id, NEW.organization_id); END IF;'),
    -- Every change comes to it. To read a condition of this length costs twice as much as the call.
    ('on_run_changed', 0, 'run', 'UPDATE', 'ROW', '',
     'DECLARE was_relayed boolean; told bigint; BEGIN'
     ' IF ' || is_noted() || ' OR vantage6_events.has_ended(OLD.status)'
     ' <> vantage6_events.has_ended(NEW.status) THEN PERFORM vantage6_events.note_run('
     'OLD.task_id, NEW.id, NEW.task_id, NEW.organization_id, NEW.status,'
     ' NEW.finished_at IS NOT NULL); END IF;'
     ' IF ' || differs('status') || ' THEN'
     ' IF ''killed by user'' IN (OLD.status, NEW.status) THEN'
     ' IF NEW.status = ''killed by user'' THEN'
     ' PERFORM vantage6_events.kill_run(NEW.id, NEW.task_id, NEW.organization_id);'
     ' ELSE PERFORM vantage6_events.spare_run(NEW.id); END IF; END IF;'
     ' SELECT EXISTS (SELECT FROM vantage6_events.relayed AS r WHERE r.run_id = NEW.id), '
     || status_told('NEW.id', 'NEW.task_id', 'NEW.organization_id', 'NEW.status', true)
     || ' INTO was_relayed, told;'
     ' IF was_relayed THEN PERFORM vantage6_events.forget_relayed(NEW.id); END IF;'
     ' END IF; END;'),
    -- Its name comes after that of on_run_changed, and so does it if HQ sets constraints IMMEDIATE.
    ('on_run_finished', 0, 'run', 'UPDATE', 'COMMIT',
     concat_ws(' OR ', 'NEW.status = ''killed by user''',
               CASE version WHEN 5 THEN finishes() END),
     concat_ws(' ', CASE version WHEN 5 THEN
         'IF ' || finishes() || ' AND EXISTS (SELECT FROM vantage6_events.dependency AS d'
         ' WHERE d.depends_on_id = NEW.task_id)'
         ' THEN PERFORM vantage6_events.announce_ready(NEW.task_id); END IF;' END,
         'IF NEW.status = ''killed by user'' AND (' || differs('status') || ')'
         ' THEN PERFORM vantage6_events.tell_kills(); END IF;')),
    ('on_run_logged', 0, 'run', 'UPDATE OF log', 'ROW', differs('log'), 'log_written(NEW.id)'),
    ('on_run_deleted', 0, 'run', 'DELETE', 'ROW', '', 'forget_run(OLD.id, OLD.task_id)'),
    ('on_runs_truncated', 0, 'run', 'TRUNCATE', 'STATEMENT', '',
     'empty_tables(''open_run'', ''log_line'', ''log_failure'', ''relayed'', ''killed_run'','
     ' ''run_to_kill'')'),
    ('on_task_inserted', 0, 'task', 'INSERT', 'ROW', 'NEW.parent_id IS NOT NULL',
     'note_task(NEW.id, NEW.parent_id)'),
    ('on_task_moved', 0, 'task', 'UPDATE', 'ROW', differs('parent_id'),
     'note_task(NEW.id, NEW.parent_id)'),
    ('on_task_deleted', 0, 'task', 'DELETE', 'ROW', 'OLD.parent_id IS NOT NULL',
     'note_task(OLD.id, NULL)'),
    ('on_tasks_truncated', 0, 'task', 'TRUNCATE', 'STATEMENT', '', 'empty_tables(''child_task'')'),
    ('on_dependency_inserted', 5, 'task_depends_on', 'INSERT', 'ROW', '',
     'note_dependency(NEW.task_id, NEW.depends_on_id)'),
    ('on_dependency_changed', 5, 'task_depends_on', 'UPDATE', 'ROW', '',
     'forget_dependency(OLD.task_id, OLD.depends_on_id),'
     ' vantage6_events.note_dependency(NEW.task_id, NEW.depends_on_id)'),
    ('on_dependency_deleted', 5, 'task_depends_on', 'DELETE', 'ROW', '',
     'forget_dependency(OLD.task_id, OLD.depends_on_id)'),
    ('on_dependencies_truncated', 5, 'task_depends_on', 'TRUNCATE', 'STATEMENT', '',
     'empty_tables(''dependency'', ''ready_task'')'),
    ('on_dataframe_unwanted', 5, 'dataframetobedeletedatnode', 'INSERT OR UPDATE', 'ROW', '',
     'note_dataframe(NEW.id, NEW.node_id, NEW.dataframe_name, NEW.session_id)'),
    ('on_dataframe_deleted', 5, 'dataframetobedeletedatnode', 'DELETE', 'ROW', '',
     'forget_dataframe(OLD.id)'),
    ('on_dataframes_truncated', 5, 'dataframetobedeletedatnode', 'TRUNCATE', 'STATEMENT', '',
     'empty_tables(''unwanted_dataframe'')'),
    ('on_node_changed', 0, 'node', 'INSERT OR UPDATE', 'ROW', '',
     'note_node(NEW.id, NEW.organization_id, NEW.collaboration_id)'),
    ('on_node_inserted', 0, 'node', 'INSERT', 'ROW', '', 'forget_instructions(NEW.id)'),
    ('on_node_deleted', 0, 'node', 'DELETE', 'ROW', '', 'note_node(OLD.id, NULL, NULL)'),
    ('on_nodes_truncated', 0, 'node', 'TRUNCATE', 'STATEMENT', '', 
     'empty_tables(''node_at''), vantage6_events.forget_instructions(NULL)')
    ) AS t (name, hq, on_table, after, fires, condition, call)
    WHERE t.hq IN (0, version)
    UNION ALL SELECT r.* FROM rights_template(version) AS r
$$;
COMMENT ON FUNCTION trigger_template(integer) IS
    'The trigger functions of HQ version 4 or 5, and where attach() puts triggers that call them.';
