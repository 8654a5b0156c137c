-- The rooms of each principal of the cast equal those of an independent query over HQ's tables.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
\set ECHO all
-- Association tables have no key: duplicates must change nothing.
INSERT INTO "Member" SELECT * FROM "Member";
INSERT INTO "Permission" SELECT * FROM "Permission";
INSERT INTO "UserPermission" SELECT * FROM "UserPermission";
INSERT INTO role_rule_association SELECT * FROM role_rule_association;
SELECT a.id, coalesce(n.name, u.username) AS name, string_agg(r, ' ' ORDER BY r COLLATE "C") AS rooms
FROM authenticatable a LEFT JOIN node n USING (id) LEFT JOIN "user" u USING (id),
    vantage6_events.rooms(a.id) AS r
GROUP BY 1, 2 ORDER BY 1;
\set ECHO none
CREATE FUNCTION pg_temp.scopes(u integer) RETURNS text[] LANGUAGE sql AS $$
    SELECT array_agg(lower(scope::text)) FROM rule
    WHERE name = 'event' AND lower(operation::text) = 'receive'
      AND (id IN (SELECT rule_id FROM "UserPermission" WHERE user_id = u)
           OR id IN (SELECT rule_id FROM role_rule_association WHERE role_id IN
                     (SELECT role_id FROM "Permission" WHERE user_id = u)))
$$;
CREATE VIEW pg_temp.expected AS
    WITH public AS (
        SELECT id, unnest(ARRAY['collaboration_' || collaboration_id,
            'collaboration_' || collaboration_id || '_organization_' || organization_id]) AS room,
            '/nodes' AS suffix
        FROM node
        UNION ALL
        SELECT u.id, CASE
                WHEN pg_temp.scopes(u.id) && '{global,collaboration}' THEN 'collaboration_' || c.id
                ELSE 'collaboration_' || c.id || '_organization_' || u.organization_id END, '/users'
        FROM "user" u CROSS JOIN collaboration c
        WHERE 'global' = ANY (pg_temp.scopes(u.id))
           OR pg_temp.scopes(u.id) && '{collaboration,organization}' AND EXISTS (
                SELECT FROM "Member" m
                WHERE m.collaboration_id = c.id AND m.organization_id = u.organization_id)
    )
    SELECT id, room FROM public
    UNION ALL SELECT id, room || suffix FROM public
    UNION ALL SELECT id, 'all_nodes' FROM node
    UNION ALL SELECT id, 'everyone' FROM authenticatable
    UNION ALL SELECT id, type || '_' || id FROM authenticatable;
\set ECHO all
SELECT a.id, r FROM authenticatable a, vantage6_events.rooms(a.id) AS r EXCEPT ALL TABLE pg_temp.expected;
TABLE pg_temp.expected EXCEPT ALL SELECT a.id, r FROM authenticatable a, vantage6_events.rooms(a.id) AS r;
SELECT count(*) FROM pg_temp.expected;
SELECT vantage6_events.may_receive(1, 'collaboration_1') AS its_own,
       vantage6_events.may_receive(1, 'collaboration_2') AS anothers,
       vantage6_events.may_receive(14, 'everyone') AS everyone,
       vantage6_events.may_receive(1, 'collaboration_1/users') AS of_users,
       vantage6_events.may_receive(999, 'everyone') AS nobody,
       vantage6_events.may_receive(1, NULL) AS no_room;
-- A node that was placed nowhere, a user that lost his organization, a principal of another type.
UPDATE node SET collaboration_id = NULL WHERE id = 1;
UPDATE "user" SET organization_id = NULL WHERE id IN (12, 13);
UPDATE authenticatable SET type = 'x' WHERE id = 2;
SELECT id, array(SELECT vantage6_events.rooms(id)) FROM unnest(ARRAY[1, 2, 12, 13]) AS id;
\set ECHO none
\i test/hq/regress-down.psql
