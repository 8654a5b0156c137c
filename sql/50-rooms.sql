-- Rooms: who may receive what.
--
-- public room   all_nodes, collaboration_<id>, collaboration_<id>_organization_<id>: those of
--               today's server. Joining and leaving one (but all_nodes) is announced
-- private room  node_<id>, user_<id>, everyone, and <public room>/nodes, <public room>/users. Never
--               announced, so that an event can be addressed to one side only
--
-- They are read from the adapter views that attach() makes, whose rows may be duplicated.

CREATE FUNCTION public_rooms_of(principals integer[])
    RETURNS TABLE (principal_id integer, room text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    WITH p AS (
        SELECT * FROM vantage6_events.principal AS q WHERE q.id = ANY (principals)
    ), scope AS ( -- of each user the widest
        SELECT r.user_id, min(array_position(ARRAY['global', 'collaboration', 'organization'],
                                             r.scope)) AS n
        FROM vantage6_events.event_rule AS r WHERE r.user_id = ANY (principals)
        GROUP BY r.user_id
    )
    SELECT p.id, 'all_nodes' FROM p WHERE p.kind = 'node'
    UNION SELECT p.id, 'collaboration_' || p.collaboration_id FROM p
        WHERE p.kind = 'node' AND p.collaboration_id IS NOT NULL
    UNION SELECT p.id, format('collaboration_%s_organization_%s', p.collaboration_id,
                              p.organization_id)
        FROM p WHERE p.kind = 'node' AND p.collaboration_id IS NOT NULL
               AND p.organization_id IS NOT NULL
    UNION SELECT p.id, 'collaboration_' || c.id
        FROM p JOIN scope AS s ON s.user_id = p.id AND s.n = 1
        CROSS JOIN vantage6_events.collaboration AS c WHERE p.kind = 'user'
    UNION SELECT p.id, 'collaboration_' || m.collaboration_id
            || CASE WHEN s.n = 3 THEN '_organization_' || p.organization_id ELSE '' END
        FROM p JOIN scope AS s ON s.user_id = p.id AND s.n IN (2, 3)
        JOIN vantage6_events.membership AS m ON m.organization_id = p.organization_id
        WHERE p.kind = 'user' AND m.collaboration_id IS NOT NULL;
END $$;
COMMENT ON FUNCTION public_rooms_of(integer[]) IS 'The public rooms of each principal.';

CREATE FUNCTION rooms_of(principals integer[])
    RETURNS TABLE (principal_id integer, room text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    RETURN QUERY
    WITH p AS (
        SELECT q.id, q.kind FROM vantage6_events.principal AS q WHERE q.id = ANY (principals)
    ), public AS (
        SELECT r.principal_id AS id, r.room FROM public_rooms_of(principals) AS r
    )
    SELECT public.id, public.room FROM public
    UNION ALL SELECT p.id, public.room || '/' || p.kind || 's' FROM public JOIN p USING (id)
        WHERE public.room <> 'all_nodes'
    UNION ALL SELECT p.id, p.kind || '_' || p.id FROM p
    UNION ALL SELECT p.id, 'everyone' FROM p;
END $$;
COMMENT ON FUNCTION rooms_of(integer[]) IS 'All rooms of each principal, public and private.';

CREATE FUNCTION rooms_logic(principal integer) RETURNS SETOF text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT r.room FROM rooms_of(ARRAY[principal]) AS r
                 ORDER BY r.room COLLATE "C";
END $$;
COMMENT ON FUNCTION rooms_logic(integer) IS
    'The rooms of a principal, public and private, sorted; none if it does not exist.';

CREATE FUNCTION may_receive_logic(principal integer, room text) RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM rooms_of(ARRAY[principal]) AS r
                   WHERE r.room = may_receive_logic.room);
END $$;
COMMENT ON FUNCTION may_receive_logic(integer, text) IS
    'Whether the principal is in the room when it is connected.';
