-- events_since: what pushd reads.
--
-- cursor  (S, hi): the snapshot of the last read and the greatest id delivered. S alone loses
--         events when xids are used again after a crash, hi alone those open at the last read
-- page    at most max_rows events, and no more of them once their payloads make max_bytes; the
--         upper snapshot is fixed by the first page, and each goes on after the one before
--
-- New is id > hi, or id <= hi and written by a transaction that S did not see ended: one that began
-- later (xid >= xmax) or ran then (xip). Written "id + 0" so that only the index on (xid, id) fits:
-- the planner would read the index on id from its beginning. The settings belong to the function
-- for the same reason. The branch beyond hi ends after max_rows by itself, so that a page of a long
-- log costs a page. The others sort what those transactions wrote, for each page again.

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
    since_open xid8[] := ARRAY(SELECT pg_snapshot_xip(since));
BEGIN
    snapshot := upper_snapshot;
    epoch := (SELECT e.value FROM epoch AS e);
    RETURN NEXT;

    RETURN QUERY
    SELECT p.id, p.xid, p.namespace, array_to_string(p.rooms, ','), p.except_principal, p.payload,
           NULL::pg_snapshot, NULL::text, p.more,
           CASE WHEN p.durable THEN coalesce(p.repeats, p.id) END
    FROM (SELECT n.*, row_number() OVER w AS number, lead(n.id) OVER w IS NOT NULL AS more,
                 sum(octet_length(n.payload)) OVER w - octet_length(n.payload) AS before
          FROM ((SELECT e.* FROM event AS e
                 WHERE e.id > greatest(hi, after) AND pg_visible_in_snapshot(e.xid, upper_snapshot)
                 ORDER BY e.id LIMIT max_rows + 1)
                UNION ALL
                (SELECT e.* FROM event AS e
                 WHERE after < hi AND e.xid >= since_max AND e.id + 0 <= hi AND e.id + 0 > after
                   AND pg_visible_in_snapshot(e.xid, upper_snapshot)
                 ORDER BY e.id + 0 LIMIT max_rows + 1)
                UNION ALL
                (SELECT e.* FROM event AS e
                 WHERE after < hi AND e.xid = ANY (since_open)
                   AND e.id + 0 <= hi AND e.id + 0 > after
                   AND pg_visible_in_snapshot(e.xid, upper_snapshot)
                 ORDER BY e.id + 0 LIMIT max_rows + 1)
                UNION ALL -- after a failover, once: what was written on a timeline not seen yet
                (SELECT e.* FROM event AS e
                 WHERE seen_tli IS NOT NULL AND after < hi AND e.tli > seen_tli
                   AND e.id + 0 <= hi AND e.id + 0 > after
                   AND e.xid < since_max AND NOT e.xid = ANY (since_open)
                   AND pg_visible_in_snapshot(e.xid, upper_snapshot)
                 ORDER BY e.id + 0 LIMIT max_rows + 1)) AS n
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
