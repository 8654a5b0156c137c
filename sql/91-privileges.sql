-- Who may do what. grant_hq and grant_pushd are remembered, since attach() makes functions anew.

CREATE FUNCTION purpose_of(function name) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((
        SELECT p.purpose FROM (VALUES
            ('hq', ARRAY['emit', 'bell', 'rooms', 'may_receive', 'kill_task', 'kill_node',
                         'kick', 'attach', 'make', 'detach']),
            ('pushd', ARRAY['open', 'connect', 'disconnect', 'events_since', 'rights_since',
                            'beat', 'presence', 'receive', 'ack']),
            ('superuser', ARRAY['grant_hq', 'grant_pushd', 'remember_grant', 'apply_grants',
                                'agent_privileges', 'make_views', 'make_functions',
                                'own_function', 'make_triggers', 'unmake', 'unmake_locked',
                                'lock_holders'])) AS p (purpose, names)
        WHERE function = ANY (p.names)), 'agent')
$$;
COMMENT ON FUNCTION purpose_of(name) IS
    'Whose it is to call the function: hq, pushd (the roles of grant_hq() and grant_pushd()), '
    'superuser, or else agent. Grants and the comments of functions follow it.';

CREATE FUNCTION audience(function name, owner text) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    SELECT format('For %s. Owned by the %s.', CASE purpose_of(function)
        WHEN 'hq' THEN 'HQ and operators' WHEN 'pushd' THEN 'vantage6-pushd'
        WHEN 'superuser' THEN 'superusers' ELSE 'the agent' END, owner)
$$;
COMMENT ON FUNCTION audience(name, text) IS
    'The end of the comment of a function with this name and owner.';

CREATE FUNCTION agent_needs() RETURNS TABLE (kind text, object text, privileges text)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'SCHEMA', 'vantage6_events', 'USAGE'
    UNION ALL
    SELECT 'TABLE', 'vantage6_events.' || t, 'SELECT, INSERT, UPDATE, DELETE'
    FROM unnest(ARRAY['instance', 'resumable', 'lease', 'interrupted', 'pending', 'announced',
                      'done_once', 'node_at', 'open_run', 'child_task', 'dependency', 'ready_task',
                      'undecided_task', 'instruction', 'killed_run', 'run_to_kill',
                      'unwanted_dataframe', 'log_line', 'relayed', 'received', 'sent',
                      'deferred', 'rights_change', 'failure', 'shared_config',
                      'log_failure', 'connection_log', 'kicked']) AS t
    UNION ALL
    -- What else pg_dump reads: HQ's owner may dump its database.
    SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
           'vantage6_events.' || c.relname, 'SELECT'
    FROM pg_extension AS e JOIN pg_class AS c ON c.oid = ANY (e.extconfig)
    WHERE e.extname = 'vantage6_events'
      AND (c.relkind = 'S' OR c.relname IN ('attachment', 'granted'))
    UNION ALL
    -- What is SECURITY INVOKER gives no role more than it has.
    SELECT 'FUNCTION', p.oid::regprocedure::text, 'EXECUTE' FROM pg_proc AS p
    JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
        AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
    JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'vantage6_events'
    WHERE vantage6_events.purpose_of(p.proname) = 'agent'
      AND (NOT p.prosecdef OR p.proname IN ('announce', 'missed_events', 'upkeep'))
$$;
COMMENT ON FUNCTION agent_needs() IS 'What the agent needs of the extension''s own things.';

CREATE FUNCTION agent_lacks(schema name, version integer, agent name) RETURNS SETOF text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('role %I lacks %s on %s %s', agent, p, lower(n.kind COLLATE "C"), n.object)
               COLLATE "C" AS line
    FROM vantage6_events.agent_needs() AS n, unnest(string_to_array(n.privileges, ', ')) AS p
    WHERE NOT CASE n.kind WHEN 'SCHEMA' THEN has_schema_privilege(agent, n.object, p)
                          WHEN 'TABLE' THEN has_table_privilege(agent, n.object, p)
                          WHEN 'SEQUENCE' THEN has_sequence_privilege(agent, n.object, p)
                          ELSE has_function_privilege(agent, n.object, p) END
    UNION ALL
    SELECT format('role %I lacks %s on %I.%I.%I', agent, p, schema, c.table_name, c.column_name)
    FROM vantage6_events.hq_columns(version) AS c, unnest(c.privileges) AS p, pg_attribute AS a
    WHERE a.attrelid = to_regclass(format('%I.%I', schema, c.table_name))
      AND a.attname = c.column_name AND NOT has_column_privilege(agent, a.attrelid, a.attnum, p)
    UNION ALL
    SELECT format('role %I lacks %s on %s %s', agent, o.privilege, lower(o.kind COLLATE "C"),
                  o.object)
    FROM vantage6_events.hq_objects(schema, version) AS o
    WHERE NOT CASE o.kind
        WHEN 'SCHEMA' THEN coalesce(
            has_schema_privilege(agent, to_regnamespace(o.object)::oid, o.privilege), true)
        WHEN 'TABLE' THEN coalesce(
            has_table_privilege(agent, to_regclass(o.object)::oid, o.privilege), true)
        ELSE has_sequence_privilege(agent, to_regclass(o.object)::oid, o.privilege) END
    ORDER BY line
$$;
COMMENT ON FUNCTION agent_lacks(name, integer, name) IS
    'The privileges that the agent needs and lacks, one line each: after a REVOKE or a restore.';

-- Its triggers and rooms would be wrong without a word.
CREATE FUNCTION agent_overlooks(schema name, version integer, agent name) RETURNS SETOF text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('row security of table %I.%I may hide rows from role %I', n.nspname, t.relname,
                  agent) COLLATE "C" AS line
    FROM (SELECT format('%I.%I', schema, c.table_name) AS object
          FROM vantage6_events.hq_columns(version) AS c
          UNION
          SELECT e.object FROM vantage6_events.agent_needs() AS e WHERE e.kind = 'TABLE') AS o
    JOIN pg_class AS t ON t.oid = to_regclass(o.object)
    JOIN pg_namespace AS n ON n.oid = t.relnamespace
    JOIN pg_roles AS r ON r.rolname = agent
    WHERE t.relrowsecurity AND NOT r.rolbypassrls
      AND (t.relforcerowsecurity OR NOT pg_has_role(r.oid, t.relowner, 'USAGE'))
    ORDER BY line
$$;
COMMENT ON FUNCTION agent_overlooks(name, integer, name) IS
    'The tables of which the agent may not see all rows, one line each.';

CREATE FUNCTION agent_is_open(agent name) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.rolcanlogin OR EXISTS (SELECT FROM pg_auth_members AS m WHERE m.roleid = r.oid)
    FROM pg_roles AS r WHERE r.rolname = agent
$$;
COMMENT ON FUNCTION agent_is_open(name) IS
    'Whether a role that is no superuser could act as it.';

CREATE FUNCTION agent_privileges(schema name, version integer, agent name, separate boolean,
                                 give boolean) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    act text := CASE WHEN give THEN 'GRANT %s ON %s TO %I' ELSE 'REVOKE %s ON %s FROM %I' END;
    item record;
BEGIN
    FOR item IN SELECT * FROM vantage6_events.agent_needs() LOOP
        EXECUTE format(act, item.privileges, item.kind || ' ' || item.object, agent);
    END LOOP;
    IF NOT separate THEN
        RETURN; -- it owns HQ's tables
    END IF;
    FOR item IN SELECT * FROM vantage6_events.hq_objects(schema, version) AS o
                WHERE give OR CASE o.kind WHEN 'SCHEMA' THEN to_regnamespace(o.object) IS NOT NULL
                           ELSE to_regclass(o.object) IS NOT NULL END LOOP
        EXECUTE format(act, item.privilege, item.kind || ' ' || item.object, agent);
    END LOOP;
    FOR item IN
        SELECT c.table_name AS t, p AS privilege,
               string_agg(quote_ident(c.column_name), ', ' ORDER BY c.column_name) AS columns
        FROM vantage6_events.hq_columns(version) AS c, unnest(c.privileges) AS p
        WHERE give OR EXISTS (SELECT FROM pg_attribute AS a
                              WHERE a.attrelid = to_regclass(format('%I.%I', schema, c.table_name))
                                AND a.attname = c.column_name AND NOT a.attisdropped)
        GROUP BY 1, 2
    LOOP
        EXECUTE format(act, format('%s (%s)', item.privilege, item.columns),
                       format('%I.%I', schema, item.t), agent);
    END LOOP;
END $$;
COMMENT ON FUNCTION agent_privileges(name, integer, name, boolean, boolean) IS
    'Gives the agent what it needs, or takes it away: on the extension''s tables and functions, '
    'and, if it is a separate role, on HQ''s columns.';

CREATE FUNCTION apply_grants() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    item record;
BEGIN
    DELETE FROM vantage6_events.granted AS g
    WHERE NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.oid = g.grantee);
    FOR item IN
        SELECT r.rolname AS grantee, w.privilege FROM vantage6_events.granted AS g
        JOIN pg_roles AS r ON r.oid = g.grantee
        JOIN (SELECT vantage6_events.purpose_of(p.proname) AS purpose,
                     'EXECUTE ON FUNCTION ' || p.oid::regprocedure AS privilege
              FROM pg_proc AS p WHERE p.pronamespace = 'vantage6_events'::regnamespace
              UNION ALL
              SELECT 'hq', 'SELECT ON vantage6_events.' || v
              FROM unnest(ARRAY['connections', 'connection_history', 'recent_events',
                                'pending_instructions', 'set_aside', 'status']) AS v) AS w
            ON w.purpose = g.purpose
    LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA vantage6_events TO %I', item.grantee);
        EXECUTE format('GRANT %s TO %I', item.privilege, item.grantee);
    END LOOP;
END $$;
COMMENT ON FUNCTION apply_grants() IS
    'Grants what grant_hq() and grant_pushd() have remembered, and forgets roles that are gone.';

CREATE FUNCTION remember_grant(role name, purpose text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = role) THEN
        RAISE EXCEPTION 'role "%" does not exist', role
            USING ERRCODE = 'undefined_object', HINT = 'Create it first.';
    END IF;
    INSERT INTO granted (grantee, purpose)
    SELECT r.oid, remember_grant.purpose FROM pg_roles AS r WHERE r.rolname = role
    ON CONFLICT DO NOTHING;
    PERFORM apply_grants();
END $$;
COMMENT ON FUNCTION remember_grant(name, text) IS 'Remembers and grants.';

CREATE FUNCTION grant_hq(role name) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, vantage6_events, pg_temp
AS $$ SELECT remember_grant(role, 'hq') $$;
COMMENT ON FUNCTION grant_hq(name) IS
    'Lets the role emit, kill, kick, ask for rooms, see the operators'' views, and, if it owns '
    'HQ''s tables, attach and detach. Before or after attach().';

CREATE FUNCTION grant_pushd(role name) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, vantage6_events, pg_temp
AS $$ SELECT remember_grant(role, 'pushd') $$;
COMMENT ON FUNCTION grant_pushd(name) IS
    'Lets the role be vantage6-pushd''s: its functions and no more. Before or after attach().';

CREATE FUNCTION make(schema name) RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, vantage6_events, pg_temp SET lock_timeout = '10s' AS $$
DECLARE
    owner name := hq_owner(schema);
    agent name := hq_agent(schema);
    version integer := hq_version(schema);
    separate boolean := agent <> owner;
    fault text := (SELECT c FROM creators() AS c LIMIT 1);
    earlier record;
BEGIN
    PERFORM check_asker(owner);
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION '%', fault
            USING ERRCODE = 'V6004', DETAIL = 'What is created there could run as a superuser.',
            HINT = 'Give the schema to a superuser, revoke CREATE on it from all others, and drop '
                'what they made.';
    END IF;
    SELECT * INTO earlier FROM attachment FOR UPDATE;
    IF earlier.hq_schema <> schema THEN
        RAISE EXCEPTION 'vantage6_events is attached to schema "%"', earlier.hq_schema
            USING ERRCODE = 'V6003',
            HINT = 'Run SELECT vantage6_events.detach() first; one database, one HQ.';
    END IF;
    -- DROP TRIGGER needs more than CREATE TRIGGER, which lets readers be.
    PERFORM unmake_locked(schema, version, CASE WHEN earlier.hq_schema IS NULL
        THEN 'SHARE ROW EXCLUSIVE' ELSE 'ACCESS EXCLUSIVE' END, '10 s');
    IF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = agent) THEN
        EXECUTE format('CREATE ROLE %I NOLOGIN', agent);
        EXECUTE format('COMMENT ON ROLE %I IS %L', agent,
                       'Owns what vantage6_events does with the rows of vantage6');
    END IF;
    IF separate AND agent_is_open(agent) THEN
        RAISE EXCEPTION 'role "%" can log in or has members', agent
            USING ERRCODE = 'V6004', DETAIL = 'It is to own what touches HQ''s rows.',
            HINT = format('ALTER ROLE %I NOLOGIN, and revoke it from its members.', agent);
    END IF;
    fault := (SELECT o FROM agent_overlooks(schema, version, agent) AS o LIMIT 1);
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION '%', fault
            USING ERRCODE = 'V6004', DETAIL = 'Events would be lost without a word.',
            HINT = format('Let the role see all rows (as a superuser: ALTER ROLE %I BYPASSRLS), or '
                'end row security (ALTER TABLE ... DISABLE ROW LEVEL SECURITY; if the role owns '
                'the table, NO FORCE ROW LEVEL SECURITY).', agent);
    END IF;
    PERFORM agent_privileges(schema, version, agent, separate, true);
    PERFORM make_views(schema, version, agent);
    PERFORM make_functions(version, agent);
    PERFORM make_triggers(schema, version);
    PERFORM apply_grants();
    INSERT INTO attachment AS a (hq_schema, hq_version, agent, separate, attached_at)
    SELECT schema, version, r.oid, separate, now() FROM pg_roles AS r WHERE r.rolname = agent
    ON CONFLICT (one) DO UPDATE SET (hq_version, agent, separate, attached_at)
        = (excluded.hq_version, excluded.agent, excluded.separate, excluded.attached_at);
    RETURN version;
END $$;
COMMENT ON FUNCTION make(name) IS
    'The part of attach() that defines things; touches no row of HQ. V6002-V6004; 55P03 if HQ''s '
    'tables are locked for 10 s.';

CREATE FUNCTION refill_logic() RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    stale integer[];
BEGIN
    PERFORM empty_tables('node_at');
    INSERT INTO node_at (node_id, organization_id, collaboration_id)
    SELECT p.id, p.organization_id, p.collaboration_id FROM vantage6_events.principal AS p
    WHERE p.kind = 'node' AND p.organization_id IS NOT NULL AND p.collaboration_id IS NOT NULL;
    PERFORM refill_tasks();
    -- Who is online in HQ was so with the server that was here before, and may come back.
    stale := ARRAY(SELECT s.id FROM vantage6_events.principal_status AS s
                   WHERE s.status = 'online'
                   EXCEPT SELECT a.principal_id FROM announced AS a);
    INSERT INTO announced SELECT * FROM states(stale, stale)
    ON CONFLICT DO NOTHING;
    PERFORM expect(ARRAY(SELECT unnest(stale)
                         EXCEPT SELECT l.principal_id FROM lease AS l WHERE l.nsp = '/tasks'),
                   duration('epoch_grace'));
END $$;
COMMENT ON FUNCTION refill_logic() IS
    'The part of attach() that reads HQ''s rows: fills what is noted of them, and announced.';

CREATE FUNCTION attach(schema name) RETURNS text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    version integer := make(schema);
BEGIN
    PERFORM vantage6_events.refill();
    RETURN format('attached to vantage6 %s in schema %I', version, schema);
END $$;
COMMENT ON FUNCTION attach(name) IS
    'Attaches the extension to the tables of vantage6 in the schema; run it by their owner or a '
    'superuser, again after an upgrade of either. Errors: V6002-V6004; 55P03 if the tables are '
    'locked for 10 s. SECURITY INVOKER.';

CREATE FUNCTION detach() RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, vantage6_events, pg_temp SET lock_timeout = '10s' AS $$
DECLARE
    att record;
    owner name := current_user;
BEGIN
    SELECT * INTO att FROM attachment FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'was not attached';
    END IF;
    BEGIN
        owner := hq_owner(att.hq_schema);
    EXCEPTION WHEN SQLSTATE 'V6002' THEN
        -- The tables are gone, or elsewhere. Who owned them may, unless that was a superuser.
        SELECT r.rolname INTO owner FROM pg_roles AS r
        WHERE r.oid = att.agent AND NOT att.separate;
        owner := coalesce(owner, current_user);
    END;
    PERFORM check_asker(owner);
    PERFORM unmake_locked(att.hq_schema, att.hq_version, 'ACCESS EXCLUSIVE', '10 s');
    PERFORM agent_privileges(att.hq_schema, att.hq_version, r.rolname, att.separate, false)
    FROM pg_roles AS r WHERE r.oid = att.agent;
    PERFORM apply_grants();
    PERFORM empty_tables('instance', 'resumable', 'lease', 'interrupted', 'pending', 'announced',
                         'done_once', 'node_at', 'open_run', 'child_task', 'dependency',
                         'ready_task', 'instruction', 'killed_run', 'unwanted_dataframe',
                         'log_line', 'relayed', 'sent', 'deferred', 'shared_config',
                         'log_failure');
    PERFORM log_all_lost(NULL);
    DELETE FROM attachment;
    RETURN format('detached from schema %I', att.hq_schema);
END $$;
COMMENT ON FUNCTION detach() IS
    'Takes what attach() made off HQ''s tables, and forgets who is connected, instructions that '
    'are still to be told, and what nodes sent that is not in HQ''s tables yet; their rows stay: '
    'whose status is online stays so, until HQ or the next attach() sees to it. Events stay. Run '
    'it by their owner or a superuser. V6004; 55P03 if the tables are locked for 10 s.';
