-- Recovery: a client that lost its connection comes back, proves who it is, and gets what it missed.
--
-- pid      the secret name of a connection, which only its client knows; it is told in the answer to CONNECT
-- parted   a connection that has ended in a way after which its client may come back
-- claim    a client that connects and names the pid of an earlier connection of its user. It is good once: for one
--          that has parted or for one that seems to live still, which then is over
-- since    what a connection begins at. One that goes on under its name keeps it: until its client shows a place it
--          may have heard nothing, whatever was sent to it. After a crash nobody knows it any more, nor of the second of two
--          that are registered again under one name
-- place    what a client has heard of the log: everything that snapshot prev sees, and of what cur sees the
--          events up to an id. pushd signs it and appends it to each event
--
-- replay   what was missed, sent before CONNECT is answered. Who claims the same place once more never got that answer,
--          but may have got a part of the replay, which socket.io-client keeps and would hand out twice
--
-- What was missed is all or nothing, and once: "not recovered" rather than a part of it, or it again.

CREATE FUNCTION part(leases lease[], reasons text[]) RETURNS void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO vantage6_events.parted AS p (pid, principal_id, subject, nsp, since, replayed, parted_at)
    SELECT DISTINCT ON (l.pid) l.pid, l.principal_id, l.subject, l.nsp, l.since,
           first_value(l.replayed) OVER (PARTITION BY l.pid ORDER BY l.replayed IS NULL, l.sid), clock_timestamp()
    FROM unnest(leases, reasons) AS l (sid, incarnation, nsp, principal_id, subject, kind, transport, address,
                                       connected_at, expires_at, pid, since, replayed, reason)
    WHERE l.pid IS NOT NULL AND l.kind = 'user'
      AND l.reason NOT IN ('client namespace disconnect', 'parse error', 'refused', 'dismissed')
    ORDER BY l.pid, pg_snapshot_xmax(l.since) NULLS FIRST
    ON CONFLICT ON CONSTRAINT parted_pkey DO UPDATE
    SET parted_at = excluded.parted_at, replayed = coalesce(excluded.replayed, p.replayed)
$$;
COMMENT ON FUNCTION part(lease[], text[]) IS
    'Remembers connections that have ended for these reasons, in Socket.IO''s words, if their '
    'clients may come back.';

CREATE FUNCTION claims(sockets json)
    RETURNS TABLE (sid text, was text, principal_id integer, subject text, since pg_snapshot, replayed json, parted_at timestamptz)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    leases vantage6_events.lease[];
    taken text[] := '{}';
BEGIN
    -- Twice: what is looked for may be registered again meanwhile, by a daemon that has not noticed its end. Then it is
    -- not in parted any more, and is seen to live only now.
    FOR turn IN 1 .. 2 LOOP
        -- Those that seem to live are over. Their daemons are told by way of rights: whoever has no subject is nobody.
        WITH live AS (
            SELECT l FROM vantage6_events.lease AS l
            WHERE (l.pid, l.nsp, l.subject) IN (
                SELECT s.was, s.nsp, s.subject FROM json_to_recordset(sockets) AS s (was text, nsp text, subject text)
                WHERE s.was <> ALL (taken))
            ORDER BY l.sid FOR NO KEY UPDATE
        ), over AS (
            UPDATE vantage6_events.lease AS l SET pid = NULL, subject = '' FROM live AS v WHERE l.sid = (v.l).sid)
        SELECT array_agg(v.l) INTO leases FROM live AS v;
        IF leases IS NOT NULL THEN
            PERFORM vantage6_events.part(leases, array_fill('taken over'::text, ARRAY[cardinality(leases)]));
            INSERT INTO vantage6_events.rights_change (scopes)
            SELECT array_agg('socket_' || l.sid) FROM unnest(leases) AS l;
            PERFORM vantage6_events.ring();
        END IF;
        -- A statement of its own: one that was ending has been waited for above, and has parted since.
        FOR sid, was, principal_id, subject, since, replayed, parted_at IN
            WITH claim AS ( -- of two for one pid, one
                SELECT DISTINCT ON (s.was, s.nsp, s.subject) s.sid, s.was, s.nsp, s.subject
                FROM json_to_recordset(sockets) AS s (sid text, was text, nsp text, subject text)
                WHERE s.was <> ALL (taken) ORDER BY s.was, s.nsp, s.subject, s.sid)
            DELETE FROM vantage6_events.parted AS p USING claim AS c
            WHERE p.pid = c.was AND p.nsp = c.nsp AND p.subject = c.subject
            RETURNING c.sid, p.pid, p.principal_id, p.subject, p.since, p.replayed, p.parted_at
        LOOP
            taken := taken || was;
            RETURN NEXT;
        END LOOP;
    END LOOP;
END
$$;
COMMENT ON FUNCTION claims(json) IS
    'Takes the pids that sockets ("sid", "nsp", "subject", "was") claim, and returns whose they '
    'were, since which snapshot they were connected, what was last sent to them again and when '
    'they parted.';

CREATE FUNCTION rights_same(principal integer, since pg_snapshot) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT NOT EXISTS (
        SELECT FROM unnest(vantage6_events.rights_scopes(since)) AS s
        WHERE s IN ('all', 'users', 'principal_' || principal)
           OR s = 'organization_' || (SELECT p.organization_id FROM vantage6_events.principal AS p WHERE p.id = principal))
$$;
COMMENT ON FUNCTION rights_same(integer, pg_snapshot) IS
    'Whether no change that this snapshot does not see may concern the rooms of the user.';

-- Bounded by what the log has had since, whoever it was for: that is what it costs. And by what fits into the queue of
-- the client: the frame of each is the payload, the namespace, and the place, which is two snapshots, an id and a signature.
CREATE FUNCTION missed_events(principal integer, namespace text, rooms text[], prev pg_snapshot, cur pg_snapshot,
                              upto bigint, most integer, most_bytes bigint)
    RETURNS json
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off
AS $$
DECLARE
    prev_max xid8 := pg_snapshot_xmax(prev);
    prev_open xid8[] := ARRAY(SELECT pg_snapshot_xip(prev));
    frame integer := 128 + octet_length(concat(namespace, prev, cur, pg_current_snapshot()));
BEGIN
    RETURN (
        WITH since AS MATERIALIZED (
            SELECT x.id, x.payload, NOT pg_visible_in_snapshot(x.xid, cur) AS later,
                   x.namespace = missed_events.namespace AND x.rooms && missed_events.rooms
                   AND x.except_principal IS DISTINCT FROM principal AS its
            FROM ((SELECT * FROM vantage6_events.event AS a WHERE a.xid >= prev_max)
                  UNION ALL
                  (SELECT * FROM vantage6_events.event AS b WHERE b.xid = ANY (prev_open))) AS x
            WHERE NOT (pg_visible_in_snapshot(x.xid, cur) AND x.id <= upto)
            LIMIT most + 1
        ), size AS (
            SELECT count(*) AS events, coalesce(sum(frame + octet_length(e.payload)) FILTER (WHERE e.its), 0) AS bytes
            FROM since AS e)
        SELECT CASE WHEN z.events <= most AND (z.bytes <= most_bytes) IS NOT FALSE THEN json_build_object(
            'prev', prev, 'cur', cur, 'events', coalesce((
                SELECT json_agg(json_build_array(e.id, e.payload, e.later) ORDER BY e.later, e.id) FROM since AS e WHERE e.its),
                '[]')) END
        FROM size AS z);
END
$$;
COMMENT ON FUNCTION missed_events(integer, text, text[], pg_snapshot, pg_snapshot, bigint, integer, bigint) IS
    'What a client of the principal in these rooms has not heard since its place (prev, cur, '
    'upto): {"prev", "cur", "events": [[id, payload, whether cur does not see it]]}, in the order '
    'in which it is to be heard; NULL if the log has had more than most events since, or it would '
    'be sent more than most_bytes (NULL: any number).';

CREATE FUNCTION tidy_parted() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, vantage6_events, pg_temp
AS $$
    DELETE FROM parted AS p WHERE p.pid IN (
        SELECT q.pid FROM parted AS q
        WHERE q.parted_at < now() - greatest(setting('resume_identity')::interval, setting('recovery')::interval)
        ORDER BY q.parted_at LIMIT 1000 FOR UPDATE SKIP LOCKED)
$$;
COMMENT ON FUNCTION tidy_parted() IS 'Forgets connections that ended too long ago to be resumed.';
