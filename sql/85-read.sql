-- events_since: what pushd reads.
--
-- cursor  (S, hi): the snapshot of the last read and the greatest id delivered. S alone loses
--         events when xids are used again after a crash, hi alone those open at the last read
-- page    at most max_rows events, and no more of them once their payloads make max_bytes; the
--         upper snapshot is fixed by the first page, and each goes on after the one before
--
-- overtaken  a transaction that has events with id <= hi, and that S did not see ended: it ran then
--            (xip, or xid >= xmax if no greater one had ended)
--
-- late        an event that is new though its id is <= hi: of one that was overtaken, or, after a
--             failover, of a timeline not seen yet. Mostly there is none, and one statement sees so
--
-- New is id > hi, or late. A page costs a page, however long the log is and however much the
-- overtaken have written: each branch goes on in its index from where the last page ended, and ends
-- by itself after max_rows. Rows are compared, and the settings belong to the functions, so that
-- only the index on (xid, id) fits: the planner would read the index on id from its beginning, or
-- sort.

CREATE FUNCTION overtaken(since pg_snapshot, hi bigint, upto pg_snapshot, after bigint)
    RETURNS xid8[]
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, vantage6_events, pg_temp -- and as events_since() has set
    SET enable_sort = off AS $$
DECLARE
    since_max xid8 := pg_snapshot_xmax(since);
    upto_max xid8 := pg_snapshot_xmax(upto);
BEGIN
    RETURN ARRAY(
        SELECT o FROM pg_snapshot_xip(since) AS o
        CROSS JOIN LATERAL (SELECT FROM event AS e
                            WHERE (e.xid, e.id) > (o, after) AND (e.xid, e.id) <= (o, hi)
                            ORDER BY e.xid, e.id LIMIT 1) AS has
        WHERE pg_visible_in_snapshot(o, upto)
        UNION ALL
        SELECT x.xid FROM (
            WITH RECURSIVE later AS ( -- a descent of the index for each, not a step for each event
                (SELECT e.xid FROM event AS e
                 WHERE e.xid >= since_max AND e.xid < upto_max AND e.id > after AND e.id <= hi
                 ORDER BY e.xid LIMIT 1)
                UNION ALL
                SELECT (SELECT e.xid FROM event AS e
                        WHERE e.xid > l.xid AND e.xid < upto_max AND e.id > after AND e.id <= hi
                        ORDER BY e.xid LIMIT 1)
                FROM later AS l WHERE l.xid IS NOT NULL)
            SELECT l.xid FROM later AS l) AS x
        WHERE pg_visible_in_snapshot(x.xid, upto));
END $$;
COMMENT ON FUNCTION overtaken(pg_snapshot, bigint, pg_snapshot, bigint) IS
    'The transactions that since does not see and upto does, and that have events with ids after '
    'the given one and up to hi.';

-- Each of the overtaken would give a whole page. So it is looked for among so many ids, and, since
-- most of those may be others', among twice as many, until there is one.
CREATE FUNCTION overtaken_until(xids xid8[], hi bigint, after bigint, max_rows integer)
    RETURNS bigint
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, vantage6_events, pg_temp -- and as events_since() has set
AS $$
DECLARE
    begun bigint := (
        SELECT min(e.id) - 1 FROM unnest(xids) AS x CROSS JOIN LATERAL (
            SELECT o.id FROM event AS o
            WHERE (o.xid, o.id) > (x, after) AND (o.xid, o.id) <= (x, hi)
            ORDER BY o.xid, o.id LIMIT 1) AS e);
    width bigint := max_rows + 1;
    page_end bigint;
BEGIN
    LOOP
        page_end := (
            SELECT e.id FROM unnest(xids) AS x CROSS JOIN LATERAL (
                SELECT o.id FROM event AS o
                WHERE (o.xid, o.id) > (x, begun) AND (o.xid, o.id) <= (x, least(begun + width, hi))
                ORDER BY o.xid, o.id LIMIT max_rows + 1) AS e
            ORDER BY e.id OFFSET max_rows LIMIT 1);
        IF page_end IS NOT NULL OR (begun + width < hi) IS NOT TRUE THEN
            RETURN coalesce(page_end, hi);
        END IF;
        width := 2 * width;
    END LOOP;
END $$;
COMMENT ON FUNCTION overtaken_until(xid8[], bigint, bigint, integer) IS
    'The id up to which events of these transactions make a page and one more, or hi if there are '
    'not as many.';

CREATE FUNCTION late_events(since pg_snapshot, hi bigint, seen_tli integer, upto pg_snapshot,
                            after bigint, max_rows integer, max_bytes integer)
    RETURNS TABLE (id bigint, xid xid8, nsp text, rooms text, except_principal integer,
                   payload text, snapshot pg_snapshot, epoch text, more boolean, ack bigint)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, vantage6_events, pg_temp -- and as events_since() has set
AS $$
DECLARE
    since_max xid8 := pg_snapshot_xmax(since);
    since_open xid8[] := ARRAY(SELECT pg_snapshot_xip(since));
    xids xid8[] := overtaken(since, hi, upto, after);
    until bigint := hi; -- of their events in this page
BEGIN
    -- One alone ends a page by itself; but what lies beyond hi is not looked at for each page.
    IF cardinality(xids) > (after = 0)::integer THEN
        until := overtaken_until(xids, hi, after, max_rows);
    END IF;
    RETURN QUERY
    SELECT p.id, p.xid, p.namespace, array_to_string(p.rooms, ','), p.except_principal, p.payload,
           NULL::pg_snapshot, NULL::text, p.more,
           CASE WHEN p.durable THEN coalesce(p.repeats, p.id) END
    FROM (SELECT n.*, row_number() OVER w AS number, lead(n.id) OVER w IS NOT NULL AS more,
                 sum(octet_length(n.payload)) OVER w - octet_length(n.payload) AS before
          FROM ((SELECT e.* FROM event AS e
                 WHERE until = hi AND e.id > greatest(hi, after)
                   AND pg_visible_in_snapshot(e.xid, upto)
                 ORDER BY e.id LIMIT max_rows + 1)
                UNION ALL
                (SELECT e.* FROM unnest(xids) AS x CROSS JOIN LATERAL (
                     SELECT * FROM event AS o
                     WHERE (o.xid, o.id) > (x, after) AND (o.xid, o.id) <= (x, until)
                     ORDER BY o.xid, o.id LIMIT max_rows + 1) AS e)
                UNION ALL -- after a failover, once: what was written on a timeline not seen yet
                (SELECT e.* FROM event AS e
                 WHERE seen_tli IS NOT NULL AND after < hi AND e.tli > seen_tli
                   AND e.id <= hi AND e.id > after
                   AND e.xid < since_max AND NOT e.xid = ANY (since_open)
                   AND pg_visible_in_snapshot(e.xid, upto)
                 ORDER BY e.id LIMIT max_rows + 1)) AS n
          WINDOW w AS (ORDER BY n.id)) AS p
    WHERE p.number <= max_rows AND p.before < max_bytes
    ORDER BY p.id;
END $$;
COMMENT ON FUNCTION late_events(pg_snapshot, bigint, integer, pg_snapshot, bigint, integer,
                                integer) IS
    'The events of a page as events_since() returns them, if there may be some with ids up to hi '
    'among them.';

CREATE FUNCTION events_since(since pg_snapshot, hi bigint, seen_tli integer, upto pg_snapshot,
                             after bigint, max_rows integer, max_bytes integer DEFAULT 262144)
    RETURNS TABLE (id bigint, xid xid8, nsp text, rooms text, except_principal integer,
                   payload text, snapshot pg_snapshot, epoch text, more boolean, ack bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, vantage6_events, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = on
    SET jit = off
    SET max_parallel_workers_per_gather = 0 AS $$
DECLARE
    upper_snapshot pg_snapshot := coalesce(upto, pg_current_snapshot());
    since_max xid8 := pg_snapshot_xmax(since);
    upto_max xid8 := pg_snapshot_xmax(upper_snapshot);
    any_late boolean := false; -- may there be some with ids up to hi?
BEGIN
    snapshot := upper_snapshot;
    IF after < hi THEN
        SELECT e.value, EXISTS (SELECT FROM event AS o WHERE o.xid >= since_max AND o.xid < upto_max
                                                         AND o.id > after AND o.id <= hi)
        INTO epoch, any_late FROM (SELECT) AS one LEFT JOIN epoch AS e ON true;
        any_late := any_late OR seen_tli IS NOT NULL;
        IF NOT any_late AND pg_snapshot_xmin(since) < since_max THEN
            any_late := EXISTS (
                SELECT FROM pg_snapshot_xip(since) AS x
                WHERE pg_visible_in_snapshot(x, upper_snapshot)
                  AND EXISTS (SELECT FROM event AS o
                              WHERE (o.xid, o.id) > (x, after) AND (o.xid, o.id) <= (x, hi)));
        END IF;
    ELSE
        SELECT e.value INTO epoch FROM epoch AS e;
    END IF;
    RETURN NEXT;
    IF any_late THEN
        RETURN QUERY SELECT * FROM late_events(since, hi, seen_tli, upper_snapshot, after, max_rows,
                                               max_bytes);
        RETURN;
    END IF;
    RETURN QUERY
    SELECT p.id, p.xid, p.namespace, array_to_string(p.rooms, ','), p.except_principal, p.payload,
           NULL::pg_snapshot, NULL::text, p.more,
           CASE WHEN p.durable THEN coalesce(p.repeats, p.id) END
    FROM (SELECT n.*, row_number() OVER w AS number, lead(n.id) OVER w IS NOT NULL AS more,
                 sum(octet_length(n.payload)) OVER w - octet_length(n.payload) AS before
          FROM (SELECT e.* FROM event AS e
                WHERE e.id > greatest(hi, after) AND pg_visible_in_snapshot(e.xid, upper_snapshot)
                ORDER BY e.id LIMIT max_rows + 1) AS n
          WINDOW w AS (ORDER BY n.id)) AS p
    WHERE p.number <= max_rows AND p.before < max_bytes
    ORDER BY p.id;
END $$;
COMMENT ON FUNCTION events_since(pg_snapshot, bigint, integer, pg_snapshot, bigint, integer,
                                 integer) IS
    'The events that are new since the cursor (since, hi), in the order of their ids. The first '
    'row is the head: its snapshot is the upper one (upto, or the present one if upto is NULL), '
    'its epoch that of the leases (NULL: open() must be called). Then the events with id > after '
    '(0 on the first page), at most max_rows, and none beyond the one with which their payloads '
    'reach max_bytes. more: another follows; after the last row of a page, ask again with upto = '
    'the head''s snapshot and after = its id. ack: clients that receive it are to acknowledge it, '
    'as this for ack(). seen_tli: NULL, or, on the first read after open() gave a greater '
    'timeline, the one seen before. rooms are joined by commas.';
