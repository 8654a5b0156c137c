-- What a client may go on with after the server ended its connection: the token that it had been
-- accepted with, though that has expired meanwhile. A node need not fetch a new one because pushd
-- was restarted.
--
-- interrupted  a connection that the server ended: it was drained, or its instance died or was
--              taken over. Other ends do not count, and a crash of the database empties the table
-- return       to connect with the same token, from the same address, to the same namespace, within
--              drain_grace of that end. Each interrupted connection is good for one return
--
-- A table of its own beside resumable: that has a row for each connection that lives, under a key
-- that only its client knows, and outlives ends of any kind. This has none before the end.

CREATE FUNCTION keep_interrupted(ended lease[], at timestamptz) RETURNS void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    INSERT INTO interrupted (sid, incarnation, principal_id, nsp, token, address, ended_at)
    SELECT l.sid, l.incarnation, l.principal_id, l.nsp, l.token, l.address, at
    FROM unnest(ended) AS l
    WHERE l.token IS NOT NULL AND l.address IS NOT NULL AND l.subject <> ''
    ON CONFLICT (sid) DO UPDATE SET ended_at = excluded.ended_at
$$;
COMMENT ON FUNCTION keep_interrupted(lease[], timestamptz) IS
    'The server ended these connections then.';

-- A daemon that lost its link opens its instance again, which ends the leases that it had. But
-- their connections live, or have ended by themselves.
CREATE FUNCTION not_interrupted(incarnations bigint[]) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    PERFORM FROM interrupted AS i
    WHERE i.incarnation = ANY (incarnations) ORDER BY i.sid FOR UPDATE;
    DELETE FROM interrupted AS i WHERE i.incarnation = ANY (incarnations);
END $$;
COMMENT ON FUNCTION not_interrupted(bigint[]) IS
    'It was not the server that ended the connections of these incarnations: their daemon goes on.';

-- It may have died right after its last beat.
CREATE FUNCTION died_at(beat_at timestamptz) RETURNS timestamptz
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$ SELECT least(clock_timestamp(), beat_at + interval '5 seconds') $$;
COMMENT ON FUNCTION died_at(timestamptz) IS
    'When an instance died of which this is the last beat: at the latest.';

CREATE FUNCTION leases_with_token(sockets socket[]) RETURNS SETOF lease
    LANGUAGE sql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    SELECT l.* FROM lease AS l WHERE l.sid IN (
        SELECT m.sid FROM unnest(sockets) AS s
        JOIN vantage6_events.principal AS p ON p.subject = s.subject
        JOIN lease AS m ON m.principal_id = p.id AND m.token = s.token AND m.nsp = s.nsp
            AND m.address = s.address AND m.sid <> s.sid
        WHERE s.expired)
$$;
COMMENT ON FUNCTION leases_with_token(socket[]) IS
    'The leases that those of the sockets whose token has expired may go on with, if their '
    'instances are dead.';

-- end_dead() waits for some beats, since a daemon that has only lost its link comes back. A client
-- that is here again is not there any more.
CREATE FUNCTION end_leases_of_dead(incarnation bigint, sockets socket[]) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    item record;
    ended lease[];
BEGIN
    FOR item IN
        WITH held AS MATERIALIZED (
            SELECT l.incarnation, array_agg(l.sid) AS sids FROM leases_with_token(sockets) AS l
            WHERE l.incarnation <> end_leases_of_dead.incarnation GROUP BY l.incarnation)
        SELECT h.sids, i.beat_at FROM held AS h JOIN instance AS i USING (incarnation)
        WHERE pg_try_advisory_xact_lock_shared(lock_space(), lock_key(h.incarnation))
        ORDER BY h.incarnation
    LOOP
        ended := ARRAY(SELECT l FROM end_leases(item.sids) AS l);
        PERFORM keep_interrupted(ended, died_at(item.beat_at));
        PERFORM log_lost(ended, died_at(item.beat_at));
        PERFORM expect(ARRAY(SELECT e.principal_id FROM unnest(ended) AS e),
                       duration('drain_grace'));
    END LOOP;
END $$;
COMMENT ON FUNCTION end_leases_of_dead(bigint, socket[]) IS
    'Ends the leases with a token of these sockets that instances held which are dead: another '
    'incarnation''s advisory lock is free.';

-- A connection that is registered again was not ended. Another one that comes uses an end up, also
-- if its token is still good: the end has been made up for.
CREATE FUNCTION returned(sockets socket[]) RETURNS text[]
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    since timestamptz := clock_timestamp() - least(duration('drain_grace'),
                                                   duration('resume_token'));
    sids text[];
BEGIN
    PERFORM FROM interrupted AS i
    WHERE i.token IN (SELECT s.token FROM unnest(sockets) AS s) ORDER BY i.sid FOR UPDATE;
    IF NOT FOUND THEN
        RETURN '{}';
    END IF;
    DELETE FROM interrupted AS i USING unnest(sockets) AS s WHERE i.sid = s.sid AND s.again;
    WITH asked AS (
        SELECT s.*, row_number() OVER (PARTITION BY s.token, s.nsp, s.address
                                       ORDER BY s.expired DESC NULLS LAST, s.sid) AS n
        FROM unnest(sockets) AS s WHERE s.token IS NOT NULL AND s.again IS NOT TRUE
    ), there AS (
        SELECT i.*, row_number() OVER (PARTITION BY i.token, i.nsp, i.address
                                       ORDER BY i.ended_at DESC, i.sid) AS n
        FROM interrupted AS i
        WHERE i.token IN (SELECT a.token FROM asked AS a) AND i.ended_at > since
          AND NOT EXISTS (SELECT FROM kicked AS k WHERE k.name = i.sid)
    ), used AS (
        DELETE FROM interrupted AS i USING there AS t JOIN asked AS a USING (token, nsp, address, n)
        WHERE i.sid = t.sid RETURNING a.sid, a.subject, i.principal_id)
    SELECT array_agg(u.sid) INTO sids FROM used AS u
    JOIN vantage6_events.principal AS p ON p.id = u.principal_id AND p.subject = u.subject;
    RETURN coalesce(sids, '{}');
END $$;
COMMENT ON FUNCTION returned(socket[]) IS
    'The sids of the sockets whose clients return, each as one interrupted connection, which is '
    'used up.';

CREATE FUNCTION tidy_interrupted() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    DELETE FROM interrupted AS i WHERE i.sid IN (
        SELECT j.sid FROM interrupted AS j WHERE j.ended_at < now() - duration('drain_grace')
        ORDER BY j.ended_at LIMIT 10000 FOR UPDATE SKIP LOCKED)
$$;
COMMENT ON FUNCTION tidy_interrupted() IS
    'Forgets connections that the server ended too long ago.';
