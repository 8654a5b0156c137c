-- kick: an operator closes all connections of a principal, now.
--
-- It waits for nobody, and nobody waits for it: it writes rows of its own, and touches no lease. A
-- scope of rights_change tells the daemons. Each closes what the principal has with it when it
-- reads that. So a connection that is just being registered does not slip through.
--
-- kicked has what must not go on afterwards: a connection that a daemon registers again, since it
-- had lost the database meanwhile; one that a browser resumes; one that a node returns from.

CREATE FUNCTION kick(principal integer) RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    n integer;
BEGIN
    IF principal IS NULL THEN
        RETURN 0;
    END IF;
    WITH living AS MATERIALIZED (
        SELECT l.sid, l.key FROM lease AS l WHERE l.principal_id = principal
    ), noted AS (
        INSERT INTO kicked (name)
        SELECT x.name FROM (
            SELECT l.sid FROM living AS l
            UNION SELECT l.key FROM living AS l WHERE l.key IS NOT NULL
            UNION SELECT r.key FROM resumable AS r WHERE r.principal_id = principal
            UNION SELECT i.sid FROM interrupted AS i WHERE i.principal_id = principal) AS x (name)
        ORDER BY x.name
        ON CONFLICT DO NOTHING)
    SELECT count(*) INTO n FROM living AS l;
    PERFORM rights_changed('kick_' || principal);
    RETURN n;
END $$;
COMMENT ON FUNCTION kick(integer) IS
    'Closes all connections of the principal when the transaction commits, and returns how many '
    'there are. None can be resumed or returned from. Who has a good token may connect again.';

CREATE FUNCTION tidy_kicked() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    DELETE FROM kicked AS k
    WHERE k.kicked_at < now() - interval '24 hours' - greatest(
        duration('resume_identity'), duration('recovery'), duration('drain_grace'))
$$;
COMMENT ON FUNCTION tidy_kicked() IS 'Forgets kicked connections that could not go on any more.';
