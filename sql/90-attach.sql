-- attach and detach: what is made for one HQ, in one of its schemas.
--
-- adapter view  what all else reads of HQ's tables; the same for both versions of HQ
-- wrapper       of a logic function: the same name without _logic, SECURITY DEFINER, of the agent
-- asker         the role that calls attach() or detach(), whatever those run as
--
-- None of these is a member of the extension: pg_dump then keeps them and their owner, and the
-- triggers on HQ's tables too. make() is SECURITY DEFINER of a superuser, but touches no row of HQ:
-- it defines things and gives them to the agent, who therefore needs no right to create any.

CREATE FUNCTION view_template(version integer)
    RETURNS TABLE (name text, query text, comment text, columns text[])
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    VALUES
    ('principal', format($q$
        SELECT a.id, 'node'::text AS kind, a.%1$s::text AS subject, n.name::text AS name,
               n.organization_id, n.collaboration_id
        FROM %%1$I.authenticatable AS a JOIN %%1$I.node AS n ON n.id = a.id
        WHERE a.type = 'node'
        UNION ALL
        SELECT a.id, 'user'::text, a.%1$s::text, u.username::text, u.organization_id, NULL::integer
        FROM %%1$I.authenticatable AS a JOIN %%1$I."user" AS u ON u.id = a.id
        WHERE a.type = 'user'$q$, CASE version WHEN 4 THEN 'id' ELSE 'keycloak_id' END),
     'Nodes and users of HQ',
     ARRAY['Key', 'node or user', 'What the sub of its tokens says', 'Name',
           'Its organization, or NULL', 'The collaboration of a node; NULL for a user']),
    ('principal_status', $q$
        SELECT a.id, a.status, a.last_seen FROM %1$I.authenticatable AS a$q$,
     'Presence of principals, as HQ keeps it; updatable',
     ARRAY['Key', 'online, offline or NULL', 'UTC, if without time zone']),
    ('collaboration', $q$
        SELECT c.id FROM %1$I.collaboration AS c$q$, 'Collaborations', ARRAY['Key']),
    ('membership', $q$
        SELECT m.organization_id, m.collaboration_id FROM %1$I."Member" AS m$q$,
     'Organizations of collaborations; may hold duplicates',
     ARRAY['Organization', 'Collaboration']),
    ('event_rule', $q$
        SELECT g.user_id, lower(r.scope::text COLLATE "C") AS scope
        FROM (SELECT p.user_id, p.rule_id FROM %1$I."UserPermission" AS p
              UNION
              SELECT p.user_id, a.rule_id FROM %1$I."Permission" AS p
              JOIN %1$I.role_rule_association AS a ON a.role_id = p.role_id) AS g
        JOIN %1$I.rule AS r ON r.id = g.rule_id
        WHERE r.name = 'event' AND lower(r.operation::text COLLATE "C") = 'receive'$q$,
     'Users that may receive events, by a rule of their own or of a role; may hold duplicates',
     ARRAY['User', 'global, collaboration, organization or own']),
    ('task', $q$
        SELECT t.id, t.collaboration_id, t.parent_id, t.job_id FROM %1$I.task AS t$q$,
     'Tasks, to be looked up by id', ARRAY['Key', 'Collaboration', 'Parent task or NULL', 'Job']),
    ('run', $q$
        SELECT r.id, r.task_id, r.organization_id, r.status, r.finished_at, r.log
        FROM %1$I.run AS r$q$,
     'Runs, to be looked up by id; updatable',
     ARRAY['Key', 'Task', 'Organization', 'Status',
           'UTC, if without time zone; NULL until it has finished', 'What it has logged']),
    ('task_dependency', CASE version WHEN 4 THEN $q$
        SELECT NULL::integer AS task_id, NULL::integer AS depends_on_id WHERE false$q$ ELSE $q$
        SELECT d.task_id, d.depends_on_id FROM %1$I.task_depends_on AS d$q$ END,
     'Which task waits for which; none in HQ 4',
     ARRAY['The task that waits', 'The task that it waits for']),
    ('dataframe_deletion', CASE version WHEN 4 THEN $q$
        SELECT NULL::integer AS id, NULL::integer AS node_id, NULL::text AS df_name,
               NULL::integer AS session_id WHERE false$q$ ELSE $q$
        SELECT d.id, d.node_id, d.dataframe_name::text AS df_name, d.session_id
        FROM %1$I.dataframetobedeletedatnode AS d$q$ END,
     'Dataframes that nodes are to delete; none in HQ 4; updatable',
     ARRAY['Key', 'Node', 'Name', 'Session']),
    ('node_config', $q$
        SELECT c.id, c.node_id, c.key, c.value FROM %1$I.nodeconfig AS c$q$,
     'Configuration that nodes have shared; updatable',
     ARRAY['Key', 'Node', 'Name of the setting', 'Value'])
$$;
COMMENT ON FUNCTION view_template(integer) IS
    'The adapter views of HQ version 4 or 5; the query is a format with the schema.';

CREATE FUNCTION logic()
    RETURNS TABLE (name text, function regprocedure, arguments oidvector)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT left(p.proname, -6), p.oid::regprocedure, p.proargtypes FROM pg_proc AS p
    WHERE p.pronamespace = 'vantage6_events'::regnamespace AND right(p.proname, 6) = '_logic'
    ORDER BY p.proname COLLATE "C"
$$;
COMMENT ON FUNCTION logic() IS 'The logic functions and the names of their wrappers.';

CREATE FUNCTION made_views() RETURNS TABLE (name text, oid oid, owner oid, whole boolean)
    LANGUAGE sql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp SET jit = off AS $$
    SELECT v.name, c.oid, c.relowner,
           -- It follows a table that is renamed or moved: HQ writes into another by then.
           ARRAY(SELECT DISTINCT concat(att.hq_schema, '.', h.table_name) COLLATE "C"
                 FROM hq_columns(att.hq_version) AS h
                 WHERE v.query ~ ('%1[$]I[.]"?' || h.table_name || '"? AS ') ORDER BY 1)
           = ARRAY(SELECT DISTINCT concat(n.nspname, '.', t.relname) COLLATE "C"
                   FROM pg_rewrite AS r
                   JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                       AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> c.oid
                   JOIN pg_class AS t ON t.oid = d.refobjid
                   JOIN pg_namespace AS n ON n.oid = t.relnamespace
                   WHERE r.ev_class = c.oid ORDER BY 1)
    FROM view_template(5) AS v
    LEFT JOIN attachment AS att ON true
    LEFT JOIN pg_class AS c ON c.relname = v.name AND c.relkind = 'v'
        AND c.relnamespace = 'vantage6_events'::regnamespace
$$;
COMMENT ON FUNCTION made_views() IS 'The adapter views, as made() has them.';

CREATE FUNCTION made_functions() RETURNS TABLE (name text, oid oid, owner oid, whole boolean)
    LANGUAGE sql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp SET jit = off AS $$
    SELECT w.name, f.oid, f.proowner, f.prosecdef
    FROM (SELECT l.name, l.arguments FROM logic() AS l
          UNION ALL
          SELECT t.name, '' FROM (SELECT) AS always LEFT JOIN attachment AS att ON true
          CROSS JOIN LATERAL trigger_template(att.hq_version) AS t) AS w
    LEFT JOIN pg_proc AS f ON f.proname = w.name AND f.proargtypes = w.arguments
        AND f.pronamespace = 'vantage6_events'::regnamespace
$$;
COMMENT ON FUNCTION made_functions() IS 'Wrappers and trigger functions, as made() has them.';

CREATE FUNCTION made_triggers() RETURNS TABLE (name text, oid oid, owner oid, whole boolean)
    LANGUAGE sql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp SET jit = off AS $$
    SELECT 'vantage6_events_' || t.name, g.oid, f.owner,
           g.tgenabled IN ('O', 'A') AND (g.tgqual IS NULL) = (t.condition = '')
           -- of any column, or of those named
           AND (SELECT string_agg(a.attname, ', ') FROM pg_attribute AS a
                WHERE a.attrelid = g.tgrelid AND a.attnum = ANY (g.tgattr))
               IS NOT DISTINCT FROM substring(t.after FROM ' OF (.*)')
           AND concat(g.tgoldtable, ' ', g.tgnewtable) = CASE
               WHEN t.fires <> 'ROWS' THEN ' ' WHEN t.after LIKE '%UPDATE%' THEN 'was changed'
               WHEN t.after LIKE '%DELETE%' THEN 'changed ' ELSE ' changed' END
           -- The bits of the catalog: 1 = for each row; BEFORE and INSTEAD have bits of their own.
           AND g.tgdeferrable = (t.fires = 'COMMIT') AND g.tginitdeferred = (t.fires = 'COMMIT')
           AND g.tgtype = CASE WHEN t.fires IN ('STATEMENT', 'ROWS') THEN 0 ELSE 1 END
                          + CASE WHEN t.after LIKE '%TRUNCATE%' THEN 32 ELSE 0 END
                          + CASE WHEN t.after LIKE '%INSERT%' THEN 4 ELSE 0 END
                          + CASE WHEN t.after LIKE '%DELETE%' THEN 8 ELSE 0 END
                          + CASE WHEN t.after LIKE '%UPDATE%' THEN 16 ELSE 0 END
    FROM (SELECT) AS always LEFT JOIN attachment AS att ON true
    CROSS JOIN LATERAL trigger_template(att.hq_version) AS t
    LEFT JOIN made_functions() AS f ON f.name = t.name
    LEFT JOIN pg_trigger AS g ON g.tgfoid = f.oid
        AND g.tgname = 'vantage6_events_' || t.name AND g.tgparentid = 0
        AND g.tgrelid = to_regclass(quote_ident(att.hq_schema) || '.' || quote_ident(t.on_table))
$$;
COMMENT ON FUNCTION made_triggers() IS 'The triggers, owned as their functions are.';

CREATE FUNCTION made() RETURNS TABLE (what text, name text, oid oid, owner oid, whole boolean)
    LANGUAGE sql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp SET jit = off AS $$
    SELECT 'view', v.* FROM made_views() AS v
    UNION ALL SELECT 'function', f.* FROM made_functions() AS f
    UNION ALL SELECT 'trigger', t.* FROM made_triggers() AS t
$$;
COMMENT ON FUNCTION made() IS
    'All that attach() makes; oid and owner are NULL where it is not there. whole: it is as '
    'attach() makes it, and a view or trigger on the tables that HQ has now.';

CREATE FUNCTION asker() RETURNS name
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    -- Within a SECURITY DEFINER function the current user is its owner.
    SELECT coalesce(nullif(current_setting('role'), 'none'), session_user)::name
$$;
COMMENT ON FUNCTION asker() IS 'The role that the session acts as, seen from within any function.';

CREATE FUNCTION check_asker(owner name) RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    IF NOT pg_has_role(asker(), owner, 'MEMBER') THEN
        RAISE EXCEPTION 'role "%" does not own the tables of vantage6', asker()
            USING ERRCODE = 'V6004', HINT = format('Do it as %I or as a superuser.', owner);
    END IF;
END $$;
COMMENT ON FUNCTION check_asker(name) IS 'V6004 unless the asker is a member of the owner.';

CREATE FUNCTION unmake() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT g.tgname, g.tgrelid::regclass AS rel FROM pg_trigger AS g
        JOIN pg_proc AS p ON p.oid = g.tgfoid
        WHERE p.pronamespace = 'vantage6_events'::regnamespace AND NOT g.tgisinternal
          AND g.tgparentid = 0 -- a partition's goes with its parent's
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', item.tgname, item.rel);
    END LOOP;
    FOR item IN SELECT m.what, m.oid FROM vantage6_events.made() AS m WHERE m.oid IS NOT NULL LOOP
        EXECUTE CASE item.what
            WHEN 'view' THEN format('DROP VIEW %s', item.oid::regclass)
            ELSE format('DROP FUNCTION %s', item.oid::regprocedure) END;
    END LOOP;
END $$;
COMMENT ON FUNCTION unmake() IS 'Drops all that attach() made, whatever its owner.';

-- In the order of those that come meanwhile, or each would hold what we want next while it waits
-- for what we have, until our wait ends, and with enough of them every wait does. pushd's functions
-- begin with the extension's tables and go on to HQ's; HQ goes from its tables to our views.
CREATE FUNCTION locks_to_take(schema name, version integer, mode text)
    RETURNS TABLE (relations regclass[], lock_mode text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY['vantage6_events.instance', 'vantage6_events.resumable', 'vantage6_events.lease',
                 'vantage6_events.interrupted', 'vantage6_events.pending',
                 'vantage6_events.announced']::regclass[], 'EXCLUSIVE'
    UNION ALL
    (SELECT array_agg(t.rel ORDER BY t.rel::text COLLATE "C"),
            CASE WHEN t.ours THEN mode ELSE 'ACCESS SHARE' END
     FROM (SELECT to_regclass(format('%I.%I', schema, c.table_name)) AS rel,
                  bool_or(c.table_name IN (SELECT x.on_table FROM
                                           vantage6_events.trigger_template(version) AS x)) AS ours
           FROM vantage6_events.hq_columns(version) AS c GROUP BY 1) AS t
     WHERE t.rel IS NOT NULL GROUP BY t.ours ORDER BY t.ours DESC)
$$;
COMMENT ON FUNCTION locks_to_take(name, integer, text) IS
    'How attach() locks tables, one LOCK a row: the extension''s against pushd, HQ''s that get '
    'triggers in the given mode, HQ''s others so that they stay.';

CREATE FUNCTION lock_holders(schema name, version integer, mode text) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH held AS (
        SELECT l.pid, l.virtualtransaction AS vxid,
               string_agg(DISTINCT l.mode || ' on ' || l.relation::regclass, ', ') AS locks
        FROM vantage6_events.locks_to_take(schema, version, mode) AS t
        JOIN pg_locks AS l ON l.relation = ANY (t.relations::oid[])
        JOIN pg_database AS d ON d.oid = l.database AND d.datname = current_database()
        WHERE l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
          AND CASE t.lock_mode
              WHEN 'ACCESS EXCLUSIVE' THEN true
              WHEN 'EXCLUSIVE' THEN l.mode <> 'AccessShareLock'
              WHEN 'SHARE ROW EXCLUSIVE' THEN l.mode NOT IN ('AccessShareLock', 'RowShareLock')
              ELSE l.mode = 'AccessExclusiveLock' END
        GROUP BY 1, 2
    ), holder AS (
        SELECT coalesce(a.xact_start, x.prepared) AS began, h.locks, CASE
            WHEN h.pid IS NULL THEN format('the prepared transaction %L', x.gid)
            WHEN a.usesysid IS NULL
            THEN format('process %s (%s)', h.pid, coalesce(a.backend_type, 'ended'))
            ELSE format('process %s (%s, application "%s"%s)', h.pid, a.usename,
                        a.application_name, CASE
                -- What pg_stat_activity would show it.
                WHEN pg_has_role(vantage6_events.asker(), a.usesysid, 'USAGE')
                  OR pg_has_role(vantage6_events.asker(), 'pg_read_all_stats', 'USAGE')
                THEN format(', %s, transaction of %s', a.state, a.xact_start) END) END AS name
        FROM held AS h
        LEFT JOIN pg_stat_activity AS a ON a.pid = h.pid
        LEFT JOIN pg_locks AS own ON own.locktype = 'transactionid'
            AND own.virtualtransaction = h.vxid AND own.granted AND own.pid IS NULL
                AND h.pid IS NULL
        LEFT JOIN pg_prepared_xacts AS x ON x.transaction = own.transactionid
    )
    SELECT string_agg(format('%s: %s', o.name, o.locks), E'\n' ORDER BY o.began)
    FROM (SELECT * FROM holder AS n ORDER BY n.began LIMIT 5) AS o
$$;
COMMENT ON FUNCTION lock_holders(name, integer, text) IS
    'What is in the way of attach(), oldest first, as far as the asker may know; or NULL.';

-- All locks together, and given up together: HQ may hold one table and want another, and must
-- neither lose its transaction to us nor queue behind us for long. Our deadlock_timeout is the
-- shortest, so that we are the victim, and autovacuum makes way: it does for those who wait that
-- long.
CREATE FUNCTION unmake_locked(schema name, version integer, mode text, patience interval)
    RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '200ms' SET deadlock_timeout = '100ms' AS $$
DECLARE
    least_tries CONSTANT integer := 10; -- time alone may pass while the machine stands still
    until timestamptz := clock_timestamp() + patience;
    tries integer := 0;
    holders text;
    item record;
BEGIN
    LOOP
        BEGIN
            FOR item IN SELECT * FROM vantage6_events.locks_to_take(schema, version, mode) LOOP
                EXECUTE format('LOCK TABLE %s IN %s MODE',
                               array_to_string(item.relations, ', '), item.lock_mode);
            END LOOP;
            PERFORM vantage6_events.unmake();
            RETURN;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN -- our locks are gone
            holders := coalesce(vantage6_events.lock_holders(schema, version, mode), holders);
        END;
        tries := tries + 1;
        IF tries >= least_tries AND clock_timestamp() >= until THEN
            RAISE EXCEPTION 'the tables in schema "%" could not be locked: they are in use', schema
                USING ERRCODE = 'lock_not_available',
                DETAIL = coalesce('In the way: ' || holders,
                                  'Nobody holds a lock on them for long.'),
                HINT = 'Nothing was changed. Do it again when these transactions have ended; '
                    'pg_terminate_backend(process) ends one that stays idle in transaction.';
        END IF;
        PERFORM pg_sleep(0.05 + 0.1 * random()); -- not in step with others
    END LOOP;
END $$;
COMMENT ON FUNCTION unmake_locked(name, integer, text, interval) IS
    'Locks what locks_to_take() says, as long as the transaction lasts, and drops what attach() '
    'made. 55P03 when patience has ended and ten tries have failed.';

CREATE FUNCTION make_views(schema name, version integer, agent name) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v record;
    col record;
BEGIN
    FOR v IN SELECT * FROM vantage6_events.view_template(version) LOOP
        EXECUTE format('CREATE VIEW vantage6_events.%I AS ', v.name) || format(v.query, schema);
        EXECUTE format('COMMENT ON VIEW vantage6_events.%I IS %L', v.name, v.comment);
        FOR col IN SELECT a.attname, a.attnum FROM pg_attribute AS a
                   WHERE a.attrelid = format('vantage6_events.%I', v.name)::regclass LOOP
            EXECUTE format('COMMENT ON COLUMN vantage6_events.%I.%I IS %L',
                           v.name, col.attname, v.columns[col.attnum]);
        END LOOP;
        EXECUTE format('ALTER VIEW vantage6_events.%I OWNER TO %I', v.name, agent);
    END LOOP;
END $$;
COMMENT ON FUNCTION make_views(name, integer, name) IS 'Makes the adapter views.';

CREATE FUNCTION own_function(signature text, agent name, comment text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', signature);
    EXECUTE format('COMMENT ON FUNCTION %s IS %L', signature, comment);
    -- DROP EXTENSION drops it too, and is refused while a trigger uses it.
    EXECUTE format('ALTER FUNCTION %s DEPENDS ON EXTENSION vantage6_events', signature);
    EXECUTE format('ALTER FUNCTION %s OWNER TO %I', signature, agent);
END $$;
COMMENT ON FUNCTION own_function(text, name, text) IS 'Gives the agent a function of attach().';

CREATE FUNCTION make_functions(version integer, agent name) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    f record;
    logic text;
BEGIN
    FOR f IN SELECT l.name, l.function, p.pronargs, p.provolatile, p.proretset,
                    pg_get_function_arguments(p.oid) AS args,
                    pg_get_function_identity_arguments(p.oid) AS identity_args,
                    pg_get_function_result(p.oid) AS result,
                    p.prorettype = 'void'::regtype AS is_void, obj_description(p.oid) AS comment
             FROM vantage6_events.logic() AS l JOIN pg_proc AS p ON p.oid = l.function LOOP
        logic := format('vantage6_events.%I(%s)', f.name || '_logic',
                        (SELECT string_agg('$' || i, ', ')
                         FROM generate_series(1, f.pronargs) AS i));
        EXECUTE format(
            'CREATE FUNCTION vantage6_events.%I(%s) RETURNS %s LANGUAGE plpgsql %s SECURITY DEFINER'
            ' SET search_path = pg_catalog, pg_temp AS %L',
            f.name, f.args, f.result,
            CASE f.provolatile WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END,
            format(CASE -- not SQL: that would be planned anew at each call
                WHEN f.provolatile = 's' AND f.proretset
                THEN 'BEGIN RETURN QUERY SELECT * FROM %1$s; END'
                WHEN f.provolatile = 's' THEN 'BEGIN RETURN %1$s; END'
                WHEN f.proretset
                THEN 'BEGIN PERFORM %4$s; RETURN QUERY SELECT * FROM %1$s; PERFORM %3$s; END'
                WHEN f.is_void THEN 'BEGIN PERFORM %4$s; PERFORM %1$s; PERFORM %3$s; END'
                ELSE 'DECLARE result %2$s; '
                     'BEGIN PERFORM %4$s; result := %1$s; PERFORM %3$s; RETURN result; END' END,
                logic, f.result, 'vantage6_events.fire_deferred()',
                'vantage6_events.refuse_deferred()'));
        PERFORM vantage6_events.own_function(
            format('vantage6_events.%I(%s)', f.name, f.identity_args), agent,
            replace(f.comment, vantage6_events.audience(f.name || '_logic', 'extension'),
                    vantage6_events.audience(f.name, 'agent')));
    END LOOP;
    FOR f IN SELECT * FROM vantage6_events.trigger_template(version) LOOP
        EXECUTE format(
            'CREATE FUNCTION vantage6_events.%I() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER'
            ' SET search_path = pg_catalog, pg_temp AS %L',
            f.name, format(CASE WHEN f.call LIKE '%;' THEN 'BEGIN %s RETURN NULL; END'
                           ELSE 'BEGIN PERFORM vantage6_events.%s; RETURN NULL; END' END, f.call));
        PERFORM vantage6_events.own_function(
            format('vantage6_events.%I()', f.name), agent,
            format('Trigger: AFTER %s on %I. Owned by the agent.', f.after, f.on_table));
    END LOOP;
END $$;
COMMENT ON FUNCTION make_functions(integer, name) IS 'Makes wrappers and trigger functions.';

CREATE FUNCTION make_triggers(schema name, version integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT * FROM vantage6_events.trigger_template(version) LOOP
        EXECUTE format(
            'CREATE %s %I AFTER %s ON %I.%I %s %s EXECUTE FUNCTION vantage6_events.%I()',
            CASE t.fires WHEN 'COMMIT' THEN 'CONSTRAINT TRIGGER' ELSE 'TRIGGER' END,
            'vantage6_events_' || t.name, t.after, schema, t.on_table, CASE t.fires
                WHEN 'COMMIT' THEN 'DEFERRABLE INITIALLY DEFERRED FOR EACH ROW'
                WHEN 'ROWS' THEN CASE t.after
                    WHEN 'INSERT' THEN 'REFERENCING NEW TABLE AS changed'
                    WHEN 'DELETE' THEN 'REFERENCING OLD TABLE AS changed'
                    ELSE 'REFERENCING OLD TABLE AS was NEW TABLE AS changed' END
                ELSE 'FOR EACH ' || t.fires END,
            CASE WHEN t.condition <> '' THEN format('WHEN (%s)', t.condition) END, t.name);
        EXECUTE format('COMMENT ON TRIGGER %I ON %I.%I IS %L',
                       'vantage6_events_' || t.name, schema, t.on_table,
                       'Of the extension vantage6_events; see its function detach()');
    END LOOP;
END $$;
COMMENT ON FUNCTION make_triggers(name, integer) IS 'Puts the triggers on HQ''s tables.';
