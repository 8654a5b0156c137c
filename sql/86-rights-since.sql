-- rights_since: the rooms of connected clients, when they may have changed.
--
-- pushd asks for them in one statement with the first page of events_since, so that both share a
-- snapshot, and sets them before any event. It begins with the snapshot that open() returned,
-- before which no rooms were read.
--
-- audit  rooms of clients that no change names: a trigger may have been disabled or bypassed
--
-- HQ's tables are read only if there is a reason to. If one is locked (a migration), the clients in
-- question receive nothing until their rooms can be read, and all others go on.

CREATE FUNCTION rights_scopes(since pg_snapshot) RETURNS text[]
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, vantage6_events, pg_temp SET enable_seqscan = off AS $$
BEGIN
    RETURN ARRAY(
        SELECT DISTINCT unnest(n.scopes) FROM (
            SELECT c.scopes FROM rights_change AS c WHERE c.xid >= pg_snapshot_xmax(since)
            UNION ALL
            SELECT c.scopes FROM rights_change AS c
            WHERE c.xid = ANY (ARRAY(SELECT pg_snapshot_xip(since)))) AS n);
END $$;
COMMENT ON FUNCTION rights_scopes(pg_snapshot) IS
    'The scopes of all changes of rights that this snapshot does not see.';

CREATE FUNCTION leased(incarnation bigint, scopes text[]) RETURNS SETOF lease
    LANGUAGE sql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    SELECT l.* FROM lease AS l
    WHERE l.incarnation = leased.incarnation
      AND ('all' = ANY (scopes) OR 'principal_' || l.principal_id = ANY (scopes)
           OR 'kick_' || l.principal_id = ANY (scopes)
           OR 'socket_' || l.sid = ANY (scopes) OR l.kind = 'user' AND 'users' = ANY (scopes)
           OR l.kind = 'user' AND EXISTS (
               SELECT FROM vantage6_events.principal AS p
               WHERE p.id = l.principal_id AND 'organization_' || p.organization_id = ANY (scopes)))
$$;
COMMENT ON FUNCTION leased(bigint, text[]) IS
    'The leases of the incarnation that are in the scopes.';

CREATE FUNCTION rights_since_logic(incarnation bigint, since pg_snapshot, audit_after text,
                                   audit_rows integer)
    RETURNS TABLE (sid text, principal_id integer, rooms text, known boolean, noted boolean,
                   audited boolean)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, vantage6_events, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    lives boolean;
    changed boolean; -- may something have?
    scopes text[] := '{}';
    found_rows json;
BEGIN
    -- Mostly nothing has changed, and one statement sees so: pushd asks at every bell.
    SELECT EXISTS (SELECT FROM instance AS i WHERE i.incarnation = rights_since_logic.incarnation),
           pg_snapshot_xmin(since) < pg_snapshot_xmax(since)
           OR (SELECT c.xid FROM rights_change AS c ORDER BY c.xid DESC LIMIT 1)
              >= pg_snapshot_xmax(since)
    INTO lives, changed;
    IF changed THEN
        scopes := rights_scopes(since);
    END IF;
    -- An incarnation that was ended has no leases, and must not take that for no change.
    IF NOT lives THEN
        RAISE EXCEPTION 'incarnation % has ended', incarnation
            USING ERRCODE = 'V6010', HINT = 'Call open() again and register the live connections.';
    ELSIF cardinality(scopes) = 0 AND audit_rows IS NULL THEN
        RETURN;
    END IF;
    BEGIN
        SELECT json_agg(x) INTO found_rows FROM (
            WITH looked_at AS (
                SELECT l.sid, l.principal_id, l.subject, true AS noted, false AS audited
                FROM leased(rights_since_logic.incarnation, scopes) AS l
                UNION ALL
                (SELECT l.sid, l.principal_id, l.subject, false, true FROM lease AS l
                 WHERE l.incarnation = rights_since_logic.incarnation AND l.sid > audit_after
                 ORDER BY l.sid LIMIT audit_rows)
            ), asked AS (
                SELECT l.sid, CASE WHEN ('kick_' || l.principal_id = ANY (scopes)) IS NOT TRUE
                                   THEN l.principal_id END AS principal_id,
                       l.subject, l.noted, l.audited
                FROM looked_at AS l
            ), room AS (
                SELECT r.principal_id, string_agg(r.room, ',' ORDER BY r.room COLLATE "C") AS list
                FROM rooms_of(ARRAY(SELECT DISTINCT a.principal_id FROM asked AS a)) AS r
                GROUP BY r.principal_id)
            SELECT a.sid, a.principal_id, CASE WHEN p.id IS NOT NULL THEN room.list END AS rooms,
                   true AS known, bool_or(a.noted) AS noted, bool_or(a.audited) AS audited
            FROM asked AS a
            LEFT JOIN vantage6_events.principal AS p
                ON p.id = a.principal_id AND p.subject = a.subject
            LEFT JOIN room ON room.principal_id = a.principal_id
            GROUP BY a.sid, a.principal_id, p.id, room.list ORDER BY a.sid) AS x;
    EXCEPTION WHEN lock_not_available THEN
        -- Which organization a user is of is not known either: any that is in the scopes.
        SELECT json_agg(x) INTO found_rows FROM (
            SELECT l.sid, CASE WHEN NOT x.kicked THEN l.principal_id END AS principal_id,
                   NULL::text AS rooms, x.kicked AS known, true AS noted, false AS audited
            FROM lease AS l
            CROSS JOIN LATERAL (
                SELECT coalesce('kick_' || l.principal_id = ANY (scopes), false) AS kicked) AS x
            WHERE l.incarnation = rights_since_logic.incarnation
              AND (x.kicked OR 'all' = ANY (scopes) OR 'principal_' || l.principal_id = ANY (scopes)
                   OR 'socket_' || l.sid = ANY (scopes)
                   OR l.kind = 'user' AND EXISTS (SELECT FROM unnest(scopes) AS s
                                                  WHERE s = 'users' OR s LIKE 'organization%'))
            ORDER BY l.sid) AS x;
    END;
    RETURN QUERY SELECT * FROM json_to_recordset(found_rows) AS x (
        sid text, principal_id integer, rooms text, known boolean, noted boolean, audited boolean);
END $$;
COMMENT ON FUNCTION rights_since_logic(bigint, pg_snapshot, text, integer) IS
    'The rooms of clients of the incarnation whose rights may have changed since the snapshot, as '
    'of this statement; to be asked with the first page of events_since, and heeded before its '
    'events. rooms are joined by commas, NULL if the principal is none any more. principal_id '
    'NULL: kick() closes the connection. known: false if a '
    'lock on HQ''s tables kept them from being read (0.1 s): connect() the client again. noted: a '
    'change names it; audited: it is one of the audit_rows (NULL: none) that come after '
    'audit_after in the order of sids. V6010.';
