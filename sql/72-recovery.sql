-- Recovery: a client that lost its connection connects again, proves its identity, and receives
-- what it missed.
--
-- resume  to go on as an earlier connection by naming its key, which only its client knows. A key
--         is good once: the new connection takes it over, or it is gone if that is not recovered
-- holder  the connection that has the key. More may live under it: a daemon that has not noticed
--         the end of a connection registers it again. All are over when the key is taken over
-- since   the snapshot when the connection began. Until its client shows a place, it may have
--         received nothing, whatever was sent to it. A crash makes it unknown
-- place   what an offset says that a client has received: all that snapshot prev sees, and, of what
--         cur sees, the events up to an id. pushd signs offsets and appends one to each event
-- replay  what was missed, sent before the answer to CONNECT. A client that shows the same place
--         again never got that answer, but may have got a part of the replay: socket.io-client
--         keeps that, and would deliver it twice
--
-- A client receives everything that it missed, and once, or is told that it is not recovered.
--
-- Rows of resumable are locked before leases, and in the order of their keys. So the end of a
-- connection, its registration again and its takeover come one after the other, and each finds what
-- the one before has left.

CREATE TYPE socket AS (
    sid text, nsp text, subject text, transport text, address text, expires double precision,
    pid text, again boolean, was text, place json, most_bytes bigint, expired boolean,
    token text, user_agent text);
COMMENT ON TYPE socket IS 'A connection that connect() is to register';
COMMENT ON COLUMN socket.sid IS 'Its Socket.IO id';
COMMENT ON COLUMN socket.nsp IS 'Its Socket.IO namespace';
COMMENT ON COLUMN socket.subject IS 'The sub of its token';
COMMENT ON COLUMN socket.transport IS 'websocket or polling';
COMMENT ON COLUMN socket.address IS 'Network address of the client';
COMMENT ON COLUMN socket.expires IS 'When its token expires, in seconds since 1970, or NULL';
COMMENT ON COLUMN socket.pid IS 'Its secret name, by which its client may resume it later, or NULL';
COMMENT ON COLUMN socket.again IS 'true: it was registered before';
COMMENT ON COLUMN socket.was IS 'pid of the connection that it resumes, or NULL';
COMMENT ON COLUMN socket.place IS
    '{"prev", "cur", "id"} of its offset; NULL: it has received nothing; {}: not known';
COMMENT ON COLUMN socket.most_bytes IS 'What may be replayed to it; NULL: any number';
COMMENT ON COLUMN socket.expired IS
    'true: its token has expired, and only resuming or returning proves who its client is';
COMMENT ON COLUMN socket.token IS
    'Fingerprint of its token (SHA-256 in base64url), or NULL: it may not return with it';
COMMENT ON COLUMN socket.user_agent IS 'User-Agent of its client, or NULL';

CREATE FUNCTION end_leases(sids text[], forgotten text[] DEFAULT '{}') RETURNS SETOF lease
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    PERFORM FROM resumable AS r
    WHERE r.key IN (SELECT l.key FROM unnest(sids) AS s JOIN lease AS l ON l.sid = s)
    ORDER BY r.key FOR UPDATE;
    DELETE FROM resumable AS r USING unnest(forgotten) AS s JOIN lease AS l ON l.sid = s
    WHERE r.key = l.key AND r.holder = l.sid;
    UPDATE resumable AS r SET holder = NULL, ended_at = clock_timestamp()
    FROM unnest(sids) AS s JOIN lease AS l ON l.sid = s
    WHERE r.key = l.key AND (r.holder = l.sid OR r.holder IS NULL);
    RETURN QUERY DELETE FROM lease AS l WHERE l.sid IN (SELECT unnest(sids)) RETURNING l.*;
END $$;
COMMENT ON FUNCTION end_leases(text[], text[]) IS
    'Ends the leases of the sids, and returns them; forgotten are those that cannot be resumed.';

-- The daemons of connections that seemed to live are told by rights_since(): without a subject they
-- have no principal.
CREATE FUNCTION resume(sockets socket[]) RETURNS resumable[]
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    asked socket[] := ARRAY( -- of several that name one key, the first
        SELECT DISTINCT ON (s.was, s.nsp, s.subject) s FROM unnest(sockets) AS s
        WHERE s.was IS NOT NULL ORDER BY s.was, s.nsp, s.subject, s.sid COLLATE "C");
    taken resumable[];
    over text[];
BEGIN
    IF cardinality(asked) = 0 THEN
        RETURN '{}';
    END IF;
    WITH taken_over AS (
        UPDATE resumable AS r
        SET holder = s.sid, ended_at = coalesce(r.ended_at, clock_timestamp())
        FROM unnest(asked) AS s
        WHERE r.key = s.was AND r.nsp = s.nsp AND r.subject = s.subject
          AND NOT EXISTS (SELECT FROM kicked AS k WHERE k.name = r.key)
        RETURNING r)
    SELECT array_agg(t.r) INTO taken FROM taken_over AS t;
    WITH ended AS (
        UPDATE lease AS l SET key = NULL, subject = '' FROM unnest(taken) AS t
        WHERE l.key = t.key RETURNING l.sid)
    SELECT array_agg('socket_' || e.sid ORDER BY e.sid) INTO over FROM ended AS e;
    IF over IS NOT NULL THEN
        INSERT INTO rights_change (scopes) VALUES (over);
        PERFORM ring();
    END IF;
    RETURN taken;
END $$;
COMMENT ON FUNCTION resume(socket[]) IS
    'Gives the sockets what they resume, each once, and returns that: with the new holder, and '
    'when it ended, which is now if it seemed to live.';

-- Bounded by what the log has had since, for all clients: that is what it costs. And by what
-- fits into the client's queue: the frame of an event is its payload, the namespace and the offset,
-- which is two snapshots, an id and a signature.
CREATE FUNCTION missed_events(principal integer, namespace text, rooms text[], prev pg_snapshot,
                              cur pg_snapshot, upto bigint, most integer, most_bytes bigint)
    RETURNS json
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, vantage6_events, pg_temp SET enable_seqscan = off SET jit = off
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
            FROM ((SELECT * FROM event AS a WHERE a.xid >= prev_max)
                  UNION ALL
                  (SELECT * FROM event AS b WHERE b.xid = ANY (prev_open))) AS x
            WHERE NOT (pg_visible_in_snapshot(x.xid, cur) AND x.id <= upto)
            LIMIT most + 1
        ), total AS (
            SELECT count(*) AS events,
                   sum(frame + octet_length(e.payload)) FILTER (WHERE e.its) AS bytes
            FROM since AS e)
        SELECT json_build_object('prev', prev, 'cur', cur, 'events', coalesce((
            SELECT json_agg(json_build_array(e.id, e.payload, e.later) ORDER BY e.later, e.id)
            FROM since AS e WHERE e.its), '[]'))
        FROM total AS t WHERE t.events <= most AND (t.bytes > most_bytes) IS NOT TRUE);
END $$;
COMMENT ON FUNCTION missed_events(integer, text, text[], pg_snapshot, pg_snapshot, bigint, integer,
                                  bigint) IS
    'What a client of the principal in these rooms has not received since its place (prev, cur, '
    'upto): {"prev", "cur", "events": [[id, payload, whether cur does not see it]]}, in the order '
    'in which it is to receive them; NULL if the log has had more than most events since, or if '
    'they take more than most_bytes (NULL: any number).';

CREATE FUNCTION missed(socket socket, was resumable, rooms text[]) RETURNS json
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    prev pg_snapshot := was.since;
    cur pg_snapshot := was.since;
    upto bigint := 0;
BEGIN
    IF (was.ended_at > clock_timestamp() - least(duration('recovery'),
                                                 duration('retention'))) IS NOT TRUE
       -- The same socket asks again if its link was lost: nothing was sent to it.
       OR was.replayed ->> 'sid' <> socket.sid
          AND (was.replayed -> 'place')::text = coalesce(socket.place::text, 'null') THEN
        RETURN NULL;
    END IF;
    -- A place of an earlier connection says that the client has received nothing of this one.
    IF socket.place IS NOT NULL AND (pg_snapshot_xmax((socket.place ->> 'prev')::pg_snapshot)
                                     < pg_snapshot_xmax(was.since)) IS NOT TRUE THEN
        prev := socket.place ->> 'prev';
        cur := socket.place ->> 'cur';
        upto := socket.place ->> 'id';
    END IF;
    IF prev IS NULL OR EXISTS (
            SELECT FROM unnest(rights_scopes(prev)) AS c
            WHERE c IN ('all', 'users', 'principal_' || was.principal_id)
               OR c = 'organization_' || (
                  SELECT p.organization_id FROM vantage6_events.principal AS p
                  WHERE p.id = was.principal_id)) THEN
        RETURN NULL; -- its rooms may have changed since
    END IF;
    RETURN missed_events(was.principal_id, was.nsp, rooms, prev, cur, upto,
                         setting('recovery_events')::integer, socket.most_bytes);
END $$;
COMMENT ON FUNCTION missed(socket, resumable, text[]) IS
    'What the socket, which has resumed that connection and is in these rooms, missed, as '
    'missed_events() returns it; NULL if it cannot be recovered.';

CREATE FUNCTION tidy_resumable() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    DELETE FROM resumable AS r WHERE r.key IN (
        SELECT s.key FROM resumable AS s
        WHERE s.ended_at < now() - greatest(duration('resume_identity'),
                                            duration('recovery'))
        ORDER BY s.ended_at LIMIT 1000 FOR UPDATE SKIP LOCKED)
$$;
COMMENT ON FUNCTION tidy_resumable() IS 'Forgets connections that ended too long ago.';
