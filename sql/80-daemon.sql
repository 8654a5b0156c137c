-- What vantage6-pushd calls, besides connect, presence, receive, events_since and rights_since. All
-- take batches.
--
-- incarnation  one opening by an instance of pushd. The session that opened holds an advisory lock
--              (lock_space, incarnation): while it is held, the instance lives
-- dead         an incarnation whose lock is free and whose beat is 20 s old, or whose beat is 90 s
--              old
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
    'instances, the turns of dependents, upkeep.';

CREATE FUNCTION lock_key(incarnation bigint) RETURNS integer
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT (incarnation % 2147483647)::integer $$;
COMMENT ON FUNCTION lock_key(bigint) IS 'Second key of the incarnation''s advisory lock.';

CREATE FUNCTION end_instance(incarnation bigint) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    lived timestamptz;
    lives boolean := NOT pg_try_advisory_xact_lock_shared(lock_space(), lock_key(incarnation));
    at timestamptz;
    ended lease[];
    gone integer[];
    back integer[];
BEGIN
    DELETE FROM instance AS i WHERE i.incarnation = end_instance.incarnation
    RETURNING i.beat_at INTO lived;
    ended := ARRAY(SELECT e FROM end_leases(ARRAY(
                       SELECT l.sid FROM lease AS l
                       WHERE l.incarnation = end_instance.incarnation)) AS e);
    at := CASE WHEN lives THEN clock_timestamp() ELSE died_at(lived) END;
    PERFORM keep_interrupted(ended, at);
    PERFORM log_lost(ended, at);
    PERFORM log_all_lost(incarnation);
    gone := ARRAY(SELECT e.principal_id FROM unnest(ended) AS e);
    -- It may have died right after its last beat, which is noticed later. Locked, since two that
    -- end each other's incarnations at once would both rely on what the other one ends.
    back := ARRAY(SELECT l.principal_id FROM lease AS l
                  WHERE l.principal_id = ANY (gone) AND l.nsp = '/tasks'
                    AND l.connected_at > lived
                  FOR KEY SHARE SKIP LOCKED);
    PERFORM expect(ARRAY(SELECT unnest(gone) EXCEPT SELECT unnest(back)),
                   duration('drain_grace'));
END $$;
COMMENT ON FUNCTION end_instance(bigint) IS
    'Ends an incarnation: its leases end, with grace for those that have not registered again '
    'since its last beat.';

-- What is wrong with what attach() made, one line each.
CREATE FUNCTION faults() RETURNS SETOF text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    att record;
    agent record;
BEGIN
    RETURN QUERY SELECT * FROM vantage6_events.creators();
    SELECT * INTO STRICT att FROM vantage6_events.attachment;
    SELECT r.oid, r.rolname AS name INTO agent FROM pg_roles AS r
    WHERE r.oid = att.agent AND NOT r.rolsuper;
    IF NOT FOUND THEN
        RETURN NEXT format('role %s does not exist or is a superuser', att.agent);
        RETURN;
    END IF;
    BEGIN
        IF vantage6_events.hq_agent(att.hq_schema) IS DISTINCT FROM agent.name THEN
            RETURN NEXT format('the owner of the tables in schema %I has changed', att.hq_schema);
        END IF;
    EXCEPTION WHEN SQLSTATE 'V6002' OR SQLSTATE 'V6004' THEN
        RETURN NEXT sqlerrm; -- the schema was renamed, or its tables were changed
    END;
    IF att.separate AND vantage6_events.agent_is_open(agent.name) THEN
        RETURN NEXT format('role %I can log in or has members', agent.name);
    END IF;
    RETURN QUERY
        SELECT CASE WHEN m.oid IS NULL THEN format('%s %s is missing', m.what, m.name)
                    ELSE format('%s %s belongs to %I, or is not as attach() made it', m.what,
                                m.name, pg_get_userbyid(m.owner)) END
        FROM vantage6_events.made() AS m
        WHERE m.oid IS NULL OR m.owner <> agent.oid OR m.whole IS NOT TRUE
        ORDER BY 1;
    RETURN QUERY
        SELECT * FROM vantage6_events.agent_lacks(att.hq_schema, att.hq_version, agent.name)
        UNION ALL
        SELECT * FROM vantage6_events.agent_overlooks(att.hq_schema, att.hq_version, agent.name);
END $$;
COMMENT ON FUNCTION faults() IS
    'What of the things that attach() made is missing, changed, or belongs to another role than '
    'the agent, what the agent lacks, and where it may not see all rows; an error if not attached.';

CREATE FUNCTION check_ready(instance text, version text) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
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
    IF version IS NULL OR version !~ '^1[.]' THEN
        RAISE EXCEPTION 'vantage6-pushd % does not fit extension vantage6_events %', version,
            (SELECT e.extversion FROM pg_extension AS e WHERE e.extname = 'vantage6_events')
            USING ERRCODE = 'V6008', HINT = 'Install vantage6-pushd of version 1, or update '
                'the extension (ALTER EXTENSION vantage6_events UPDATE).';
    END IF;
    IF instance IS NULL OR instance !~ '^[!-~]{1,128}$' COLLATE "C" THEN
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
END $$;
COMMENT ON FUNCTION check_ready(text, text) IS 'Refuses what open() refuses: V6001, V6005-V6009.';

CREATE FUNCTION start_epoch() RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    cluster text := system_id() || '-' || timeline() || '-';
    present text;
BEGIN
    SELECT e.value INTO present FROM epoch AS e
    WHERE starts_with(e.value, cluster);
    IF FOUND THEN
        RETURN present;
    END IF;
    -- pg_upgrade carries the row into another cluster: then it is replaced.
    INSERT INTO epoch AS e (value) VALUES (cluster || gen_random_uuid())
    ON CONFLICT (one) DO UPDATE SET value = excluded.value
    WHERE NOT starts_with(e.value, cluster);
    IF FOUND THEN
        PERFORM expect(
            ARRAY(SELECT a.principal_id FROM announced AS a WHERE a.online),
            duration('epoch_grace'));
        PERFORM log_all_lost(NULL);
    END IF;
    RETURN (SELECT e.value FROM epoch AS e);
END $$;
COMMENT ON FUNCTION start_epoch() IS
    'The epoch; if the leases may have been lost, a new one, and all that are announced online '
    'become pending with epoch_grace.';

-- Not max(id): an emptied log is not one that was set back. After a crash it may be up to 32 ahead.
CREATE FUNCTION last_id() RETURNS bigint
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, vantage6_events, pg_temp
AS $$ SELECT CASE WHEN s.is_called THEN s.last_value ELSE 0 END FROM event_id_seq AS s $$;
COMMENT ON FUNCTION last_id() IS 'The greatest id given out, or 0: no event to come is below.';

CREATE FUNCTION open(instance text, version text)
    RETURNS TABLE (incarnation bigint, system_id text, tli integer, epoch text,
                   snapshot pg_snapshot, hi bigint, secret text, bell text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, vantage6_events, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
    earlier bigint;
    n bigint;
    e text;
BEGIN
    PERFORM check_ready(instance, version);
    e := start_epoch();
    -- Two openings of one name: one after the other.
    PERFORM pg_advisory_xact_lock(lock_space() + 1, hashtext(instance));
    SELECT i.incarnation INTO earlier FROM instance AS i WHERE i.name = open.instance FOR UPDATE;
    IF FOUND THEN
        PERFORM end_instance(earlier);
    END IF;
    INSERT INTO instance AS i (name, version, opened_at, beat_at)
    VALUES (open.instance, open.version, clock_timestamp(), clock_timestamp())
    RETURNING i.incarnation INTO n;
    INSERT INTO secret AS x (value)
    SELECT replace(concat(gen_random_uuid(), gen_random_uuid()), '-', '')
    WHERE NOT EXISTS (SELECT FROM secret) ON CONFLICT DO NOTHING;
    PERFORM pg_advisory_lock(lock_space(), lock_key(n));
    RETURN QUERY
        SELECT n, system_id(), timeline(), e, pg_current_snapshot(), last_id(),
               (SELECT x.value FROM secret AS x), bell();
END $$;
COMMENT ON FUNCTION open(text, text) IS
    'Registers an instance of vantage6-pushd (its name and version): a new incarnation, ending an '
    'earlier one of that name, its leases with grace. Returns the cluster and epoch that all state '
    'belongs to, a snapshot and the greatest id given out (0 = none): where reading begins; the '
    'secret that offsets are signed with; and bell(). Errors: V6001, V6005-V6009.';

CREATE FUNCTION check_incarnation(incarnation bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    -- What ends it now waits for us, and then finds the leases that we write.
    PERFORM FROM instance AS i WHERE i.incarnation = check_incarnation.incarnation FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'incarnation % has ended', incarnation
            USING ERRCODE = 'V6010', HINT = 'Call open() again and register the live connections.';
    END IF;
END $$;
COMMENT ON FUNCTION check_incarnation(bigint) IS
    'V6010 if the incarnation has ended; else it does not end before the transaction does.';

CREATE FUNCTION disconnect(incarnation bigint, sockets json) RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, vantage6_events, pg_temp SET lock_timeout = '500ms' AS $$
DECLARE
    sids text[];
    by_client text[]; -- those that left by themselves
    for_good text[];
    drained text[];
    ended lease[];
    left_now integer[];
    left_later integer[];
BEGIN
    PERFORM not_interrupted(incarnations) FROM (
        SELECT array_agg(s.goes_on) AS incarnations
        FROM json_to_recordset(sockets) AS s (goes_on bigint) WHERE s.goes_on IS NOT NULL) AS s
    WHERE incarnations IS NOT NULL;
    SELECT array_agg(l.sid), array_agg(l.sid) FILTER (WHERE s.by_client),
           array_agg(l.sid) FILTER (WHERE s.reason IN (
               'client namespace disconnect', 'parse error', 'refused', 'dismissed', 'kicked')),
           array_agg(l.sid) FILTER (WHERE s.reason = 'server shutting down'
                                    AND s.by_client IS NOT TRUE)
    INTO sids, by_client, for_good, drained
    FROM json_to_recordset(sockets) AS s (sid text, by_client boolean, reason text)
    JOIN lease AS l ON l.sid = s.sid WHERE l.incarnation = disconnect.incarnation;
    ended := ARRAY(SELECT l FROM end_leases(sids, for_good) AS l);
    PERFORM log_ends(ended, array_agg(s.sid), array_agg(s.reason))
    FROM json_to_recordset(sockets) AS s (sid text, reason text)
    WHERE s.sid IS NOT NULL AND NOT EXISTS (SELECT FROM lease AS l WHERE l.sid = s.sid);
    PERFORM keep_interrupted(ARRAY(SELECT l FROM unnest(ended) AS l WHERE l.sid = ANY (drained)),
                             clock_timestamp());
    SELECT array_agg(l.principal_id) FILTER (WHERE l.sid = ANY (by_client)),
           array_agg(l.principal_id) FILTER (WHERE (l.sid = ANY (by_client)) IS NOT TRUE)
    INTO left_now, left_later FROM unnest(ended) AS l;
    PERFORM expect(left_now, '0');
    PERFORM expect(left_later, duration('drain_grace'));
    RETURN cardinality(ended);
END $$;
COMMENT ON FUNCTION disconnect(bigint, json) IS
    'Ends connections: [{"sid", "reason", "by_client": true if the client itself left; else its '
    'presence ends after drain_grace}]. Returns how many were registered. Or {"goes_on": an '
    'earlier incarnation of the same life of the daemon, whose connections were not ended}.';

-- The failure of one part of beat() or upkeep() keeps no other from running. That of counting it
-- does not either.
CREATE FUNCTION attempt(part text, call text, lock_may_fail boolean DEFAULT false) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    result text;
    state text;
    message text;
    detail text;
BEGIN
    EXECUTE 'SELECT ' || call INTO result;
    RETURN result;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
        detail = PG_EXCEPTION_DETAIL;
    IF lock_may_fail AND state = '55P03' THEN
        RETURN NULL; -- next time
    END IF;
    RAISE WARNING '%() failed: %', part, message
        USING ERRCODE = state,
        DETAIL = concat_ws(' ', 'SQLSTATE ' || state || '.', nullif(detail, '')),
        HINT = 'All else was done. The table vantage6_events.failure counts it.';
    BEGIN
        INSERT INTO failure AS f (part, error) VALUES (attempt.part, state || ': ' || message)
        ON CONFLICT ON CONSTRAINT failure_pkey DO UPDATE
        SET (failures, failed_at, error) = (f.failures + 1, excluded.failed_at, excluded.error);
    EXCEPTION WHEN OTHERS THEN
        NULL;
    END;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION attempt(text, text, boolean) IS
    'The result of the call as text. If it fails, its effects are undone, a WARNING tells it, '
    'failure counts it, and the result is NULL; a lock may fail without that, if lock_may_fail.';

CREATE FUNCTION note_upgraded(upgraded text[]) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    UPDATE lease AS l SET transport = 'websocket'
    WHERE l.sid IN (SELECT m.sid FROM lease AS m WHERE m.sid = ANY (upgraded)
                    ORDER BY m.sid FOR NO KEY UPDATE SKIP LOCKED)
$$;
COMMENT ON FUNCTION note_upgraded(text[]) IS 'These clients use a WebSocket now.';

CREATE FUNCTION end_dead() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    other record;
BEGIN
    FOR other IN
        SELECT i.incarnation, i.beat_at FROM instance AS i
        WHERE i.beat_at < clock_timestamp() - interval '20 seconds'
        ORDER BY i.incarnation FOR UPDATE SKIP LOCKED
    LOOP
        IF other.beat_at < clock_timestamp() - interval '90 seconds'
           OR pg_try_advisory_xact_lock(lock_space(), lock_key(other.incarnation)) THEN
            PERFORM end_instance(other.incarnation);
        END IF;
    END LOOP;
    -- There should be none. But a lease without an instance would hold its principal online.
    PERFORM end_instance(o.incarnation)
    FROM (SELECT DISTINCT l.incarnation FROM lease AS l
          WHERE NOT EXISTS (SELECT FROM instance AS i WHERE i.incarnation = l.incarnation)) AS o;
END $$;
COMMENT ON FUNCTION end_dead() IS 'Ends incarnations that are dead, and leases that have none.';

CREATE FUNCTION keep_seen(incarnation bigint) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    UPDATE vantage6_events.principal_status AS s SET last_seen = now_like(s.last_seen)
    WHERE s.id IN (
        SELECT t.id FROM vantage6_events.principal_status AS t
        WHERE t.id IN (SELECT l.principal_id FROM lease AS l
                       WHERE l.incarnation = keep_seen.incarnation AND l.kind = 'node')
          AND is_stale(t.last_seen)
        ORDER BY t.id FOR NO KEY UPDATE SKIP LOCKED);
END $$;
COMMENT ON FUNCTION keep_seen(bigint) IS
    'Refreshes last_seen of the nodes of the incarnation when it is older than 30 s.';

-- Deferred triggers of HQ run with the part that they belong to, or they would fail the beat.
CREATE FUNCTION beat_logic(incarnation bigint, upgraded text[] DEFAULT '{}') RETURNS boolean
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, vantage6_events, pg_temp SET lock_timeout = '500ms' AS $$
BEGIN
    UPDATE instance AS i SET beat_at = clock_timestamp()
    WHERE i.incarnation = beat_logic.incarnation;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- All parts together wait for less than HQ's deadlock_timeout.
    PERFORM set_config('lock_timeout', '100ms', true);
    PERFORM attempt('note_upgraded', format('note_upgraded(%L)', upgraded));
    PERFORM attempt('end_dead', 'end_dead()');
    PERFORM attempt('measure_log', format('measure_log(%s)', incarnation), lock_may_fail => true);
    PERFORM attempt('keep_seen', format('fire_deferred() FROM keep_seen(%s)', incarnation));
    PERFORM attempt('retry_deferred', 'fire_deferred() FROM retry_deferred()');
    PERFORM attempt('fold_logs', 'fire_deferred() FROM fold_logs()');
    PERFORM attempt('repeat_instructions', 'repeat_instructions()');
    PERFORM attempt('decide_tasks', 'decide_tasks()');
    -- Last, since it locks a slot of the log until the commit.
    PERFORM attempt('upkeep', 'upkeep()');
    RETURN true;
END $$;
COMMENT ON FUNCTION beat_logic(bigint, text[]) IS
    'The incarnation lives; false if it was ended: open again. upgraded: sids of clients that use '
    'a WebSocket now. Ends dead ones, refreshes last_seen of its nodes when older than 30 s, folds '
    'logs that are due, tries again what waited for locks, repeats what nodes are told to do, '
    'announces tasks that were left to it, and calls upkeep(). If one of these fails, a WARNING '
    'tells it, failure counts it, and the others are done. To be called every 5 s.';
