-- Instructions: what one node is to do, online or not.
--
-- An instruction is sent when it commits, in the greeting of each connection of the node, and each
-- instruction_repeat while the node is connected, until it is acknowledged or expires. pushd sends
-- it to all connections of its node, to each one after the other: the next when the one before was
-- acknowledged. The first acknowledgement counts.
--
-- A row of HQ's dataframetobedeletedatnode is an instruction by itself. It is one as long as it
-- stands, whatever is acknowledged.

-- The runs of a list are rows, of which each belongs to one run of HQ. The list itself would belong
-- to several, and whoever spares one of them would wait for whoever spares another.
CREATE FUNCTION kill_list(instruction_id bigint, collaboration_id integer) RETURNS json
    LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    SELECT json_build_object(
        'kill_list', json_agg(json_build_object(
            'task_id', k.task_id, 'run_id', k.run_id, 'organization_id', k.organization_id)
            ORDER BY k.run_id),
        'collaboration_id', kill_list.collaboration_id)
    FROM killed_run AS k WHERE k.instruction_id = kill_list.instruction_id
    HAVING NOT bool_and(k.over) -- nor if there is none: a node would kill everything
$$;
COMMENT ON FUNCTION kill_list(bigint, integer) IS
    'The argument of the list of kills, as it is now; NULL if nothing of it is left to do.';

CREATE FUNCTION instruct_rooms(id bigint, rooms text[], namespace text, event text, args json,
                               ttl interval) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    missing text;
BEGIN
    INSERT INTO instruction (id, node_id, namespace, name, args, created_at, expires_at, told_at)
    SELECT instruct_rooms.id, n.node_id, instruct_rooms.namespace, event, instruct_rooms.args,
           now(), (now() AT TIME ZONE 'UTC' + coalesce(ttl, duration('instruction_ttl')))
                  AT TIME ZONE 'UTC', clock_timestamp()
    FROM node_at AS n
    WHERE ARRAY['node_' || n.node_id, format('collaboration_%s/nodes', n.collaboration_id),
                format('collaboration_%s_organization_%s/nodes', n.collaboration_id,
                       n.organization_id)] && rooms
    ORDER BY n.node_id;
    SELECT string_agg(DISTINCT r, ', ') INTO missing FROM unnest(rooms) AS r
    WHERE r ~ '^node_' AND NOT EXISTS (SELECT FROM node_at AS n WHERE 'node_' || n.node_id = r);
    IF missing IS NOT NULL THEN
        RAISE WARNING 'there is no node of a collaboration for %', missing
            USING DETAIL = 'Nothing is kept for it.';
    END IF;
END $$;
COMMENT ON FUNCTION instruct_rooms(bigint, text[], text, text, json, interval) IS
    'Keeps a durable event of this id for the nodes that are in the rooms now. Called by emit().';

-- A node that finds none of its runs in a list kills all. What another transaction of HQ holds, it
-- is taking off a list.
CREATE FUNCTION forget_instructions(node integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    IF node IS NOT NULL AND NOT EXISTS (
            SELECT FROM instruction AS i WHERE i.node_id = forget_instructions.node) THEN
        RETURN;
    END IF;
    WITH gone AS (
        DELETE FROM instruction AS i WHERE (i.id, i.node_id) IN (
            SELECT j.id, j.node_id FROM instruction AS j
            WHERE node IS NULL OR j.node_id = node
            ORDER BY j.id, j.node_id FOR UPDATE SKIP LOCKED)
        RETURNING i.id)
    DELETE FROM killed_run AS k WHERE (k.run_id, k.node_id, k.xid) IN (
        SELECT m.run_id, m.node_id, m.xid FROM killed_run AS m
        JOIN gone AS g ON g.id = m.instruction_id
        ORDER BY m.run_id, m.node_id, m.xid FOR UPDATE OF m SKIP LOCKED);
END $$;
COMMENT ON FUNCTION forget_instructions(integer) IS
    'A node was inserted: what is left was for an earlier one with its id. NULL: all nodes were '
    'truncated.';

-- A name is not cut: it would be another dataframe's. HQ bounds none, but a client's queue is
-- bounded.
CREATE FUNCTION tell_dataframe(node_id integer, df_name text, session_id integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    IF length(df_name) <= 1000 THEN
        PERFORM announce('delete_dataframe',
                         json_build_object('df_name', df_name, 'session_id', session_id),
                         ARRAY['node_' || node_id], NULL, true, 0);
    END IF;
END $$;
COMMENT ON FUNCTION tell_dataframe(integer, text, integer) IS
    'Sends delete_dataframe to the node; not for names of more than 1000 characters.';

CREATE FUNCTION forget_dataframe(id integer) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, vantage6_events, pg_temp
AS $$ DELETE FROM unwanted_dataframe AS u WHERE u.id = forget_dataframe.id $$;
COMMENT ON FUNCTION forget_dataframe(integer) IS
    'A row of dataframetobedeletedatnode was deleted: keeps unwanted_dataframe.';

CREATE FUNCTION note_dataframe(id integer, node_id integer, df_name text, session_id integer)
    RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    IF node_id IS NULL OR df_name IS NULL THEN
        PERFORM forget_dataframe(id);
        RETURN;
    END IF;
    INSERT INTO unwanted_dataframe AS u
        (id, node_id, df_name, session_id, created_at, told_at)
    VALUES (note_dataframe.id, note_dataframe.node_id, note_dataframe.df_name,
            note_dataframe.session_id, clock_timestamp(), clock_timestamp())
    ON CONFLICT ON CONSTRAINT unwanted_dataframe_pkey DO UPDATE
    SET (node_id, df_name, session_id, told_at)
        = (excluded.node_id, excluded.df_name, excluded.session_id, excluded.told_at);
    PERFORM tell_dataframe(node_id, df_name, session_id);
END $$;
COMMENT ON FUNCTION note_dataframe(integer, integer, text, integer) IS
    'A row of dataframetobedeletedatnode was inserted or changed: keeps unwanted_dataframe, and '
    'tells the node.';

-- Together about what a client's queue may hold: it would be closed, and come again.
CREATE FUNCTION first_instructions(node integer, nsp text) RETURNS TABLE (id bigint, payload text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    SELECT i.id, i.payload
    FROM (SELECT j.id, p.payload, sum(octet_length(p.payload)) OVER (ORDER BY j.id)
                                  - octet_length(p.payload) AS before
          FROM instruction AS j
          CROSS JOIN LATERAL (SELECT kill_list(j.id, j.collaboration_id) AS list) AS k
          CROSS JOIN LATERAL payload(j.name, coalesce(k.list, j.args)) AS p (payload)
          WHERE j.node_id = node AND j.namespace = nsp AND j.acked_at IS NULL
            AND j.expires_at > now()
            AND (j.collaboration_id IS NULL OR k.list IS NOT NULL)) AS i
    WHERE i.before < 1000000 ORDER BY i.id LIMIT 1000
$$;
COMMENT ON FUNCTION first_instructions(integer, text) IS
    'The oldest instructions that the node has not acknowledged, 1000 or a megabyte of them.';

CREATE FUNCTION greeting(node integer, nsp text) RETURNS json
    LANGUAGE sql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    SELECT json_agg(json_strip_nulls(json_build_object('ack', g.ack, 'payload', g.payload))
                    ORDER BY g.part, g.id) FROM (
        SELECT 1 AS part, i.id, i.id AS ack, i.payload FROM first_instructions(node, nsp) AS i
        UNION ALL
        (SELECT 2, u.id, 0, payload('delete_dataframe', json_build_object(
                    'df_name', u.df_name, 'session_id', u.session_id))
         FROM unwanted_dataframe AS u
         WHERE nsp = '/tasks' AND u.node_id = node AND length(u.df_name) <= 1000
         ORDER BY u.id LIMIT 1000)
        UNION ALL
        SELECT 3, 0, NULL, '["sync"]' WHERE nsp = '/tasks') AS g
$$;
COMMENT ON FUNCTION greeting(integer, text) IS
    'The events that a node gets when it connects to the namespace: its instructions (1 MB of '
    'them), its dataframes to delete (1000 of them), then sync; NULL if there are none.';

CREATE FUNCTION greeted(nodes integer[], again integer[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    -- Those that no greeting has room for are due now. So are all of a connection that is
    -- registered again: it is not greeted, and may have been in no room when one was sent.
    WITH held AS (
        SELECT i.id, i.node_id, i.namespace FROM instruction AS i
        WHERE i.node_id = ANY (nodes) AND i.acked_at IS NULL AND i.expires_at > now()
        ORDER BY i.id, i.node_id FOR NO KEY UPDATE SKIP LOCKED
    ), first AS (
        SELECT d.node_id, f.id FROM (SELECT DISTINCT h.node_id, h.namespace FROM held AS h) AS d
        CROSS JOIN LATERAL first_instructions(d.node_id, d.namespace) AS f)
    UPDATE instruction AS i
    SET told_at = CASE WHEN f.id IS NULL OR h.node_id = ANY (again) THEN '-infinity'
                       ELSE clock_timestamp() END
    FROM held AS h LEFT JOIN first AS f USING (id, node_id)
    WHERE i.id = h.id AND i.node_id = h.node_id;
    UPDATE unwanted_dataframe AS u SET told_at = clock_timestamp()
    WHERE u.id IN (SELECT v.id FROM unwanted_dataframe AS v
                   WHERE v.node_id = ANY (nodes) ORDER BY v.id FOR UPDATE SKIP LOCKED);
END $$;
COMMENT ON FUNCTION greeted(integer[], integer[]) IS
    'The nodes are told now what they are to do, but those that are registered again.';

CREATE FUNCTION ack(incarnation bigint, acks json) RETURNS json
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, vantage6_events, pg_temp SET lock_timeout = '500ms' AS $$
DECLARE
    again json;
BEGIN
    PERFORM check_incarnation(incarnation);
    WITH said AS (
        SELECT s.id, s.principal, bool_or(s.acked) AS acked,
               coalesce(sum(coalesce(s.times, 1)) FILTER (WHERE NOT s.acked), 0) AS sends,
               (array_agg(s.sid ORDER BY s.n DESC) FILTER (WHERE NOT s.acked))[1] AS sid
        FROM ROWS FROM (json_to_recordset(acks)
                            AS (id bigint, principal integer, sid text, acked boolean,
                                times integer))
             WITH ORDINALITY AS s (id, principal, sid, acked, times, n)
        GROUP BY s.id, s.principal
    ), held AS ( -- HQ's transaction may be changing one, and is not waited for
        SELECT i.id, i.node_id FROM instruction AS i
        JOIN said AS s ON s.id = i.id AND s.principal = i.node_id
        WHERE i.acked_at IS NULL ORDER BY i.id, i.node_id FOR NO KEY UPDATE OF i SKIP LOCKED
    ), done AS (
        UPDATE instruction AS i
        SET sends = i.sends + s.sends, sent_to = coalesce(s.sid, i.sent_to),
            sent_at = CASE WHEN s.sends > 0 THEN clock_timestamp() ELSE i.sent_at END,
            acked_at = CASE WHEN s.acked THEN clock_timestamp() END
        FROM held AS h JOIN said AS s ON s.id = h.id AND s.principal = h.node_id
        WHERE i.id = h.id AND i.node_id = h.node_id)
    SELECT json_agg(json_build_object('id', s.id, 'principal', s.principal, 'sid', s.sid,
                                      'acked', true))
    INTO again FROM said AS s
    JOIN instruction AS i ON i.id = s.id AND i.node_id = s.principal AND i.acked_at IS NULL
    WHERE s.acked AND NOT EXISTS (
        SELECT FROM held AS h WHERE h.id = s.id AND h.node_id = s.principal);
    RETURN again;
END $$;
COMMENT ON FUNCTION ack(bigint, json) IS
    'What became of events with an ack, in order: up to 1000 of {"id" (ack of events_since, or of '
    'a greeting), "principal", "sid", "acked": false when it was sent to that connection, true '
    'when that acknowledged it, "times": by so many connections, 1 if absent}. What was '
    'acknowledged is sent no more; only the addressed principal counts. Returns those whose rows '
    'are locked, to be said again, or NULL. V6010.';

-- The rows are held for this transaction only, and nothing is waited for: HQ may delete them.
CREATE FUNCTION repeat_dataframes() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    told record;
BEGIN
    FOR told IN
        WITH due AS (
            SELECT u.id FROM unwanted_dataframe AS u
            WHERE u.told_at < now() - duration('instruction_repeat')
              AND EXISTS (SELECT FROM lease AS l
                          WHERE l.principal_id = u.node_id AND l.nsp = '/tasks')
            ORDER BY u.id LIMIT 1000 FOR UPDATE SKIP LOCKED
        ), repeated AS (
            UPDATE unwanted_dataframe AS u SET told_at = clock_timestamp()
            FROM due WHERE u.id = due.id RETURNING u.*)
        SELECT * FROM repeated AS r ORDER BY r.id
    LOOP
        PERFORM tell_dataframe(told.node_id, told.df_name, told.session_id);
    END LOOP;
END $$;
COMMENT ON FUNCTION repeat_dataframes() IS
    'Tells connected nodes again which dataframes to delete, when that was instruction_repeat ago.';

CREATE FUNCTION repeat_instructions() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    told record;
BEGIN
    FOR told IN
        WITH due AS (
            SELECT i.id, i.node_id, i.args, i.collaboration_id FROM instruction AS i
            WHERE i.told_at < now() - duration('instruction_repeat')
              AND i.acked_at IS NULL AND i.expires_at > now()
              AND (i.collaboration_id IS NULL OR EXISTS (
                   SELECT FROM killed_run AS k WHERE k.instruction_id = i.id AND NOT k.over))
              AND EXISTS (SELECT FROM lease AS l
                          WHERE l.principal_id = i.node_id AND l.nsp = i.namespace)
            ORDER BY i.id, i.node_id LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED
        ), told AS (
            SELECT d.id, d.node_id, coalesce(k.list, d.args) AS args
            FROM due AS d
            CROSS JOIN LATERAL (SELECT kill_list(d.id, d.collaboration_id) AS list) AS k
            WHERE d.collaboration_id IS NULL OR k.list IS NOT NULL
        ), first AS ( -- a megabyte of them: the others are due at the next beat
            SELECT * FROM (SELECT t.*, sum(octet_length(t.args::text))
                                           OVER (ORDER BY t.id, t.node_id)
                                       - octet_length(t.args::text) AS before FROM told AS t) AS b
            WHERE coalesce(b.before, 0) < 1000000
        ), repeated AS (
            UPDATE instruction AS i SET told_at = clock_timestamp()
            FROM first AS f WHERE i.id = f.id AND i.node_id = f.node_id
            RETURNING i.id, i.node_id, i.namespace, i.name, f.args)
        SELECT * FROM repeated AS r ORDER BY r.id, r.node_id
    LOOP
        PERFORM announce(told.name, told.args, ARRAY['node_' || told.node_id], NULL, true, told.id,
                                         told.namespace);
    END LOOP;
    PERFORM repeat_dataframes();
END $$;
COMMENT ON FUNCTION repeat_instructions() IS
    'Tells connected nodes again what they have not acknowledged, when that was instruction_repeat '
    'ago: 1 MB of it a call.';

CREATE FUNCTION tidy_instructions() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    -- Whoever takes the last run off a list leaves the list itself to us.
    UPDATE instruction AS i SET acked_at = clock_timestamp() WHERE (i.id, i.node_id) IN (
        SELECT j.id, j.node_id FROM instruction AS j
        WHERE j.acked_at IS NULL AND j.collaboration_id IS NOT NULL
          AND NOT EXISTS (SELECT FROM killed_run AS k
                          WHERE k.instruction_id = j.id AND NOT k.over)
        ORDER BY j.id, j.node_id LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED);
    WITH gone AS ( -- what is over is remembered for a while: HQ may still be at marking its runs
        DELETE FROM instruction AS i WHERE (i.id, i.node_id) IN (
            SELECT j.id, j.node_id FROM instruction AS j
            WHERE j.expires_at < now() OR j.acked_at < now() - interval '24 hours'
            ORDER BY j.id, j.node_id LIMIT 1000 FOR UPDATE SKIP LOCKED)
        RETURNING i.id)
    DELETE FROM killed_run AS k USING gone AS g WHERE k.instruction_id = g.id
$$;
COMMENT ON FUNCTION tidy_instructions() IS
    'Ends lists of kills of which nothing is left, and forgets instructions that expired or ended '
    'a day ago, and their runs.';
