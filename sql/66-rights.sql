-- Live rights: what changes who is in which room leaves a row in rights_change, in the transaction
-- that changes it. rights_since() then gives pushd the new rooms of its clients, from the same
-- snapshot as the events. So nothing committed after a revocation is delivered to the one revoked.
--
-- scope  whose rooms may have changed: principal_<id>, organization_<id> (its users), users (all
--        users), all (nodes too), socket_<sid> (a connection that another has resumed). It says
--        where to look, not what is found there. kick_<id>: the principal's connections are closed

CREATE FUNCTION rights_changed(VARIADIC scopes text[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
BEGIN
    INSERT INTO rights_change (scopes) VALUES (rights_changed.scopes);
    PERFORM ring();
END $$;
COMMENT ON FUNCTION rights_changed(text[]) IS 'Notes that rights change in these scopes.';

CREATE FUNCTION rights_changed_of(scope text, ids integer[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
DECLARE
    scopes text[] := ARRAY(SELECT DISTINCT (scope || '_' || i) COLLATE "C" FROM unnest(ids) AS i
                           WHERE i IS NOT NULL ORDER BY 1);
BEGIN
    IF cardinality(scopes) > 100 THEN
        PERFORM rights_changed('all'); -- looking at all costs no more
    ELSIF cardinality(scopes) > 0 THEN
        PERFORM rights_changed(VARIADIC scopes);
    END IF;
END $$;
COMMENT ON FUNCTION rights_changed_of(text, integer[]) IS
    'Notes that the rights of the principals or organizations (the scope) with these ids change.';

-- An event may be kept for three turns. Who may receive it now must have had the right to it then.
CREATE FUNCTION tidy_rights() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    DELETE FROM rights_change AS c
    WHERE c.changed_at < now() - greatest(interval '24 hours', 3 * duration('retention'))
$$;
COMMENT ON FUNCTION tidy_rights() IS 'Forgets changes of rights that are older than any event.';

CREATE FUNCTION rights_template(version integer)
    RETURNS TABLE (name text, on_table text, after text, fires text, condition text, call text)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, vantage6_events, pg_temp AS $$
    -- Associations: of a statement's rows, all together.
    SELECT format('on_%s_%s', a.what, o.done), a.on_table, o.op, 'ROWS', '',
           format('rights_changed_of(%L, ARRAY(SELECT c.%I FROM changed AS c%s))', a.scope, a.id,
                  CASE o.op WHEN 'UPDATE' THEN format(' UNION ALL SELECT %I FROM was', a.id) END)
    FROM (VALUES ('user_rule', 'UserPermission', 'principal', 'user_id'),
                 ('user_role', 'Permission', 'principal', 'user_id'),
                 ('member', 'Member', 'organization', 'organization_id'))
             AS a (what, on_table, scope, id),
         (VALUES ('added', 'INSERT'), ('removed', 'DELETE'), ('changed', 'UPDATE')) AS o (done, op)
    UNION ALL
    SELECT t.name, t.on_table, t.after, t.fires, t.condition, t.call FROM (VALUES
        ('on_rule_changed', 0, 'rule', 'UPDATE', 'ROW', differs('name', 'operation', 'scope'),
         'rights_changed(''users'')'),
        ('on_rule_deleted', 0, 'rule', 'DELETE', 'STATEMENT', '', 'rights_changed(''users'')'),
        ('on_role_rule_changed', 0, 'role_rule_association', 'INSERT OR UPDATE OR DELETE',
         'STATEMENT', '', 'rights_changed(''users'')'),
        ('on_collaboration_changed', 0, 'collaboration', 'INSERT OR DELETE', 'STATEMENT', '',
         'rights_changed(''users'')'),
        ('on_user_moved', 0, 'user', 'UPDATE', 'ROW', differs('organization_id'),
         'rights_changed_of(''principal'', ARRAY[NEW.id])'),
        ('on_users_removed', 0, 'user', 'DELETE', 'ROWS', '',
         'rights_changed_of(''principal'', ARRAY(SELECT c.id FROM changed AS c))'),
        ('on_node_moved', 0, 'node', 'UPDATE', 'ROW',
         differs('organization_id', 'collaboration_id'),
         'rights_changed_of(''principal'', ARRAY[NEW.id])'),
        ('on_nodes_removed', 0, 'node', 'DELETE', 'ROWS', '',
         'rights_changed_of(''principal'', ARRAY(SELECT c.id FROM changed AS c))'),
        ('on_principal_changed', 4, 'authenticatable', 'UPDATE', 'ROW', differs('type'),
         'rights_changed_of(''principal'', ARRAY[NEW.id])'),
        ('on_principal_changed', 5, 'authenticatable', 'UPDATE', 'ROW',
         differs('type', 'keycloak_id'), 'rights_changed_of(''principal'', ARRAY[NEW.id])')
    ) AS t (name, hq, on_table, after, fires, condition, call)
    WHERE t.hq IN (0, version)
    UNION ALL
    SELECT format('on_%s_emptied', lower(x COLLATE "C")), x, 'TRUNCATE', 'STATEMENT', '',
           'rights_changed(''all'')'
    FROM unnest(ARRAY['UserPermission', 'Permission', 'role_rule_association', 'rule', 'Member',
                      'collaboration', 'user', 'node', 'authenticatable']) AS x
$$;
COMMENT ON FUNCTION rights_template(integer) IS 'The triggers that note changes of rights.';
