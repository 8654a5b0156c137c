-- Presence: what HQ's rows and the clients are told of who is connected.
--
-- The leases say who is connected, the announced rows what was last told. presence() reconciles the
-- two, one principal at a time under the lock of its announced row, and tells the difference. So
-- the late end of an old connection harms nobody, and two daemons tell nothing twice.
--
-- grace  a principal without a lease counts as present while a row of pending for it is not yet due
--
-- Rows of HQ are taken if nobody else holds them, else the principal's turn comes a second later:
-- neither side ever waits for the other.

CREATE FUNCTION utc_now() RETURNS timestamp
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$ SELECT clock_timestamp() AT TIME ZONE 'UTC' $$;
COMMENT ON FUNCTION utc_now() IS
    'The time as HQ keeps it: UTC, without time zone, whatever the setting TimeZone. Owned by the '
    'extension.';

CREATE FUNCTION expect(principals integer[], grace interval) RETURNS void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO vantage6_events.pending (principal_id, due)
    SELECT p, clock_timestamp() + grace FROM (SELECT DISTINCT unnest(principals) AS p) AS x
    ORDER BY p
$$;
COMMENT ON FUNCTION expect(integer[], interval) IS
    'Makes the principals pending after the grace. For the agent only; owned by the extension.';

-- Tells that a principal left and joined rooms. Users' names go to users only.
CREATE FUNCTION announce_rooms(kind text, name text, left_rooms text[], joined_rooms text[])
    RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    room text;
    suffix text := CASE kind WHEN 'node' THEN '' ELSE '/users' END;
BEGIN
    FOREACH room IN ARRAY array_remove(left_rooms, 'all_nodes') LOOP
        PERFORM vantage6_events.announce(
            'message', to_json(name || ' left room ' || room), ARRAY[room || suffix]);
    END LOOP;
    FOREACH room IN ARRAY array_remove(joined_rooms, 'all_nodes') LOOP
        PERFORM vantage6_events.announce(
            'message', to_json(initcap(kind) || ' <' || name || '> joined room <' || room || '>'),
            ARRAY[room || suffix]);
    END LOOP;
END
$$;
COMMENT ON FUNCTION announce_rooms(text, text, text[], text[]) IS
    'Sends the messages that a principal left and joined public rooms. For the agent only; owned '
    'by the extension.';

CREATE FUNCTION announce_node(event text, node announced) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rooms text[] := array_remove(node.rooms, 'all_nodes');
BEGIN
    IF cardinality(rooms) > 0 THEN
        PERFORM vantage6_events.announce(event, json_build_object(
            'id', node.principal_id, 'name', node.name, 'org_id', node.organization_id),
            rooms, node.principal_id);
    END IF;
END
$$;
COMMENT ON FUNCTION announce_node(text, announced) IS
    'Sends node-online or node-offline to the node''s rooms, not to the node. For the agent only; '
    'owned by the extension.';

-- Takes the row of HQ and writes the status; false if somebody else holds it.
CREATE FUNCTION write_status(principal integer, online boolean) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted text := CASE WHEN online THEN 'online' ELSE 'offline' END;
    was record;
BEGIN
    SELECT s.status, s.last_seen INTO was FROM vantage6_events.principal_status AS s
    WHERE s.id = principal FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN NOT EXISTS (SELECT FROM vantage6_events.principal_status AS s
                           WHERE s.id = principal);
    END IF;
    IF was.status IS DISTINCT FROM wanted OR online AND (was.last_seen IS NULL OR
            was.last_seen < vantage6_events.utc_now() - interval '30 seconds') THEN
        UPDATE vantage6_events.principal_status AS s
        SET status = wanted,
            last_seen = CASE WHEN online THEN vantage6_events.utc_now() ELSE s.last_seen END
        WHERE s.id = principal;
    END IF;
    IF NOT online THEN
        DELETE FROM vantage6_events.node_config AS c WHERE c.id IN (
            SELECT d.id FROM vantage6_events.node_config AS d WHERE d.node_id = principal
            ORDER BY d.id FOR UPDATE SKIP LOCKED);
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION write_status(integer, boolean) IS
    'Writes status, last_seen (UTC) and, at the end of a node, removes its configuration; false if '
    'HQ''s row is locked. For the agent only; owned by the extension.';

-- The principal as it is to be announced; NULL if there is none.
CREATE FUNCTION present_state(principal integer, online boolean) RETURNS announced
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p.id, p.kind, p.name, p.organization_id, online,
           CASE WHEN online THEN ARRAY(
               SELECT r.room FROM vantage6_events.public_rooms_of(ARRAY[p.id]) AS r
               ORDER BY r.room COLLATE "C") ELSE '{}' END,
           clock_timestamp()
    FROM vantage6_events.principal AS p WHERE p.id = principal
$$;
COMMENT ON FUNCTION present_state(integer, boolean) IS
    'What there is to announce of a principal that is or is not connected. For the agent only; '
    'owned by the extension.';

-- false if the principal's turn must come again.
CREATE FUNCTION reconcile(principal integer) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    told vantage6_events.announced;
    state vantage6_events.announced;
    online boolean;
BEGIN
    -- The insert would wait for whoever changes the row, if there is one.
    IF NOT EXISTS (SELECT FROM vantage6_events.announced AS a WHERE a.principal_id = principal) THEN
        INSERT INTO vantage6_events.announced
        SELECT s.* FROM vantage6_events.present_state(principal, false) AS s
        WHERE s.principal_id IS NOT NULL
        ON CONFLICT DO NOTHING;
    END IF;
    SELECT * INTO told FROM vantage6_events.announced AS a WHERE a.principal_id = principal
    FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN -- another daemon is at it, or there is no such principal
        RETURN NOT EXISTS (SELECT FROM vantage6_events.announced AS a
                           WHERE a.principal_id = principal);
    END IF;

    online := EXISTS (SELECT FROM vantage6_events.lease AS l
                      WHERE l.principal_id = principal AND l.nsp = '/tasks');
    IF NOT online AND told.online AND EXISTS (
            SELECT FROM vantage6_events.pending AS p
            WHERE p.principal_id = principal AND p.due > clock_timestamp()) THEN
        RETURN true; -- a grace runs: the later row will see to it
    END IF;
    IF NOT vantage6_events.write_status(principal, online) THEN
        RETURN false;
    END IF;

    state := vantage6_events.present_state(principal, online);
    IF state.principal_id IS NULL THEN -- removed from HQ
        state := told;
        state.online := false;
        state.rooms := '{}';
    END IF;
    IF told.online AND NOT state.online AND told.kind = 'node' THEN
        PERFORM vantage6_events.announce_node('node-offline', told);
    ELSIF state.online AND NOT told.online AND state.kind = 'node' THEN
        PERFORM vantage6_events.announce_node('node-online', state);
    END IF;
    PERFORM vantage6_events.announce_rooms(told.kind, told.name,
        ARRAY(SELECT unnest(told.rooms) EXCEPT SELECT unnest(state.rooms) ORDER BY 1), '{}');
    PERFORM vantage6_events.announce_rooms(state.kind, state.name,
        '{}', ARRAY(SELECT unnest(state.rooms) EXCEPT SELECT unnest(told.rooms) ORDER BY 1));
    IF (told.online, told.rooms) IS DISTINCT FROM (state.online, state.rooms) THEN
        UPDATE vantage6_events.announced AS a
        SET (kind, name, organization_id, online, rooms, changed_at)
          = (state.kind, state.name, state.organization_id, state.online, state.rooms,
             clock_timestamp())
        WHERE a.principal_id = principal;
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION reconcile(integer) IS
    'Tells and writes the difference between the leases of a principal and what was announced; '
    'false if it must be tried again. For the agent only; owned by the extension.';

CREATE FUNCTION presence_logic(max_rows integer) RETURNS double precision
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
DECLARE
    item record;
    n integer := 0;
    wait double precision;
BEGIN
    FOR item IN
        WITH due AS (
            SELECT p.id, p.principal_id FROM vantage6_events.pending AS p
            WHERE p.due <= clock_timestamp()
            ORDER BY p.principal_id, p.id LIMIT max_rows FOR UPDATE SKIP LOCKED)
        SELECT d.principal_id, array_agg(d.id) AS ids, count(*) AS rows FROM due AS d
        GROUP BY d.principal_id ORDER BY d.principal_id
    LOOP
        n := n + item.rows;
        IF vantage6_events.reconcile(item.principal_id) THEN
            DELETE FROM vantage6_events.pending AS p WHERE p.id = ANY (item.ids);
        ELSE
            UPDATE vantage6_events.pending AS p SET due = clock_timestamp() + interval '1 second'
            WHERE p.id = ANY (item.ids);
        END IF;
    END LOOP;
    IF n >= max_rows THEN
        RETURN 0;
    END IF;
    -- What is due and was not taken is in another daemon's hands.
    SELECT extract(epoch FROM min(p.due) - clock_timestamp()) INTO wait
    FROM vantage6_events.pending AS p;
    RETURN CASE WHEN wait < 0.1 THEN 0.1 ELSE wait END;
END
$$;
COMMENT ON FUNCTION presence_logic(integer) IS
    'Reconciles the presence of pending principals, at most max_rows of their rows, in the order of '
    'their ids. Returns the seconds until the next is due: 0 = call again at once, NULL = none '
    'pending. 55P03 if HQ''s tables are locked for a second. Owned by the agent.';
