-- receive: what clients sent takes effect, once, and within their rights.
--
-- stream    one life of a pushd, which numbers what it passes on from 1
-- deferred  an item whose effect had to wait, since rows of HQ that it needs were locked, or the
--           node has changed its configuration too often. Later items of the same node that need
--           such rows wait behind it; all others go on
-- set aside a deferred item that failed: none waits behind it, and all others are tried first
--
-- An item is judged by the rights of its sender as they are now.

CREATE FUNCTION without_nul(items json) RETURNS json
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- PostgreSQL's text has no character 0, which an algorithm may well print.
    RETURN CASE WHEN strpos(items::text, E'\\u0000') = 0 THEN items
           ELSE regexp_replace(items::text, E'(?<!\\\\)((?:\\\\\\\\)*)\\\\u0000',
               E'\\1' || CASE getdatabaseencoding() WHEN 'UTF8' THEN E'\\\\ufffd' ELSE '?' END,
               'g')::json END;
END $$;
COMMENT ON FUNCTION without_nul(json) IS
    'The same with U+FFFD ("?", if the database is not in UTF8) in place of each character 0.';

-- handler   a function of 75-node-events.sql; or what becomes of the event in receive() itself
-- locks     it needs rows of HQ that may be locked, and then is deferred
-- replaces  it counts as a whole: one that waits is replaced by the next
CREATE FUNCTION received_events()
    RETURNS TABLE (name text, sender text, handler text, locks boolean, replaces boolean)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    VALUES ('ping',                    NULL,   'ping',         false, false),
           ('message',                 'node', 'say',          false, false),
           ('error',                   'node', 'say',          false, false),
           ('node_metrics_update',     'node', 'measure',      false, false),
           ('algorithm_status_change', 'node', 'on_status',    false, false),
           ('algorithm_log',           'node', 'on_log',       false, false),
           ('node_info_update',        'node', 'on_info',      true,  true),
           ('dataframe_deleted',       'node', 'on_dataframe', true,  false)
$$;
COMMENT ON FUNCTION received_events() IS
    'The events that have an effect when a client sends them, which kind of principal may (NULL: '
    'each), and what they do.';

-- Not EXECUTE in the function: that would plan the call of the handler anew for each line of a log.
DO $make$
BEGIN
    EXECUTE format($$
CREATE FUNCTION act(event text, n node, arg json) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp
AS 'BEGIN RETURN CASE event %s END; END'$$, (
        SELECT string_agg(format('WHEN ''%L'' THEN %s(n, arg)', e.name, e.handler), ' ')
        FROM received_events() AS e WHERE starts_with(e.handler, 'on_')));
END
$make$;
COMMENT ON FUNCTION act(text, node, json) IS
    'Lets what a node sent have its effect in the database; returns the verdict.';

CREATE FUNCTION supersede(principal integer, event text) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    DELETE FROM deferred AS d WHERE d.principal_id = principal AND d.name = event
$$;
COMMENT ON FUNCTION supersede(integer, text) IS
    'A later item counts as a whole: what waits of this event, or was set aside, is void.';

CREATE FUNCTION defer(principal integer, event text, arg json, replaces boolean) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    IF replaces THEN
        PERFORM supersede(principal, event);
    ELSIF (SELECT count(*) FROM deferred AS d WHERE d.principal_id = principal)
          >= setting('max_deferred')::integer THEN
        RETURN 'locked';
    END IF;
    INSERT INTO deferred (principal_id, name, arg, since)
    VALUES (principal, event, arg, clock_timestamp());
    RETURN NULL;
END $$;
COMMENT ON FUNCTION defer(integer, text, json, boolean) IS
    'Keeps an item for retry_deferred(); the verdict "locked" if too many of this node wait.';

CREATE FUNCTION retry_item(id bigint, event text, n node, arg json) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    verdict text;
    state text;
    message text;
BEGIN
    verdict := act(event, n, arg);
    PERFORM fire_deferred();
    RETURN verdict;
EXCEPTION
WHEN lock_not_available OR deadlock_detected OR serialization_failure THEN
    RETURN 'locked';
WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
    RAISE WARNING '% of principal % failed: %', event, n.id, message
        USING ERRCODE = state, HINT = 'It was set aside: see the view vantage6_events.set_aside.';
    UPDATE deferred AS d
    SET (reason, retry_at) = (state || ': ' || message, clock_timestamp() + interval '10 minutes')
    WHERE d.id = retry_item.id;
    RETURN 'failed';
END $$;
COMMENT ON FUNCTION retry_item(bigint, text, node, json) IS
    'As act(), for an item that was deferred; if it fails, it is set aside, and the verdict is '
    '"failed".';

CREATE FUNCTION retry_deferred() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    item record;
    verdict text;
    waiting integer[] := '{}'; -- whose turn has not come
    locked integer := 0;
BEGIN
    FOR item IN
        SELECT d.id, d.name, d.arg, d.principal_id,
               -- The configuration of a node that is gone went with it.
               p.id IS NOT NULL AND (d.name <> 'node_info_update' OR EXISTS (
                   SELECT FROM lease AS l
                   WHERE l.principal_id = p.id AND l.nsp = '/tasks')) AS known,
               (d.principal_id, p.organization_id, p.collaboration_id)::node AS node
        FROM deferred AS d
        LEFT JOIN vantage6_events.principal AS p ON p.id = d.principal_id AND p.kind = 'node'
        WHERE d.retry_at IS NULL OR d.retry_at < clock_timestamp()
        ORDER BY d.retry_at NULLS FIRST, d.id FOR UPDATE OF d SKIP LOCKED
    LOOP
        CONTINUE WHEN item.principal_id = ANY (waiting);
        EXIT WHEN locked >= 10; -- each has taken 10 ms: a whole table may be locked
        verdict := CASE WHEN item.known THEN retry_item(item.id, item.name, item.node, item.arg)
                   END;
        IF verdict IN ('locked', 'later') THEN
            waiting := waiting || item.principal_id;
            locked := locked + (verdict = 'locked')::integer;
        ELSIF verdict IS DISTINCT FROM 'failed' THEN
            DELETE FROM deferred AS d WHERE d.id = item.id;
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION retry_deferred() IS
    'Tries again what had to wait, of each node in order; last, what was set aside 10 minutes ago.';

CREATE FUNCTION report(gauges json[], said json[], refused json[]) RETURNS json
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT nullif(json_strip_nulls(json_build_object(
        'gauges', CASE WHEN cardinality(gauges) > 0 THEN gauges END,
        'said', CASE WHEN cardinality(said) > 0 THEN said END,
        'refused', (SELECT json_agg(x) FROM (
            SELECT (r ->> 'principal')::integer AS principal,
                   (r ->> 'event') COLLATE "C" AS event,
                   (r ->> 'reason') COLLATE "C" AS reason, count(*) AS n
            FROM unnest(refused) AS r GROUP BY 1, 2, 3 ORDER BY 1, 2, 3) AS x)))::text, '{}')::json
$$;
COMMENT ON FUNCTION report(json[], json[], json[]) IS 'The report of receive(), or NULL.';

CREATE FUNCTION take_items(incarnation bigint, last bigint, items json) RETURNS json
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    item record;
    verdict text;
    pinged integer[] := '{}';
    gauges json[] := '{}';
    said json[] := '{}';
    refused json[] := '{}';
    blocked integer[] := ARRAY(SELECT DISTINCT d.principal_id FROM deferred AS d
                               WHERE d.reason IS NULL);
    failures integer := 0;
BEGIN
    FOR item IN
        SELECT x.sid, x.principal, e.name, e.handler, e.locks, e.replaces, x.event -> 1 AS arg,
               l.sid IS NOT NULL AS leased,
               CASE WHEN p.id IS NULL THEN 'principal'
                    WHEN e.sender <> p.kind THEN p.kind END AS verdict,
               (p.id, p.organization_id, p.collaboration_id)::node AS node
        FROM json_to_recordset(items)
                 AS x (seq bigint, sid text, principal integer, nsp text, event json)
        JOIN received_events() AS e ON e.name = x.event ->> 0 -- all others have no effect
        LEFT JOIN vantage6_events.principal AS p ON p.id = x.principal
        LEFT JOIN lease AS l ON l.sid = x.sid AND l.principal_id = x.principal
            AND l.incarnation = take_items.incarnation
        WHERE x.seq > last AND x.nsp = '/tasks' ORDER BY x.seq
    LOOP
        verdict := item.verdict;
        CASE
        WHEN verdict IS NOT NULL THEN
            NULL;
        WHEN item.handler = 'ping' THEN
            IF item.leased THEN
                pinged := pinged || item.principal;
            END IF;
        WHEN item.handler = 'say' THEN
            said := said || json_build_object('principal', item.principal, 'event', item.name,
                                              'text', left(coalesce(item.arg #>> '{}', ''), 200));
        WHEN item.handler = 'measure' THEN
            IF json_typeof(item.arg) = 'object' THEN
                gauges := gauges || json_build_object('sid', item.sid, 'gauges',
                    coalesce(gauges(item.node, item.arg), '[]'));
            ELSE
                verdict := 'shape';
            END IF;
        ELSE
            IF item.locks AND (item.principal = ANY (blocked) OR failures >= 10) THEN
                verdict := 'locked';
            ELSE
                verdict := act(item.name, item.node, item.arg);
                failures := failures + (verdict IS NOT DISTINCT FROM 'locked')::integer;
            END IF;
            IF verdict IS NULL AND item.replaces THEN
                PERFORM supersede(item.principal, item.name);
            ELSIF verdict IN ('locked', 'later') THEN
                blocked := blocked || item.principal;
                verdict := defer(item.principal, item.name, item.arg, item.replaces);
            END IF;
        END CASE;
        IF verdict IS NOT NULL THEN
            refused := refused || json_build_object(
                'principal', item.principal, 'event', item.name, 'reason', verdict);
        END IF;
    END LOOP;
    UPDATE vantage6_events.principal_status AS s
    SET status = 'online', last_seen = now_like(s.last_seen)
    WHERE s.id IN (SELECT t.id FROM vantage6_events.principal_status AS t
                   WHERE t.id = ANY (pinged)
                     AND (t.status IS DISTINCT FROM 'online' OR is_stale(t.last_seen))
                   ORDER BY t.id FOR NO KEY UPDATE SKIP LOCKED);
    RETURN report(gauges, said, refused);
END $$;
COMMENT ON FUNCTION take_items(bigint, bigint, json) IS
    'Lets the items after the last one have their effect, in order; returns the report.';

CREATE FUNCTION receive_logic(incarnation bigint, stream text, items json)
    RETURNS TABLE (taken bigint, report json)
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, vantage6_events, pg_temp SET lock_timeout = '500ms' AS $$
DECLARE
    last bigint;
    more json;
BEGIN
    items := without_nul(items);
    PERFORM check_incarnation(incarnation);
    INSERT INTO received AS r (stream, seq, taken_at)
    VALUES (receive_logic.stream, 0, now()) ON CONFLICT DO NOTHING;
    SELECT r.seq INTO last FROM received AS r
    WHERE r.stream = receive_logic.stream FOR NO KEY UPDATE;
    SELECT max(x.seq) INTO taken FROM json_to_recordset(items) AS x (seq bigint);
    more := costs(incarnation, last, items);
    IF taken > last AND NOT log_is_full(incarnation) THEN
        report := take_items(incarnation, last, items);
        UPDATE received AS r SET (seq, taken_at) = (receive_logic.taken, now())
        WHERE r.stream = receive_logic.stream;
    ELSE
        taken := last;
    END IF;
    IF more IS NOT NULL THEN
        SELECT json_object_agg(p.key, p.value) INTO report
        FROM (SELECT * FROM json_each(report) UNION ALL SELECT * FROM json_each(more)) AS p;
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION receive_logic(bigint, text, json) IS
    'Takes what clients sent: [{"seq", "sid", "principal", "nsp", "event": [name, argument...]}], '
    'numbered in the stream; items up to the last seq taken of it are skipped. Returns the highest '
    'seq taken, and a report or NULL: {"gauges": [{"sid", "gauges": [{"name", "labels": {}, '
    '"value"}]}: from now on those of that client], "said": [{"principal", "event", "text"}: for '
    'the log], "refused": [{"principal", "event", "reason", "n"}: had no effect]}, and what '
    'costs() adds. If the log is full, nothing is taken: send it again later. Reasons: '
    'principal (HQ has none like that now), user (it was no node), shape, run (not a run of the '
    'node), size, full (run.log), locked (too much waits for locks). Errors: V6010; 55P03 if HQ''s '
    'tables are locked for 0.5 s.';

CREATE FUNCTION tidy_received() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    DELETE FROM received AS r WHERE r.stream IN (
        SELECT s.stream FROM received AS s WHERE s.taken_at < now() - interval '168 hours'
        FOR UPDATE SKIP LOCKED)
$$;
COMMENT ON FUNCTION tidy_received() IS 'Forgets streams from which nothing came for a week.';
