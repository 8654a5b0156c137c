-- What vantage6-pushd calls, besides presence, receive, events_since and rights_since. All take batches.
--
-- incarnation  one opening by an instance of pushd. The session that opened holds an advisory lock
--              (lock_space, incarnation): while it is held, the instance lives
-- dead         an incarnation whose lock is free and whose beat is 20 s old, or whose beat is 90 s old
--
-- lock_timeout is below deadlock_timeout (1 s): where the daemon and HQ wait for each other, the
-- daemon gives up, and tries again; HQ's transaction is never the victim.
--
-- The JSON items and results are described in the comments of the functions.

CREATE FUNCTION lock_space() RETURNS integer
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT 1983276406 $$; -- 'v6ev'
COMMENT ON FUNCTION lock_space() IS
    'First key of the advisory locks that incarnations hold. The next three are: the names of '
    'instances, the finishing of runs, upkeep.';

CREATE FUNCTION lock_key(incarnation bigint) RETURNS integer
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT (incarnation % 2147483647)::integer $$;
COMMENT ON FUNCTION lock_key(bigint) IS
    'Second key of the advisory lock that the incarnation holds.';

CREATE FUNCTION end_instance(incarnation bigint) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ended integer[];
    leases vantage6_events.lease[];
BEGIN
    DELETE FROM vantage6_events.instance AS i WHERE i.incarnation = end_instance.incarnation;
    WITH gone AS (
        DELETE FROM vantage6_events.lease AS l WHERE l.incarnation = end_instance.incarnation
        RETURNING l)
    SELECT array_agg((g.l).principal_id), array_agg(g.l) INTO ended, leases FROM gone AS g;
    PERFORM vantage6_events.part(leases, array_fill('instance ended'::text, ARRAY[coalesce(cardinality(leases), 0)]));
    PERFORM vantage6_events.expect(ended, vantage6_events.setting('drain_grace')::interval);
END
$$;
COMMENT ON FUNCTION end_instance(bigint) IS 'Ends an incarnation: its leases end, with grace.';

-- What is wrong with what attach() made, one line each.
CREATE FUNCTION faults() RETURNS SETOF text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    att record;
    agent_oid oid;
BEGIN
    RETURN QUERY SELECT * FROM vantage6_events.creators();
    SELECT * INTO STRICT att FROM vantage6_events.attachment;
    SELECT r.oid INTO agent_oid FROM pg_roles AS r WHERE r.rolname = att.agent AND NOT r.rolsuper;
    IF agent_oid IS NULL THEN
        RETURN NEXT format('role %I does not exist or is a superuser', att.agent);
        RETURN;
    END IF;
    BEGIN
        IF vantage6_events.hq_agent(att.hq_schema) IS DISTINCT FROM att.agent THEN
            RETURN NEXT format('the owner of the tables in schema %I has changed', att.hq_schema);
        END IF;
    EXCEPTION WHEN SQLSTATE 'V6002' OR SQLSTATE 'V6004' THEN
        RETURN NEXT sqlerrm; -- the schema was renamed, or its tables were changed
    END;
    IF att.agent = 'vantage6_events' AND vantage6_events.agent_is_open(att.agent) THEN
        RETURN NEXT format('role %I can log in or has members', att.agent);
    END IF;
    RETURN QUERY
        SELECT CASE WHEN m.oid IS NULL THEN format('%s %s is missing', m.what, m.name)
                    ELSE format('%s %s belongs to %I, or is not as attach() made it', m.what,
                                m.name, pg_get_userbyid(m.owner)) END
        FROM vantage6_events.made() AS m
        WHERE m.oid IS NULL OR m.owner <> agent_oid OR m.whole IS NOT TRUE
        ORDER BY 1;
    RETURN QUERY SELECT * FROM vantage6_events.agent_lacks(att.hq_schema, att.hq_version, att.agent);
END
$$;
COMMENT ON FUNCTION faults() IS
    'What of the things that attach() made is missing, changed, or belongs to another role than '
    'the agent, and what the agent lacks; an error if not attached.';

CREATE FUNCTION check_ready(instance text, version text) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    fault text;
BEGIN
    IF pg_is_in_recovery() THEN
        RAISE EXCEPTION 'this server is a standby'
            USING ERRCODE = 'V6006', HINT = 'Connect pushd to the primary server: '
                'target_session_attrs=read-write in its connection string.';
    END IF;
    IF current_setting('server_encoding') = 'SQL_ASCII' THEN
        RAISE EXCEPTION 'the encoding of database "%" is SQL_ASCII', current_database()
            USING ERRCODE = 'V6007', HINT = 'Move HQ to a database with encoding UTF8.';
    END IF;
    IF version IS NULL OR version !~ '^1\.' THEN
        RAISE EXCEPTION 'vantage6-pushd % does not fit extension vantage6_events %', version,
            (SELECT e.extversion FROM pg_extension AS e WHERE e.extname = 'vantage6_events')
            USING ERRCODE = 'V6008', HINT = 'Install vantage6-pushd of version 1, or update '
                'the extension (ALTER EXTENSION vantage6_events UPDATE).';
    END IF;
    IF instance IS NULL OR instance !~ '^[[:graph:]]{1,128}$' THEN
        RAISE EXCEPTION 'bad instance name "%"', instance
            USING ERRCODE = 'V6009', HINT = 'Give 1 to 128 visible characters, no space.';
    END IF;
    IF NOT EXISTS (SELECT FROM vantage6_events.attachment) THEN
        RAISE EXCEPTION 'vantage6_events is not attached to the tables of vantage6'
            USING ERRCODE = 'V6001', HINT = 'As the owner of those tables: '
                'SELECT vantage6_events.attach(''<their schema>'')';
    END IF;
    SELECT f INTO fault FROM vantage6_events.faults() AS f LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'vantage6_events is not safely attached: %', fault
            USING ERRCODE = 'V6005', HINT = format('As the owner of HQ''s tables: '
                'SELECT vantage6_events.attach(%L)',
                (SELECT a.hq_schema FROM vantage6_events.attachment AS a));
    END IF;
END
$$;
COMMENT ON FUNCTION check_ready(text, text) IS 'Refuses what open() refuses: V6001, V6005-V6009.';

CREATE FUNCTION start_epoch() RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    cluster text := vantage6_events.system_id() || '-' || vantage6_events.timeline() || '-';
    present text;
BEGIN
    SELECT e.value INTO present FROM vantage6_events.epoch AS e
    WHERE starts_with(e.value, cluster);
    IF FOUND THEN
        RETURN present;
    END IF;
    -- pg_upgrade carries the row into another cluster: then it is replaced.
    INSERT INTO vantage6_events.epoch AS e (value) VALUES (cluster || gen_random_uuid())
    ON CONFLICT (one) DO UPDATE SET value = excluded.value
    WHERE NOT starts_with(e.value, cluster);
    IF FOUND THEN
        PERFORM vantage6_events.expect(
            ARRAY(SELECT a.principal_id FROM vantage6_events.announced AS a WHERE a.online),
            vantage6_events.setting('epoch_grace')::interval);
    END IF;
    RETURN (SELECT e.value FROM vantage6_events.epoch AS e);
END
$$;
COMMENT ON FUNCTION start_epoch() IS
    'The epoch; if the leases may have been lost, a new one, and all that are announced online '
    'become pending with epoch_grace.';

-- Not max(id): an emptied log is not one that was set back. After a crash it may be up to 32 ahead.
CREATE FUNCTION last_id() RETURNS bigint
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN s.is_called THEN s.last_value ELSE 0 END FROM vantage6_events.event_id_seq AS s $$;
COMMENT ON FUNCTION last_id() IS
    'An id that no event to come is below: the greatest given out, 0 = none.';

CREATE FUNCTION open(instance text, version text)
    RETURNS TABLE (incarnation bigint, system_id text, tli integer, epoch text,
                   snapshot pg_snapshot, hi bigint, secret text, bell text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
    earlier bigint;
    n bigint;
    e text;
BEGIN
    PERFORM vantage6_events.check_ready(instance, version);
    e := vantage6_events.start_epoch();
    -- Two openings of one name: one after the other.
    PERFORM pg_advisory_xact_lock(vantage6_events.lock_space() + 1, hashtext(instance));
    SELECT i.incarnation INTO earlier FROM vantage6_events.instance AS i
    WHERE i.name = open.instance FOR UPDATE;
    IF FOUND THEN
        PERFORM vantage6_events.end_instance(earlier);
    END IF;
    INSERT INTO vantage6_events.instance AS i (name, version, opened_at, beat_at)
    VALUES (open.instance, open.version, clock_timestamp(), clock_timestamp())
    RETURNING i.incarnation INTO n;
    INSERT INTO vantage6_events.secret AS x (value)
    SELECT replace(concat(gen_random_uuid(), gen_random_uuid()), '-', '')
    WHERE NOT EXISTS (SELECT FROM vantage6_events.secret) ON CONFLICT DO NOTHING;
    PERFORM pg_advisory_lock(vantage6_events.lock_space(), vantage6_events.lock_key(n));
    RETURN QUERY
        SELECT n, vantage6_events.system_id(), vantage6_events.timeline(), e,
               pg_current_snapshot(), vantage6_events.last_id(),
               (SELECT x.value FROM vantage6_events.secret AS x), vantage6_events.bell();
END
$$;
COMMENT ON FUNCTION open(text, text) IS
    'Registers an instance of vantage6-pushd (its name and version): a new incarnation, ending an '
    'earlier one of that name, its leases with grace. Returns the cluster and epoch that all state '
    'belongs to, a snapshot and the greatest id given out (0 = none): where reading begins; the '
    'secret that places in the log are signed with; and bell(). Errors: V6001, V6005-V6009.';

CREATE FUNCTION check_incarnation(incarnation bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Whoever ends it now waits for us, and then finds the leases that we write.
    PERFORM FROM vantage6_events.instance AS i
    WHERE i.incarnation = check_incarnation.incarnation FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'incarnation % has ended', incarnation
            USING ERRCODE = 'V6010', HINT = 'Call open() again and register the live connections.';
    END IF;
END
$$;
COMMENT ON FUNCTION check_incarnation(bigint) IS
    'V6010 if the incarnation has ended; else it does not end before the transaction does.';

CREATE FUNCTION connect_logic(incarnation bigint, sockets json)
    RETURNS TABLE (sid text, principal_id integer, kind text, rooms text, greeting json,
                   snapshot pg_snapshot, recovers boolean, missed json)
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' -- reads wait behind it
AS $$
DECLARE
    replaced integer[];
    known integer[];
    leases vantage6_events.lease[];
    claimed json;
    taken text[];
    was text;
    began pg_snapshot;
    place json;
BEGIN
    PERFORM vantage6_events.check_incarnation(incarnation);
    WITH gone AS (
        DELETE FROM vantage6_events.lease AS l
        WHERE l.sid IN (SELECT s ->> 'sid' FROM json_array_elements(sockets) AS s)
        RETURNING l)
    SELECT array_agg((g.l).principal_id), array_agg(g.l) INTO replaced, leases FROM gone AS g;
    PERFORM vantage6_events.part(leases, array_fill('again'::text, ARRAY[coalesce(cardinality(leases), 0)]));
    IF strpos(sockets::text, '"was"') > 0 THEN
        SELECT json_agg(c), array_agg(c.was) INTO claimed, taken FROM vantage6_events.claims(sockets) AS c;
    END IF;

    WITH socket AS (
        SELECT DISTINCT ON (s.sid) s.*, to_timestamp(
            CASE WHEN s.expires < 0 THEN 0 WHEN s.expires < 253402300800 THEN s.expires WHEN s.expires > 0 THEN 'infinity' END) AS expires_at
        FROM json_to_recordset(sockets) AS s (sid text, nsp text, subject text, transport text, address text,
                                              expires double precision, pid text, expired boolean, again boolean)
        LEFT JOIN json_to_recordset(claimed) AS c (sid text, subject text, parted_at timestamptz) ON c.sid = s.sid
        -- An expired token says who its bearer was; that he still is, his pid.
        WHERE s.subject <> '' AND (s.expired IS NOT TRUE OR c.subject = s.subject AND c.parted_at >
                                   clock_timestamp() - vantage6_events.setting('resume_identity')::interval)
          -- What another goes on as from now on is over, though its own daemon has not noticed. Of two that are
          -- registered again nobody knows which one lives.
          AND (s.pid = ANY (taken)) IS NOT TRUE
    ), named AS ( -- a subject that names two principals names none
        SELECT p.subject, min(p.id) AS id, min(p.kind) AS kind FROM vantage6_events.principal AS p
        WHERE p.subject IN (SELECT s.subject FROM socket AS s)
        GROUP BY p.subject HAVING count(*) = 1
    ), again AS ( -- a connection that was registered before
        DELETE FROM vantage6_events.parted AS p USING socket AS s WHERE p.pid = s.pid AND p.subject = s.subject
        RETURNING p.pid, p.since, p.replayed
    ), leased AS (
        INSERT INTO vantage6_events.lease AS l (sid, incarnation, nsp, principal_id, subject, kind, transport, address,
                                                connected_at, expires_at, pid, since, replayed)
        SELECT s.sid, connect_logic.incarnation, s.nsp, n.id, s.subject, n.kind, s.transport, s.address,
               clock_timestamp(), s.expires_at, s.pid, CASE WHEN s.again THEN a.since ELSE pg_current_snapshot() END, a.replayed
        FROM socket AS s JOIN named AS n USING (subject) LEFT JOIN again AS a ON a.pid = s.pid ORDER BY s.sid
        -- Only if a link that was lost still registers it.
        ON CONFLICT ON CONSTRAINT lease_pkey DO UPDATE SET incarnation = excluded.incarnation,
            principal_id = excluded.principal_id, subject = excluded.subject, kind = excluded.kind,
            connected_at = excluded.connected_at, expires_at = excluded.expires_at, pid = excluded.pid
        RETURNING l.principal_id)
    SELECT array_agg(DISTINCT x.principal_id) INTO known FROM leased AS x;
    PERFORM vantage6_events.expect(replaced || known, '0');
    PERFORM vantage6_events.greeted(known, replaced);

    -- One statement: the snapshot is that of the rooms, of the instructions in the greeting and of what was missed.
    FOR sid, was, place, began, principal_id, kind, rooms, greeting, snapshot, recovers, missed IN
        WITH room AS (
            SELECT r.principal_id, string_agg(r.room, ',' ORDER BY r.room COLLATE "C") AS list
            FROM vantage6_events.rooms_of(known) AS r GROUP BY r.principal_id)
        SELECT s.sid, s.was, s.place, c.since, r.principal_id, CASE WHEN r.list IS NOT NULL THEN l.kind END AS kind, r.list AS rooms,
               CASE WHEN l.kind = 'node' THEN vantage6_events.greeting(l.principal_id, l.nsp) END AS greeting,
               pg_current_snapshot() AS snapshot, l.kind = 'user' AND l.pid IS NOT NULL AS recovers, m.missed
        FROM json_to_recordset(sockets) AS s (sid text, was text, place json, most_bytes bigint)
        LEFT JOIN vantage6_events.lease AS l ON l.sid = s.sid
        LEFT JOIN room AS r ON r.principal_id = l.principal_id
        LEFT JOIN json_to_recordset(claimed) AS c (sid text, principal_id integer, since pg_snapshot, replayed json, parted_at timestamptz)
            ON c.sid = s.sid AND c.principal_id = r.principal_id AND l.kind = 'user'
               -- The same socket asks again if its link was lost: nothing has been sent to it.
               AND ((c.replayed -> 'place')::text IS DISTINCT FROM coalesce(s.place::text, 'null') OR c.replayed ->> 'sid' = s.sid)
               AND c.parted_at > clock_timestamp() - least(vantage6_events.setting('recovery')::interval,
                                                           vantage6_events.setting('retention')::interval)
        LEFT JOIN LATERAL (
            SELECT vantage6_events.missed_events(
                       r.principal_id, l.nsp, string_to_array(r.list, ','), p.prev, p.cur, p.id,
                       vantage6_events.setting('recovery_events')::integer, s.most_bytes) AS missed
            -- It has heard nothing of this connection yet whose place is of an earlier one.
            FROM (SELECT s.place IS NULL OR pg_snapshot_xmax((s.place ->> 'prev')::pg_snapshot) < pg_snapshot_xmax(c.since) AS all_of_it) AS h,
                 LATERAL (SELECT c.since AS prev, c.since AS cur, 0 AS id WHERE h.all_of_it
                          UNION ALL
                          SELECT (s.place ->> 'prev')::pg_snapshot, (s.place ->> 'cur')::pg_snapshot, (s.place ->> 'id')::bigint
                          WHERE h.all_of_it IS NOT TRUE) AS p
            WHERE c.sid IS NOT NULL AND p.prev IS NOT NULL AND vantage6_events.rights_same(r.principal_id, p.prev)) AS m ON true
    LOOP
        IF missed IS NOT NULL THEN -- it goes on under its name
            UPDATE vantage6_events.lease AS l
            SET pid = was, since = began,
                replayed = CASE WHEN json_array_length(missed -> 'events') > 0
                                THEN json_build_object('sid', connect_logic.sid, 'place', place) END
            WHERE l.sid = connect_logic.sid;
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION connect_logic(bigint, json) IS
    'Registers connections, again if need be. sockets: up to 1000 of {"sid", "nsp", "subject", '
    '"transport", "address", "expires" (seconds since 1970, or null), "pid" (a secret name for the '
    'connection, or none)}, "again" (true: it was registered before), and of a client that claims '
    'an earlier connection "was" (its pid), "place" ({"prev", "cur", "id"}; null: its beginning; '
    '{}: none that is known), "most_bytes" (that may be sent to it again; null: any number) and '
    '"expired" (true: the token is, and only the claim proves who it is). One row per socket: '
    'principal_id, kind and rooms (joined by commas) are NULL if not exactly one principal has the '
    'subject; greeting is NULL or an array of events for this socket alone, each {"payload": text, '
    '"ack"}: with "ack" the next follows its acknowledgement, which is said to ack() unless it is '
    '0; snapshot is that of the rooms; recovers: it may claim this connection later; missed: it is '
    'recovered, and goes on as "was", after these events: {"prev", "cur", "events": [[id, payload, '
    'whether cur does not see it]]}. Errors: V6010; 55P03 if HQ''s tables are locked for 0.1 s.';

CREATE FUNCTION disconnect(incarnation bigint, sockets json) RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms'
AS $$
DECLARE
    left_now integer[];
    left_later integer[];
    leases vantage6_events.lease[];
    reasons text[];
    n integer;
BEGIN
    WITH gone AS (
        DELETE FROM vantage6_events.lease AS l
        USING json_to_recordset(sockets) AS s (sid text, by_client boolean, reason text)
        WHERE l.sid = s.sid AND l.incarnation = disconnect.incarnation
        RETURNING l, s.by_client, coalesce(s.reason, '') AS reason)
    SELECT array_agg((g.l).principal_id) FILTER (WHERE g.by_client),
           array_agg((g.l).principal_id) FILTER (WHERE g.by_client IS NOT TRUE), array_agg(g.l), array_agg(g.reason), count(*)
    INTO left_now, left_later, leases, reasons, n FROM gone AS g;
    PERFORM vantage6_events.part(leases, reasons);
    PERFORM vantage6_events.expect(left_now, '0');
    PERFORM vantage6_events.expect(left_later, vantage6_events.setting('drain_grace')::interval);
    RETURN n;
END
$$;
COMMENT ON FUNCTION disconnect(bigint, json) IS
    'Ends connections: [{"sid", "reason", "by_client": true if the client itself left; else its '
    'presence ends after drain_grace}]. Returns how many were registered.';

CREATE FUNCTION beat_logic(incarnation bigint, upgraded text[] DEFAULT '{}') RETURNS boolean
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms'
AS $$
DECLARE
    other record;
BEGIN
    UPDATE vantage6_events.instance AS i SET beat_at = clock_timestamp()
    WHERE i.incarnation = beat_logic.incarnation;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE vantage6_events.lease AS l SET transport = 'websocket'
    WHERE l.sid IN (SELECT m.sid FROM vantage6_events.lease AS m WHERE m.sid = ANY (upgraded)
                    ORDER BY m.sid FOR NO KEY UPDATE SKIP LOCKED);
    FOR other IN
        SELECT i.incarnation, i.beat_at FROM vantage6_events.instance AS i
        WHERE i.beat_at < clock_timestamp() - interval '20 seconds'
        ORDER BY i.incarnation FOR UPDATE SKIP LOCKED
    LOOP
        IF other.beat_at < clock_timestamp() - interval '90 seconds'
           OR pg_try_advisory_xact_lock(vantage6_events.lock_space(),
                                        vantage6_events.lock_key(other.incarnation)) THEN
            PERFORM vantage6_events.end_instance(other.incarnation);
        END IF;
    END LOOP;
    -- There should be none. But a lease that nobody keeps would hold its principal online for ever.
    PERFORM vantage6_events.end_instance(o.incarnation)
    FROM (SELECT DISTINCT l.incarnation FROM vantage6_events.lease AS l
          WHERE NOT EXISTS (SELECT FROM vantage6_events.instance AS i
                            WHERE i.incarnation = l.incarnation)) AS o;
    UPDATE vantage6_events.principal_status AS s SET last_seen = vantage6_events.utc_now()
    WHERE s.id IN (
        SELECT t.id FROM vantage6_events.principal_status AS t
        WHERE t.id IN (SELECT l.principal_id FROM vantage6_events.lease AS l
                       WHERE l.incarnation = beat_logic.incarnation AND l.kind = 'node')
          AND (t.last_seen IS NULL
               OR t.last_seen < vantage6_events.utc_now() - interval '30 seconds')
        ORDER BY t.id FOR NO KEY UPDATE SKIP LOCKED);
    PERFORM vantage6_events.retry_deferred();
    PERFORM vantage6_events.fold_logs();
    PERFORM vantage6_events.repeat_instructions();
    PERFORM vantage6_events.upkeep(); -- last, since it locks a slot of the log until the commit
    RETURN true;
END
$$;
COMMENT ON FUNCTION beat_logic(bigint, text[]) IS
    'The incarnation lives; false if it was ended: open again. upgraded: sids of clients whose '
    'transport is a WebSocket now. Ends dead ones, refreshes last_seen of its nodes when older '
    'than 30 s, folds logs that are due, tries again what had to wait for locks, repeats what '
    'nodes are told to do, and calls upkeep(). To be called every 5 s. 55P03 if HQ''s tables are '
    'locked for 0.5 s.';
