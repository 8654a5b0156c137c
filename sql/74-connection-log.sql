-- The log of connections: who was connected when, from where, and why it ended.
--
-- One row a connection. A row is written with the lease, in one statement for a batch, and changed
-- at the end. So a connection costs the database one more insert and one more update.
--
-- instance_lost  the end of a connection whose end nobody reported: its instance died, or lost its
--                link. If the connection lived on, its daemon registers it again: the row goes on
--
-- An instance writes the rows of its own connections, and of instances that are dead. If the table
-- is locked, a row is missing, and the connection works.

CREATE FUNCTION warn_unlogged(reason text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE WARNING 'connections were not written down: %', reason
        USING HINT = 'Something holds a lock on vantage6_events.connection_log.';
END $$;
COMMENT ON FUNCTION warn_unlogged(text) IS
    'connection_log is locked, and clients do not wait for that.';

CREATE FUNCTION log_connections(sockets socket[]) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, vantage6_events, pg_temp SET enable_seqscan = off AS $$
BEGIN
    WITH come AS (
        SELECT l.*, left(s.user_agent, 100) AS user_agent, i.name AS instance
        FROM unnest(sockets) AS s JOIN lease AS l ON l.sid = s.sid
        JOIN instance AS i ON i.incarnation = l.incarnation
        WHERE setting('audit_days')::integer > 0
    ), known AS (
        SELECT c.id, c.sid, o.incarnation, o.instance,
               c.ended_at IS NOT NULL OR c.incarnation <> o.incarnation AS differs
        FROM come AS o JOIN connection_log AS c ON c.sid = o.sid AND c.principal_id = o.principal_id
    ), goes_on AS (
        UPDATE connection_log AS c SET (ended_at, reason, incarnation, instance)
            = (NULL, NULL, k.incarnation, k.instance)
        FROM known AS k WHERE c.id = k.id AND k.differs)
    INSERT INTO connection_log (sid, incarnation, instance, principal_id, kind, subject, nsp,
                                transport, address, user_agent, connected_at)
    SELECT o.sid, o.incarnation, o.instance, o.principal_id, o.kind, o.subject, o.nsp, o.transport,
           o.address, o.user_agent, o.connected_at
    FROM come AS o WHERE NOT EXISTS (SELECT FROM known AS k WHERE k.sid = o.sid)
    ORDER BY o.connected_at, o.sid;
EXCEPTION WHEN lock_not_available THEN
    PERFORM warn_unlogged(sqlerrm);
END $$;
COMMENT ON FUNCTION log_connections(socket[]) IS
    'Writes down the sockets that have a lease; those that are written down already go on.';

CREATE FUNCTION log_ends(ended lease[], sids text[], reasons text[]) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, vantage6_events, pg_temp SET enable_seqscan = off AS $$
BEGIN
    UPDATE connection_log AS c
    SET ended_at = clock_timestamp(), reason = left(e.reason, 64),
        transport = coalesce(e.transport, c.transport)
    FROM (SELECT DISTINCT ON (s.sid) s.sid, s.reason, l.transport
          FROM unnest(sids, reasons) AS s (sid, reason) LEFT JOIN unnest(ended) AS l USING (sid)
          ORDER BY s.sid) AS e
    WHERE c.sid = e.sid AND (c.ended_at IS NULL OR c.reason = 'instance_lost');
EXCEPTION WHEN lock_not_available THEN
    PERFORM warn_unlogged(sqlerrm);
END $$;
COMMENT ON FUNCTION log_ends(lease[], text[], text[]) IS
    'These connections have ended, and why; ended are the leases of those that had one.';

CREATE FUNCTION log_lost(ended lease[], at timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, vantage6_events, pg_temp SET enable_seqscan = off AS $$
BEGIN
    UPDATE connection_log AS c
    SET ended_at = greatest(at, c.connected_at), reason = 'instance_lost',
        transport = coalesce(l.transport, c.transport)
    FROM unnest(ended) AS l WHERE c.sid = l.sid AND c.ended_at IS NULL;
EXCEPTION WHEN lock_not_available THEN
    PERFORM warn_unlogged(sqlerrm);
END $$;
COMMENT ON FUNCTION log_lost(lease[], timestamptz) IS
    'The instance that held these connections was lost then.';

CREATE FUNCTION log_all_lost(gone bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, vantage6_events, pg_temp SET enable_seqscan = off AS $$
BEGIN
    UPDATE connection_log AS c SET ended_at = clock_timestamp(), reason = 'instance_lost'
    WHERE c.ended_at IS NULL AND CASE WHEN gone IS NOT NULL THEN c.incarnation = gone
        ELSE NOT EXISTS (SELECT FROM instance AS i WHERE i.incarnation = c.incarnation) END;
EXCEPTION WHEN lock_not_available THEN
    PERFORM warn_unlogged(sqlerrm);
END $$;
COMMENT ON FUNCTION log_all_lost(bigint) IS
    'What is written down as connected to this incarnation, which has ended, is not any more; '
    'NULL: to any that has.';

CREATE FUNCTION tidy_connections() RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, vantage6_events, pg_temp SET enable_seqscan = off AS $$
    DELETE FROM connection_log AS c WHERE c.id IN (
        SELECT d.id FROM connection_log AS d
        WHERE d.ended_at < now() - make_interval(days => setting('audit_days')::integer)
        ORDER BY d.ended_at LIMIT 10000 FOR UPDATE SKIP LOCKED);
    DELETE FROM connection_log AS c WHERE c.id IN (
        SELECT d.id FROM connection_log AS d
        WHERE (d.ended_at IS NOT NULL OR setting('audit_days') = '0')
          AND d.id <= (SELECT max(m.id) FROM connection_log AS m)
                      - CASE WHEN setting('audit_days') = '0' THEN 0
                             ELSE setting('audit_rows')::bigint END
        ORDER BY d.id LIMIT 50000 FOR UPDATE SKIP LOCKED);
$$;
COMMENT ON FUNCTION tidy_connections() IS
    'Forgets connections that ended more than audit_days ago, and the oldest of those that have '
    'ended beyond audit_rows.';
