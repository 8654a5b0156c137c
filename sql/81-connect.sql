-- connect: registers connections, and returns the rooms of each and what it is to receive first.
--
-- What pushd asks for is parsed once. Then the leases that the connections had end, those that
-- resume an earlier connection take it over, those of clients that return are found, all get a
-- lease, and one statement reads the answer.

CREATE FUNCTION register(incarnation bigint, sockets socket[], taken resumable[], back text[])
    RETURNS integer[]
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    expired_since CONSTANT double precision :=
        extract(epoch FROM clock_timestamp() - duration('resume_identity'));
    known integer[];
BEGIN
    WITH proven AS (
        SELECT s.* FROM unnest(sockets) AS s LEFT JOIN unnest(taken) AS t ON t.holder = s.sid
        -- An expired token says who its bearer was. What it resumes, or returns from, proves that
        -- it still is. To resume renews nothing: it counts from the token's own expiry.
        WHERE s.subject <> ''
          AND NOT EXISTS (SELECT FROM kicked AS k WHERE k.name = s.sid)
          AND (s.expired IS NOT TRUE OR s.sid = ANY (back)
               OR t.key IS NOT NULL AND s.expires > expired_since)
          -- A connection that another one resumes is over, though its own daemon has not noticed.
          AND NOT EXISTS (SELECT FROM unnest(taken) AS o WHERE o.key = s.pid)
    ), named AS ( -- a subject that names two principals names none
        SELECT p.subject, min(p.id) AS id, min(p.kind) AS kind
        FROM vantage6_events.principal AS p WHERE p.subject IN (SELECT s.subject FROM proven AS s)
        GROUP BY p.subject HAVING count(*) = 1
    ), leased AS (
        INSERT INTO lease AS l (sid, incarnation, nsp, principal_id, subject, kind, transport,
                                address, connected_at, expires_at, key, token)
        SELECT s.sid, register.incarnation, s.nsp, n.id, s.subject, n.kind, s.transport, s.address,
               clock_timestamp(), to_timestamp(CASE
                   WHEN s.expires < 0 THEN 0 WHEN s.expires < 253402300800 THEN s.expires
                   WHEN s.expires > 0 THEN 'infinity' END), s.pid, s.token
        FROM proven AS s JOIN named AS n USING (subject) ORDER BY s.sid
        RETURNING l.*
    ), kept AS ( -- of two under one key it is not known which one lives: the first holds it
        INSERT INTO resumable AS r (key, principal_id, subject, nsp, since, holder)
        SELECT DISTINCT ON (l.key) l.key, l.principal_id, l.subject, l.nsp,
               CASE WHEN s.again IS NOT TRUE THEN pg_current_snapshot() END, l.sid
        FROM leased AS l JOIN proven AS s USING (sid)
        WHERE l.kind = 'user' AND l.key IS NOT NULL ORDER BY l.key, l.sid
        ON CONFLICT (key) DO UPDATE SET holder = excluded.holder, ended_at = NULL,
            since = coalesce(excluded.since, r.since)
        WHERE r.holder IS NULL AND r.subject = excluded.subject)
    SELECT array_agg(DISTINCT l.principal_id) INTO known FROM leased AS l;
    RETURN known;
END $$;
COMMENT ON FUNCTION register(bigint, socket[], resumable[], text[]) IS
    'Writes the leases of the sockets; taken is what they have resumed, back are those of clients '
    'that return. Returns their principals.';

-- One statement: the snapshot is that of the rooms, of the instructions and of what was missed.
-- A greeting may be a megabyte, and a thousand connections of a node may come at once: it is made
-- and sent once for each principal and namespace.
CREATE FUNCTION answer(sockets socket[], taken resumable[], known integer[], shares boolean)
    RETURNS TABLE (sid text, principal_id integer, kind text, rooms text, greeting json,
                   snapshot pg_snapshot, recovers boolean, missed json)
    LANGUAGE sql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    WITH room AS (
        SELECT r.principal_id, string_agg(r.room, ',' ORDER BY r.room COLLATE "C") AS list
        FROM rooms_of(known) AS r GROUP BY r.principal_id)
    SELECT s.sid, r.principal_id,
           CASE WHEN r.list IS NOT NULL THEN l.kind
                WHEN EXISTS (SELECT FROM kicked AS k WHERE k.name = s.sid) THEN 'kicked' END,
           r.list,
           CASE WHEN l.kind = 'node' AND shares AND s.sid <> first_value(s.sid) OVER same
                THEN to_json(first_value(s.sid) OVER same)
                WHEN l.kind = 'node' THEN greeting(l.principal_id, l.nsp) END,
           pg_current_snapshot(), l.kind = 'user' AND l.key IS NOT NULL,
           CASE WHEN t.key IS NOT NULL THEN missed(s, t, string_to_array(r.list, ',')) END
    FROM unnest(sockets) AS s
    LEFT JOIN lease AS l ON l.sid = s.sid
    LEFT JOIN room AS r ON r.principal_id = l.principal_id
    LEFT JOIN unnest(taken) AS t ON t.holder = s.sid AND t.principal_id = r.principal_id
    WINDOW same AS (PARTITION BY l.principal_id, l.nsp ORDER BY s.sid)
    ORDER BY l.principal_id, l.nsp, s.sid
$$;
COMMENT ON FUNCTION answer(socket[], resumable[], integer[], boolean) IS
    'What connect() returns of the sockets, of which known are the principals; shares: a greeting '
    'is returned once.';

-- A database that is not in UTF8 may lack a character of a subject. Nobody there has such a
-- subject, and connections that are registered together are none the worse for it. pushd writes
-- such characters as escapes, or the server would refuse them all before anything of this runs.
CREATE FUNCTION read_sockets(sockets json) RETURNS SETOF socket
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    item json;
    it socket;
BEGIN
    IF strpos(sockets::text, E'\\u') = 0 THEN
        RETURN QUERY SELECT s.* FROM json_populate_recordset(NULL::socket, sockets) AS s;
        RETURN;
    END IF;
    FOR item IN SELECT e FROM json_array_elements(sockets) AS e LOOP
        BEGIN
            it := json_populate_record(NULL::socket, item);
        EXCEPTION WHEN untranslatable_character THEN
            it := json_populate_record(NULL::socket, regexp_replace(
                item::text, E'(?<!\\\\)((?:\\\\\\\\)*)\\\\u[0-9A-Fa-f]{4}', E'\\1?', 'g')::json);
            it.subject := '';
        END;
        RETURN NEXT it;
    END LOOP;
END $$;
COMMENT ON FUNCTION read_sockets(json) IS
    'The sockets; one with a character that the database cannot hold has no subject.';

CREATE FUNCTION connect_logic(incarnation bigint, sockets json)
    RETURNS TABLE (sid text, principal_id integer, kind text, rooms text, greeting json,
                   snapshot pg_snapshot, recovers boolean, missed json)
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, vantage6_events, pg_temp
    SET lock_timeout = '100ms' -- reads wait behind it
AS $$
DECLARE
    asked socket[] := ARRAY(
        SELECT DISTINCT ON (s.sid) s FROM read_sockets(sockets) AS s
        ORDER BY s.sid);
    sids text[] := ARRAY(SELECT s.sid FROM unnest(asked) AS s);
    held lease[] := '{}';
    replaced integer[];
    known integer[];
    taken resumable[];
    shares CONSTANT boolean := (SELECT i.version !~ '^1[.]0[.]' FROM instance AS i
                                WHERE i.incarnation = connect_logic.incarnation);
    it socket;
BEGIN
    PERFORM check_incarnation(incarnation);
    IF EXISTS (SELECT FROM unnest(asked) AS s WHERE s.expired) THEN
        held := ARRAY(SELECT l FROM leases_with_token(asked) AS l);
    END IF;
    PERFORM FROM resumable AS r
    WHERE r.key IN (SELECT unnest(ARRAY[s.pid, s.was]) FROM unnest(asked) AS s
                    UNION ALL SELECT h.key FROM unnest(held) AS h)
    ORDER BY r.key FOR UPDATE;
    IF held <> '{}' THEN
        -- What is just ending them has then ended them.
        PERFORM FROM lease AS l WHERE l.sid IN (SELECT h.sid FROM unnest(held) AS h)
        ORDER BY l.sid FOR KEY SHARE;
        PERFORM end_leases_of_dead(incarnation, asked);
    END IF;
    replaced := ARRAY(SELECT l.principal_id FROM end_leases(sids) AS l);
    taken := resume(asked);
    known := register(incarnation, asked, taken, returned(asked));
    PERFORM end_graces(sids);
    PERFORM expect(replaced || known, '0');
    PERFORM greeted(known, replaced);
    FOR sid, principal_id, kind, rooms, greeting, snapshot, recovers, missed IN
        SELECT * FROM answer(asked, taken, known, shares)
    LOOP
        IF missed IS NOT NULL THEN -- it goes on under the key that it has resumed
            SELECT s.* INTO it FROM unnest(asked) AS s WHERE s.sid = connect_logic.sid;
            DELETE FROM resumable AS r WHERE r.key = it.pid;
            UPDATE resumable AS r SET ended_at = NULL, replayed =
                CASE WHEN json_array_length(missed -> 'events') > 0
                     THEN json_build_object('sid', it.sid, 'place', it.place) END
            WHERE r.key = it.was;
            UPDATE lease AS l SET key = it.was WHERE l.sid = it.sid;
        END IF;
        RETURN NEXT;
    END LOOP;
    -- Last, since a number that is drawn is gone, though HQ's tables be locked.
    PERFORM log_connections(asked);
    DELETE FROM resumable AS r USING unnest(taken) AS t -- not recovered: good once
    WHERE r.key = t.key AND r.ended_at IS NOT NULL;
END $$;
COMMENT ON FUNCTION connect_logic(bigint, json) IS
    'Registers connections, again if need be. sockets: up to 1000 objects with the fields of the '
    'type socket. One row each: principal_id, kind and rooms (joined by commas) are NULL if not '
    'exactly one principal has the subject, but kind is ''kicked'' if kick() closed the connection '
    'before it is registered again; greeting is NULL or an array of events for this socket, '
    'each {"payload": text, "ack"}: with "ack" the next follows its acknowledgement, which '
    'is said to ack() unless it is 0. After a row with a greeting, the rows of the same principal '
    'and namespace follow with its sid as the greeting: theirs is the same (not for 1.0 of '
    'vantage6-pushd, which does not know that). snapshot is that of the rooms; recovers: its '
    'client may resume it later; missed: it is recovered, and goes on as "was", after these '
    'events: {"prev", "cur", "events": [[id, payload, whether cur does not see it]]}. Errors: '
    'V6010; 55P03 if HQ''s tables are locked for 0.1 s.';
