-- upkeep: what is old goes.
--
-- The background worker calls it, and so does beat(). One does it at a time, the others pass by.
-- Each call is short: the next one goes on.
--
-- A slot is emptied when its newest event is older than the retention. Ids are drawn when events
-- are emitted, so the newest has the greatest id, whichever commits first. It is looked at under a
-- lock that leaves no writer. So it does not matter which retention chose the slot: sessions may
-- have different ones, after a change.

CREATE FUNCTION slot_is_old(slot integer) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    newest timestamptz;
BEGIN
    EXECUTE format('SELECT e.emitted_at FROM event_%s AS e ORDER BY e.id DESC LIMIT 1', slot)
    INTO newest;
    RETURN newest < clock_timestamp() - duration('retention');
END $$;
COMMENT ON FUNCTION slot_is_old(integer) IS
    'Whether the newest event of the slot is older than the retention; NULL if there is none.';

CREATE FUNCTION empty_slot() RETURNS integer
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    turn bigint := extract(epoch FROM duration('retention'));
    present integer := floor(extract(epoch FROM
        clock_timestamp() - to_timestamp(946684800)))::bigint / turn % 3;
BEGIN
    FOR slot IN 0 .. 2 LOOP
        CONTINUE WHEN slot = present OR slot_is_old(slot) IS NOT TRUE;
        BEGIN
            EXECUTE format('LOCK TABLE event_%s IN ACCESS EXCLUSIVE MODE', slot);
            IF slot_is_old(slot) THEN
                EXECUTE format('TRUNCATE event_%s', slot);
                -- Nobody may read the slot before the commit. So that waits for no standby that is
                -- away, unless the transaction has emitted.
                IF NOT EXISTS (SELECT FROM event AS e WHERE e.xid = pg_current_xact_id()) THEN
                    PERFORM set_config('synchronous_commit', 'local', true);
                END IF;
                RETURN slot;
            END IF;
        EXCEPTION WHEN lock_not_available THEN
            NULL; -- next time
        END;
    END LOOP;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION empty_slot() IS
    'Empties one slot whose events are all older than the retention, and returns it; not the one '
    'that is written now. NULL: there is none, or it was locked for lock_timeout.';

CREATE FUNCTION tidy_failures() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    DELETE FROM failure AS f WHERE (f.part, f.pid) IN (
        SELECT g.part, g.pid FROM failure AS g
        WHERE g.failed_at < now() - interval '168 hours' FOR UPDATE SKIP LOCKED)
$$;
COMMENT ON FUNCTION tidy_failures() IS 'Forgets failures of more than a week ago.';

CREATE FUNCTION upkeep() RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, vantage6_events, pg_temp
    SET lock_timeout = 0 -- so that what is set below ends with the function
AS $$
BEGIN
    PERFORM set_config('lock_timeout', setting('upkeep_lock_timeout'), true);
    IF NOT pg_try_advisory_xact_lock(lock_space() + 3, 0) THEN
        RETURN NULL;
    END IF;
    -- Bells and beats do not wait for a lock.
    PERFORM attempt(t, t || '()', lock_may_fail => true)
    FROM unnest(ARRAY['tidy_tasks', 'tidy_instructions', 'tidy_rights', 'tidy_announced',
                      'tidy_configs', 'tidy_resumable', 'tidy_interrupted', 'tidy_received',
                      'tidy_sent', 'tidy_failures', 'tidy_set_aside', 'tidy_connections',
                      'tidy_kicked']) AS t;
    RETURN attempt('empty_slot', 'empty_slot()')::integer;
END $$;
COMMENT ON FUNCTION upkeep() IS
    'Removes what is old from the extension''s own tables, and touches none of HQ''s; returns the '
    'slot that it emptied, or NULL. One at a time; waits upkeep_lock_timeout for a lock at most. '
    'If a part of it fails, a WARNING tells it, failure counts it, and the others are done.';
