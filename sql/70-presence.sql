-- Presence: what HQ's rows and the clients are told of who is connected.
--
-- The leases say who is connected, the announced rows what was last told. presence() reconciles the
-- two, one principal at a time under the lock of its announced row, and tells the difference. So
-- the late end of an old connection does no harm, and two daemons tell nothing twice.
--
-- grace  a principal without a lease counts as present while a row of pending for it is not yet
--        due. It ends when the principal registers again: what ends then begins its own
--
-- Rows of HQ are taken if they are not locked, else the principal's turn comes a second later:
-- neither side ever waits for the other.

-- By the type of HQ's column: as a timestamp it is in UTC, whatever the session's time zone is.
CREATE FUNCTION now_like(stored timestamp) RETURNS timestamp
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$ BEGIN RETURN clock_timestamp() AT TIME ZONE 'UTC'; END $$;
COMMENT ON FUNCTION now_like(timestamp) IS 'The time as HQ keeps it without time zone: in UTC.';

CREATE FUNCTION now_like(stored timestamptz) RETURNS timestamptz
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$ BEGIN RETURN clock_timestamp(); END $$;
COMMENT ON FUNCTION now_like(timestamptz) IS 'The time, for a column with time zone.';

CREATE FUNCTION is_stale(last_seen anyelement) RETURNS boolean
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, vantage6_events, pg_temp
AS $$ SELECT (last_seen < now_like(last_seen) - interval '30 seconds') IS NOT FALSE $$;
COMMENT ON FUNCTION is_stale(anyelement) IS
    'Whether last_seen is to be written again: it is NULL, or older than 30 s.';

CREATE FUNCTION expect(principals integer[], grace interval) RETURNS void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    INSERT INTO pending (principal_id, due)
    SELECT p, clock_timestamp() + grace FROM (SELECT DISTINCT unnest(principals) AS p) AS x
    ORDER BY p
$$;
COMMENT ON FUNCTION expect(integer[], interval) IS 'Makes the principals pending after the grace.';

-- A row that is locked is no grace any more: it has become due, and is being reconciled.
CREATE FUNCTION end_graces(sids text[]) RETURNS void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    DELETE FROM pending AS p WHERE p.id IN (
        SELECT q.id FROM pending AS q
        WHERE q.due > clock_timestamp()
          AND q.principal_id IN (SELECT l.principal_id FROM lease AS l
                                 WHERE l.sid = ANY (sids) AND l.nsp = '/tasks')
        FOR UPDATE SKIP LOCKED)
$$;
COMMENT ON FUNCTION end_graces(text[]) IS
    'The graces of the principals of these connections, which have just registered, are over.';

-- Tells that a principal left and joined rooms. Users' names go to users only.
CREATE FUNCTION announce_rooms(kind text, name text, left_rooms text[], joined_rooms text[])
    RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    room text;
    suffix text := CASE kind WHEN 'node' THEN '' ELSE '/users' END;
    who text := left(name, 1000);
BEGIN
    FOREACH room IN ARRAY array_remove(left_rooms, 'all_nodes') LOOP
        PERFORM announce('message', to_json(who || ' left room ' || room), ARRAY[room || suffix]);
    END LOOP;
    FOREACH room IN ARRAY array_remove(joined_rooms, 'all_nodes') LOOP
        PERFORM announce(
            'message', to_json(format('%s <%s> joined room <%s>',
                CASE kind WHEN 'node' THEN 'Node' ELSE 'User' END, who, room)),
            ARRAY[room || suffix]);
    END LOOP;
END $$;
COMMENT ON FUNCTION announce_rooms(text, text, text[], text[]) IS
    'Sends the messages that a principal left and joined public rooms.';

CREATE FUNCTION announce_node(event text, node announced, rooms text[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    rooms := array_remove(rooms, 'all_nodes');
    IF cardinality(rooms) > 0 THEN
        PERFORM announce(event, json_build_object(
            'id', node.principal_id, 'name', left(node.name, 1000), 'org_id', node.organization_id),
            rooms, node.principal_id);
    END IF;
END $$;
COMMENT ON FUNCTION announce_node(text, announced, text[]) IS
    'Sends node-online or node-offline to rooms of the node, not to the node.';

-- Ids of nodeconfig come from a sequence of HQ that has an end. What a node has used up, it uses
-- again, so it cannot use up more than it may have rows. Called under lock_announced().
CREATE FUNCTION free_config_ids(node_id integer, ids integer[]) RETURNS void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    INSERT INTO shared_config AS s (node_id, free_ids, used_at)
    VALUES (free_config_ids.node_id, ids, clock_timestamp())
    ON CONFLICT ON CONSTRAINT shared_config_pkey DO UPDATE
    SET (free_ids, used_at) = (s.free_ids || excluded.free_ids, excluded.used_at)
$$;
COMMENT ON FUNCTION free_config_ids(integer, integer[]) IS
    'Keeps the ids of rows of nodeconfig that were deleted for the next rows of this node.';

CREATE FUNCTION write_status(principal integer, online boolean) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    wanted text := CASE WHEN online THEN 'online' ELSE 'offline' END;
    was record;
    gone integer[];
BEGIN
    SELECT s.status, is_stale(s.last_seen) AS stale INTO was
    FROM vantage6_events.principal_status AS s
    WHERE s.id = principal FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN NOT EXISTS (SELECT FROM vantage6_events.principal_status AS s
                           WHERE s.id = principal);
    END IF;
    IF was.status IS DISTINCT FROM wanted OR online AND was.stale THEN
        UPDATE vantage6_events.principal_status AS s
        SET status = wanted,
            last_seen = CASE WHEN online THEN now_like(s.last_seen) ELSE s.last_seen END
        WHERE s.id = principal;
    END IF;
    IF NOT online THEN
        WITH deleted AS (
            DELETE FROM vantage6_events.node_config AS c WHERE c.id IN (
                SELECT d.id FROM vantage6_events.node_config AS d WHERE d.node_id = principal
                ORDER BY d.id FOR UPDATE SKIP LOCKED)
            RETURNING c.id)
        SELECT array_agg(d.id) INTO gone FROM deleted AS d;
        IF gone IS NOT NULL THEN
            PERFORM free_config_ids(principal, gone);
        END IF;
        RETURN NOT EXISTS (SELECT FROM vantage6_events.node_config AS c
                           WHERE c.node_id = principal);
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION write_status(integer, boolean) IS
    'Writes status, last_seen and, at the end of a node, removes its configuration; false if a row '
    'of HQ is locked, so that it must be done again.';

CREATE FUNCTION states(principals integer[], online integer[]) RETURNS SETOF announced
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT p.id, p.kind, p.name, p.organization_id, p.id = ANY (online),
           coalesce(r.rooms, '{}'), clock_timestamp()
    FROM vantage6_events.principal AS p
    LEFT JOIN (SELECT x.principal_id AS id, array_agg(x.room ORDER BY x.room COLLATE "C") AS rooms
               FROM public_rooms_of(online) AS x GROUP BY x.principal_id) AS r
        ON r.id = p.id
    WHERE p.id = ANY (principals);
END $$;
COMMENT ON FUNCTION states(integer[], integer[]) IS
    'What there is to announce of the principals, some online; none for those HQ removed.';

-- Missing rows are made, those that are locked passed over.
CREATE FUNCTION lock_announced(principals integer[]) RETURNS integer[]
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    missing integer[];
BEGIN
    -- An insert would wait for a transaction that changes a row that is there already.
    missing := ARRAY(SELECT unnest(principals)
                     EXCEPT SELECT a.principal_id FROM announced AS a
                     WHERE a.principal_id = ANY (principals));
    INSERT INTO announced
    SELECT s.* FROM states(missing, '{}') AS s ORDER BY s.principal_id
    ON CONFLICT DO NOTHING;
    RETURN ARRAY(SELECT a.principal_id FROM announced AS a
                 WHERE a.principal_id = ANY (principals)
                 ORDER BY a.principal_id FOR UPDATE SKIP LOCKED);
END $$;
COMMENT ON FUNCTION lock_announced(integer[]) IS
    'Locks what was announced of the principals; returns those locked.';

-- told is locked; false if the principal's turn must come again.
CREATE FUNCTION reconcile(told announced, state announced, in_grace boolean) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE -- a principal that is not online is in no rooms
    left_rooms text[] := ARRAY(
        SELECT unnest(told.rooms) COLLATE "C" EXCEPT SELECT unnest(state.rooms) ORDER BY 1);
    joined_rooms text[] := ARRAY(
        SELECT unnest(state.rooms) COLLATE "C" EXCEPT SELECT unnest(told.rooms) ORDER BY 1);
BEGIN
    IF told.online AND NOT state.online AND in_grace THEN
        RETURN true; -- the later row will see to it
    END IF;
    IF NOT write_status(told.principal_id, state.online) THEN
        RETURN false;
    END IF;
    IF told.kind = 'node' AND told.online THEN
        PERFORM announce_node('node-offline', told, left_rooms);
    END IF;
    IF state.kind = 'node' AND state.online THEN
        PERFORM announce_node('node-online', state, joined_rooms);
    END IF;
    PERFORM announce_rooms(told.kind, told.name, left_rooms, '{}');
    PERFORM announce_rooms(state.kind, state.name, '{}', joined_rooms);
    IF state.changed_at IS NULL THEN -- HQ has removed it
        DELETE FROM announced AS a WHERE a.principal_id = told.principal_id;
    ELSIF (told.online, told.rooms) IS DISTINCT FROM (state.online, state.rooms) THEN
        UPDATE announced AS a
        SET (kind, name, organization_id, online, rooms, changed_at)
          = (state.kind, state.name, state.organization_id, state.online, state.rooms,
             clock_timestamp())
        WHERE a.principal_id = told.principal_id;
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION reconcile(announced, announced, boolean) IS
    'Tells and writes the difference between what was told of a principal and its state; false if '
    'it must be tried again.';

CREATE FUNCTION reconcile_all(principals integer[]) RETURNS integer[]
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    locked integer[] := lock_announced(principals);
    present integer[];
    in_grace integer[];
    done integer[] := '{}';
    item record;
BEGIN
    -- After the locks: nothing has been told since. In one statement: who ends or registers
    -- meanwhile exchanges the one for the other.
    SELECT coalesce(array_agg(DISTINCT x.id) FILTER (WHERE x.leased), '{}'),
           coalesce(array_agg(DISTINCT x.id) FILTER (WHERE NOT x.leased), '{}')
    INTO present, in_grace
    FROM (SELECT l.principal_id, true FROM lease AS l
          WHERE l.principal_id = ANY (locked) AND l.nsp = '/tasks'
          UNION ALL
          SELECT p.principal_id, false FROM pending AS p
          WHERE p.principal_id = ANY (locked) AND p.due > clock_timestamp()) AS x (id, leased);
    FOR item IN
        SELECT a AS told, coalesce(s, (a.principal_id, a.kind, a.name, a.organization_id, false,
                                       '{}', NULL)::announced) AS state
        FROM announced AS a
        LEFT JOIN states(locked, present) AS s ON s.principal_id = a.principal_id
        WHERE a.principal_id = ANY (locked) ORDER BY a.principal_id
    LOOP
        IF reconcile(item.told, item.state, (item.told).principal_id = ANY (in_grace)) THEN
            done := done || (item.told).principal_id;
        END IF;
    END LOOP;
    -- A principal that neither HQ nor we know is done with. (One that only HQ knows, upkeep() has
    -- forgotten just now: next time.)
    RETURN done || ARRAY(SELECT unnest(principals)
                         EXCEPT SELECT a.principal_id FROM announced AS a
                         EXCEPT SELECT p.id FROM vantage6_events.principal AS p);
END $$;
COMMENT ON FUNCTION reconcile_all(integer[]) IS
    'Reconciles the principals that nobody else is at; returns those done.';

CREATE FUNCTION presence_logic(max_rows integer, moved integer[] DEFAULT '{}')
    RETURNS double precision
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, vantage6_events, pg_temp SET lock_timeout = '500ms' AS $$
DECLARE
    taken bigint[];
    done integer[];
    wait double precision;
BEGIN
    PERFORM expect(moved, '0');
    taken := ARRAY(SELECT p.id FROM pending AS p
                   WHERE p.due <= clock_timestamp()
                   ORDER BY p.due, p.id LIMIT max_rows FOR UPDATE SKIP LOCKED);
    done := reconcile_all(ARRAY(
        SELECT DISTINCT p.principal_id FROM pending AS p WHERE p.id = ANY (taken)));
    DELETE FROM pending AS p WHERE p.id = ANY (taken) AND p.principal_id = ANY (done);
    UPDATE pending AS p SET due = clock_timestamp() + interval '1 second'
    WHERE p.id = ANY (taken);
    IF cardinality(taken) >= max_rows THEN
        RETURN 0;
    END IF;
    -- What is due and was not taken is in another daemon's hands.
    SELECT extract(epoch FROM min(p.due) - clock_timestamp()) INTO wait FROM pending AS p;
    RETURN CASE WHEN wait < 0.1 THEN 0.1 ELSE wait END;
END $$;
COMMENT ON FUNCTION presence_logic(integer, integer[]) IS
    'Reconciles the presence of pending principals, among them now those that were moved (their '
    'rooms have changed), at most max_rows of their rows, those due longest first; rows that '
    'others hold are passed over. Returns the seconds until the next is due: 0 = call again at '
    'once, NULL = none pending. 55P03 if HQ''s tables are locked for 0.5 s.';

-- A principal that is not online is announced anew when it comes, and may be gone for ever.
CREATE FUNCTION tidy_announced() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    DELETE FROM announced AS a WHERE a.principal_id IN (
        SELECT b.principal_id FROM announced AS b
        WHERE NOT b.online AND b.changed_at < now() - interval '24 hours'
        ORDER BY b.principal_id LIMIT 1000 FOR UPDATE SKIP LOCKED)
$$;
COMMENT ON FUNCTION tidy_announced() IS 'Forgets principals that have been offline for a day.';

CREATE FUNCTION tidy_configs() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    DELETE FROM shared_config AS s WHERE s.node_id IN (
        SELECT t.node_id FROM shared_config AS t
        WHERE t.used_at < now() - interval '168 hours' FOR UPDATE SKIP LOCKED)
$$;
COMMENT ON FUNCTION tidy_configs() IS
    'Forgets what was remembered of configurations that have not changed for a week.';
