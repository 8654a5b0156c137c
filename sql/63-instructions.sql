-- Instructions: what one node is told to do, online or not.
--
-- Each is sent once when it commits, and again in the greeting of each connection until it is over.
-- A row of HQ's dataframetobedeletedatnode is an instruction by itself, as long as it stands.

CREATE FUNCTION instruct(node_id integer, event text, args json) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    n bigint;
BEGIN
    INSERT INTO vantage6_events.instruction AS i (node_id, name, args, created_at, expires_at)
    VALUES (instruct.node_id, event, instruct.args, now(),
            now() + vantage6_events.setting('instruction_ttl')::interval)
    RETURNING i.id INTO n;
    PERFORM vantage6_events.announce(event, args, ARRAY['node_' || node_id], NULL, true);
    RETURN n;
END
$$;
COMMENT ON FUNCTION instruct(integer, text, json) IS
    'Tells a node to do something, now and whenever it connects until that is over; returns the '
    'instruction''s id. For the agent only; owned by the extension.';

-- A name is not cut: it would be another dataframe's. HQ bounds none, and a client's queue is bounded.
CREATE FUNCTION tell_dataframe(node_id integer, df_name text, session_id integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF length(df_name) <= 1000 THEN
        PERFORM vantage6_events.announce('delete_dataframe', json_build_object(
            'df_name', df_name, 'session_id', session_id), ARRAY['node_' || node_id]);
    END IF;
END
$$;
COMMENT ON FUNCTION tell_dataframe(integer, text, integer) IS
    'Sends delete_dataframe to the node; not for names of more than 1000 characters. For the agent '
    'only; owned by the extension.';

CREATE FUNCTION want_dataframe(id integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM vantage6_events.unwanted_dataframe AS u
    WHERE u.id = want_dataframe.id OR want_dataframe.id IS NULL;
END
$$;
COMMENT ON FUNCTION want_dataframe(integer) IS
    'A row of dataframetobedeletedatnode was deleted, or, with NULL, all: keeps unwanted_dataframe. For the '
    'agent only; owned by the extension.';

CREATE FUNCTION unwant_dataframe(id integer, node_id integer, df_name text, session_id integer)
    RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF node_id IS NULL OR df_name IS NULL THEN
        PERFORM vantage6_events.want_dataframe(id);
        RETURN;
    END IF;
    INSERT INTO vantage6_events.unwanted_dataframe AS u
        (id, node_id, df_name, session_id, created_at, told_at)
    VALUES (unwant_dataframe.id, unwant_dataframe.node_id, unwant_dataframe.df_name,
            unwant_dataframe.session_id, clock_timestamp(), clock_timestamp())
    ON CONFLICT ON CONSTRAINT unwanted_dataframe_pkey DO UPDATE SET (node_id, df_name, session_id, told_at)
        = (excluded.node_id, excluded.df_name, excluded.session_id, excluded.told_at);
    PERFORM vantage6_events.tell_dataframe(node_id, df_name, session_id);
END
$$;
COMMENT ON FUNCTION unwant_dataframe(integer, integer, text, integer) IS
    'A row of dataframetobedeletedatnode was inserted or changed: keeps unwanted_dataframe, and tells '
    'the node. For the agent only; owned by the extension.';

CREATE FUNCTION greeting(node integer) RETURNS json
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT json_agg(g.event ORDER BY g.part, g.id) FROM (
        SELECT 1 AS part, i.id, json_build_array(i.name, i.args) AS event
        -- Together less than a client's queue may hold: it would be closed, and come again.
        FROM (SELECT j.*, sum(octet_length(j.args::text)) OVER (ORDER BY j.id) AS bytes
              FROM vantage6_events.instruction AS j
              WHERE j.node_id = node AND j.acked_at IS NULL AND j.expires_at > now()) AS i
        WHERE i.bytes <= 1000000
        UNION ALL
        (SELECT 2, u.id, json_build_array('delete_dataframe', json_build_object(
                    'df_name', u.df_name, 'session_id', u.session_id))
         FROM vantage6_events.unwanted_dataframe AS u
         WHERE u.node_id = node AND length(u.df_name) <= 1000 ORDER BY u.id LIMIT 1000)
        UNION ALL
        SELECT 3, 0, json_build_array('sync')) AS g
$$;
COMMENT ON FUNCTION greeting(integer) IS
    'The events that a node gets when it connects: its instructions (1 MB of them), its dataframes to delete (1000 of '
    'them), then sync. For the agent only; owned by the extension.';

CREATE FUNCTION greeted(nodes integer[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE vantage6_events.unwanted_dataframe AS u SET told_at = clock_timestamp()
    WHERE u.id IN (SELECT v.id FROM vantage6_events.unwanted_dataframe AS v
                   WHERE v.node_id = ANY (nodes) ORDER BY v.id FOR UPDATE SKIP LOCKED);
END
$$;
COMMENT ON FUNCTION greeted(integer[]) IS
    'The nodes are told now which dataframes to delete. For the agent only; owned by the extension.';

-- The rows are held for this transaction only, and nothing is waited for: HQ may delete them at any time.
CREATE FUNCTION repeat_instructions() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    told record;
BEGIN
    FOR told IN
        WITH due AS (
            SELECT u.id FROM vantage6_events.unwanted_dataframe AS u
            WHERE u.told_at < clock_timestamp() - interval '10 minutes'
              AND EXISTS (SELECT FROM vantage6_events.lease AS l
                          WHERE l.principal_id = u.node_id AND l.nsp = '/tasks')
            ORDER BY u.id LIMIT 1000 FOR UPDATE SKIP LOCKED
        ), repeated AS (
            UPDATE vantage6_events.unwanted_dataframe AS u SET told_at = clock_timestamp()
            FROM due WHERE u.id = due.id RETURNING u.*)
        SELECT * FROM repeated AS r ORDER BY r.id
    LOOP
        PERFORM vantage6_events.tell_dataframe(told.node_id, told.df_name, told.session_id);
    END LOOP;
END
$$;
COMMENT ON FUNCTION repeat_instructions() IS
    'Tells connected nodes again which dataframes to delete, when that was 10 minutes ago. For the agent '
    'only; owned by the extension.';

CREATE FUNCTION tidy_tasks() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM vantage6_events.announced_task AS t
    WHERE t.xid < pg_snapshot_xmin(pg_current_snapshot());
    DELETE FROM vantage6_events.killed_task AS t
    WHERE t.xid < pg_snapshot_xmin(pg_current_snapshot());
    DELETE FROM vantage6_events.relayed AS r WHERE r.run_id IN (
        SELECT s.run_id FROM vantage6_events.relayed AS s
        WHERE NOT EXISTS (SELECT FROM vantage6_events.open_run AS o WHERE o.run_id = s.run_id)
        ORDER BY s.run_id LIMIT 1000 FOR UPDATE SKIP LOCKED);
    DELETE FROM vantage6_events.parted AS p WHERE p.pid IN (
        SELECT q.pid FROM vantage6_events.parted AS q
        WHERE q.parted_at < now() - greatest(vantage6_events.setting('resume_identity')::interval,
                                             vantage6_events.setting('recovery')::interval)
        ORDER BY q.parted_at LIMIT 1000 FOR UPDATE SKIP LOCKED);
    DELETE FROM vantage6_events.rights_change AS c WHERE c.changed_at < now() - interval '1 day';
    DELETE FROM vantage6_events.received AS r WHERE r.stream IN (
        SELECT s.stream FROM vantage6_events.received AS s WHERE s.taken_at < now() - interval '7 days'
        FOR UPDATE SKIP LOCKED);
    WITH gone AS ( -- what is over is remembered for a while: HQ may still be at marking its runs
        DELETE FROM vantage6_events.instruction AS i WHERE i.id IN (
            SELECT j.id FROM vantage6_events.instruction AS j
            WHERE j.expires_at < now() OR j.acked_at < now() - interval '1 day'
            ORDER BY j.id LIMIT 1000 FOR UPDATE SKIP LOCKED)
        RETURNING i.id)
    DELETE FROM vantage6_events.killed_run AS k USING gone AS g WHERE k.instruction_id = g.id;
END
$$;
COMMENT ON FUNCTION tidy_tasks() IS
    'Forgets what was announced or instructed and is over. For the agent only; owned by the extension.';
