-- costs: what a principal may send in all, and how large the log may be.
--
-- mean  what is counted in sent fades: of what is 10 s old a third counts, of what is 20 s old a
--       seventh. So the sum is ten times the mean rate, over any number of rows and instances
--
-- A principal above a rate is not refused: pushd reads nothing of it until the mean is back. So
-- what a full log keeps out waits in the clients, and HQ is never held up.
--
-- What each receive() calls is in plpgsql, which keeps its plans.

CREATE FUNCTION still(amount double precision, at timestamptz) RETURNS double precision
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Not less than exp(-100), since a number that is too small is an error.
    RETURN amount * exp(-least(100, greatest(0, extract(epoch FROM clock_timestamp() - at)
                                                ::double precision / 10)));
END $$;
COMMENT ON FUNCTION still(double precision, timestamptz) IS
    'What of an amount of that time counts now.';

CREATE FUNCTION count_sent(incarnation bigint, last bigint, items json) RETURNS json
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    result json;
BEGIN
    WITH new AS (
        SELECT x.principal AS id, count(*) AS events, sum(octet_length(x.event::text)) AS bytes
        FROM json_to_recordset(items) AS x (seq bigint, principal integer, event json)
        WHERE x.seq > last AND x.principal IS NOT NULL GROUP BY x.principal
    ), mine AS (
        INSERT INTO sent AS s (principal_id, incarnation, events, bytes, at)
        SELECT n.id, count_sent.incarnation, n.events, n.bytes, clock_timestamp()
        FROM new AS n ORDER BY n.id
        ON CONFLICT ON CONSTRAINT sent_pkey DO UPDATE
        SET (events, bytes, at) = (still(s.events, s.at) + excluded.events,
                                   still(s.bytes, s.at) + excluded.bytes, excluded.at)
        RETURNING s.*
    ), fill AS (
        SELECT m.principal_id AS id, x.name, x.sum / (10 * nullif(x.rate, 0)) AS of_limit
        FROM mine AS m
        LEFT JOIN LATERAL (
            SELECT sum(still(o.events, o.at)) AS events, sum(still(o.bytes, o.at)) AS bytes
            FROM sent AS o
            WHERE o.principal_id = m.principal_id AND o.incarnation <> m.incarnation) AS o ON true,
        LATERAL (VALUES
            ('principal_event_rate', m.events + coalesce(o.events, 0),
             setting('principal_event_rate')::double precision),
            ('principal_byte_rate', m.bytes + coalesce(o.bytes, 0),
             bytes('principal_byte_rate')::double precision)) AS x (name, sum, rate)
    ), beyond AS (
        SELECT DISTINCT ON (f.id) f.id AS principal, f.name AS reason,
               ceil(1000 * least(60, 10 * ln(f.of_limit)))::integer AS ms
        FROM fill AS f WHERE f.of_limit > 1 ORDER BY f.id, f.of_limit DESC
    )
    SELECT json_agg(o ORDER BY o.principal) INTO result FROM beyond AS o;
    RETURN result;
END $$;
COMMENT ON FUNCTION count_sent(bigint, bigint, json) IS
    'Counts the items after the last one. Returns the principals among theirs that have sent too '
    'much, over all instances, or NULL: [{"principal", "reason": the setting, "ms": until the mean '
    'is back, 60 s at most}].';

CREATE FUNCTION tidy_sent() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    -- Not those of incarnations that live: receive() would wait for the rows.
    DELETE FROM sent AS s WHERE s.at < now() - interval '5 minutes'
        AND NOT EXISTS (SELECT FROM instance AS i WHERE i.incarnation = s.incarnation)
$$;
COMMENT ON FUNCTION tidy_sent() IS 'Forgets what incarnations counted that have ended.';

CREATE FUNCTION measure_log(incarnation bigint) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    UPDATE instance AS i
    SET log_bytes = pg_total_relation_size('event_0') + pg_total_relation_size('event_1')
                    + pg_total_relation_size('event_2')
    WHERE i.incarnation = measure_log.incarnation
$$;
COMMENT ON FUNCTION measure_log(bigint) IS
    'Notes the size of the log, for the receive() of this incarnation.';

CREATE FUNCTION log_fill(incarnation bigint) RETURNS double precision
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    RETURN (SELECT i.log_bytes / nullif(bytes('max_log_bytes'), 0)::double precision
            FROM instance AS i WHERE i.incarnation = log_fill.incarnation);
END $$;
COMMENT ON FUNCTION log_fill(bigint) IS
    'Size of the log as a part of max_log_bytes; NULL: not measured yet, or any size is good.';

CREATE FUNCTION log_is_full(incarnation bigint) RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp
AS $$ BEGIN RETURN coalesce(log_fill(incarnation) >= 1, false); END $$;
COMMENT ON FUNCTION log_is_full(bigint) IS 'Whether what clients sent must wait.';

CREATE FUNCTION costs(incarnation bigint, last bigint, items json) RETURNS json
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    fill double precision := log_fill(incarnation);
    beyond json;
BEGIN
    IF (fill >= 1) IS NOT TRUE THEN -- what waits comes again, and counts then
        beyond := count_sent(incarnation, last, items);
    END IF;
    RETURN nullif(json_strip_nulls(json_build_object('over', beyond, 'log', CASE
        WHEN fill >= 0.75 THEN json_build_array(json_build_object(
            'bytes', (SELECT i.log_bytes FROM instance AS i
                      WHERE i.incarnation = costs.incarnation),
            'most', bytes('max_log_bytes'))) END))::text, '{}')::json;
END $$;
COMMENT ON FUNCTION costs(bigint, bigint, json) IS
    'What receive() reports of costs, or NULL: {"over": see count_sent(), "log": [{"bytes", "most"}'
    ': the log has three quarters of max_log_bytes, or more]}.';
