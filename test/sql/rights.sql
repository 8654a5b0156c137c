-- Rights that change while clients are connected: what is in the log, and what rights_since() says
-- of them.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
CREATE TABLE pg_temp.cursor AS SELECT pg_current_snapshot() AS since;
CREATE FUNCTION pg_temp.scopes() RETURNS TABLE (scopes text) LANGUAGE sql SECURITY DEFINER AS $$
    SELECT r.scopes::text FROM vantage6_events.rights_change AS r, pg_temp.cursor AS c 
    WHERE NOT pg_visible_in_snapshot(r.xid, c.since) ORDER BY r.xid
$$;
-- As pushd asks; then the cursor moves on.
CREATE FUNCTION pg_temp.rights() RETURNS TABLE (principal integer, rooms text, noted boolean)
    LANGUAGE sql SECURITY DEFINER AS $$
    WITH moved AS (UPDATE pg_temp.cursor SET since = pg_current_snapshot())
    SELECT r.principal_id, regexp_replace(r.rooms, '(,[^,]*/[^,]*|,everyone|,user_\d+|,node_\d+)',
        '', 'g'), r.noted
    FROM pg_temp.cursor AS c, vantage6_events.rights_since(
        (SELECT max(incarnation) FROM vantage6_events.instance), c.since, NULL, NULL) AS r
    ORDER BY r.principal_id
$$;
SELECT incarnation AS one FROM vantage6_events.open('regress', '1.0.0') \gset
SELECT count(*) FROM vantage6_events.connect(:one, (
    SELECT json_agg(json_build_object('sid', 's' || p.id, 'nsp', '/tasks', 'subject', p.subject))
        FROM vantage6_events.principal AS p)) \g /dev/null
SELECT count(*) FROM pg_temp.rights() \g /dev/null
SET ROLE regress_hq;
\set ECHO all
-- Nothing has changed.
SELECT * FROM pg_temp.rights();
-- A rule of a user's own, given and taken.
INSERT INTO "UserPermission" (user_id, rule_id) VALUES (14, 3);
SELECT * FROM pg_temp.scopes();
SELECT * FROM pg_temp.rights();
SELECT * FROM pg_temp.rights();
UPDATE "UserPermission" SET rule_id = 2 WHERE user_id = 14;
SELECT * FROM pg_temp.rights();
UPDATE "UserPermission" SET user_id = 18 WHERE user_id = 14;
SELECT * FROM pg_temp.rights();
DELETE FROM "UserPermission" WHERE user_id IN (18, 16);
SELECT * FROM pg_temp.scopes();
SELECT * FROM pg_temp.rights();
-- A role; what a role may; a rule itself.
INSERT INTO "Permission" (user_id, role_id) VALUES (14, 1);
SELECT * FROM pg_temp.rights();
DELETE FROM "Permission" WHERE user_id = 14 AND role_id = 1;
SELECT * FROM pg_temp.rights();
DELETE FROM role_rule_association WHERE role_id = 3;
SELECT * FROM pg_temp.scopes();
SELECT * FROM pg_temp.rights() WHERE principal IN (13, 19);
INSERT INTO role_rule_association (role_id, rule_id) VALUES (4, 2);
SELECT * FROM pg_temp.rights() WHERE principal = 14;
UPDATE rule SET scope = 'organization' WHERE id = 2;
SELECT * FROM pg_temp.rights() WHERE principal = 14;
UPDATE rule SET description = 'another' WHERE id = 2;
SELECT * FROM pg_temp.scopes();
-- A user's organization; a membership; a collaboration made and removed.
UPDATE "user" SET organization_id = 3 WHERE id = 14;
SELECT * FROM pg_temp.rights();
UPDATE "user" SET username = 'another' WHERE id = 14;
SELECT * FROM pg_temp.scopes();
DELETE FROM "Member" WHERE organization_id = 3;
SELECT * FROM pg_temp.scopes();
SELECT * FROM pg_temp.rights();
INSERT INTO collaboration (id, name) VALUES (3, 'gamma');
SELECT * FROM pg_temp.rights() WHERE principal = 15;
INSERT INTO "Member" (organization_id, collaboration_id) VALUES (3, 3), (1, 3), (3, 3);
SELECT * FROM pg_temp.scopes();
SELECT * FROM pg_temp.rights() WHERE principal = 14;
DELETE FROM "Member" WHERE collaboration_id = 3;
DELETE FROM collaboration WHERE id = 3;
SELECT * FROM pg_temp.rights() WHERE principal = 15;
-- A node moved; one removed; a principal whose subject changes, which its token then does not name.
UPDATE node SET collaboration_id = 2, organization_id = 3 WHERE id = 3;
SELECT * FROM pg_temp.rights();
UPDATE node SET name = 'another' WHERE id = 3;
SELECT * FROM pg_temp.scopes();
DELETE FROM nodeconfig; DELETE FROM dataframetobedeletedatnode;
DELETE FROM node WHERE id = 5;
SELECT * FROM pg_temp.scopes();
SELECT * FROM pg_temp.rights();
UPDATE authenticatable SET keycloak_id = 'another' WHERE id = 12;
SELECT * FROM pg_temp.rights();
UPDATE authenticatable SET status = 'x', last_seen = now();
SELECT * FROM pg_temp.scopes();
-- Ten thousand rows in one statement are one row of the log.
INSERT INTO "UserPermission" (user_id, rule_id) SELECT 21, 1 FROM generate_series(1, 10000);
SELECT * FROM pg_temp.scopes();
SELECT * FROM pg_temp.rights();
RESET ROLE;
ALTER TABLE "HQ's tables"."UserPermission" DROP CONSTRAINT "UserPermission_user_id_fkey";
SET ROLE regress_hq;
INSERT INTO "UserPermission" (user_id, rule_id) SELECT i, 1 FROM generate_series(100, 200) AS i;
SELECT * FROM pg_temp.scopes();
SELECT count(*) FROM pg_temp.rights();
INSERT INTO "UserPermission" (user_id, rule_id) SELECT 21, 1 WHERE false;
INSERT INTO "UserPermission" (user_id, rule_id) VALUES (NULL, 1);
SELECT * FROM pg_temp.scopes();
TRUNCATE "UserPermission", "Permission";
SELECT * FROM pg_temp.scopes();
SELECT * FROM pg_temp.rights() WHERE principal IN (1, 11, 15, 21);
-- What is older than any event can be is forgotten.
UPDATE vantage6_events.rights_change SET changed_at = now() - interval '20 days';
SELECT vantage6_events.beat(:one), count(*) > 1 AS many FROM vantage6_events.rights_change;
UPDATE vantage6_events.rights_change SET changed_at = now() - interval '22 days';
SELECT vantage6_events.beat(:one);
SELECT count(*) FROM vantage6_events.rights_change;
-- What is rolled back was never a change.
BEGIN; INSERT INTO "UserPermission" (user_id, rule_id) VALUES (14, 1); ROLLBACK;
SELECT * FROM pg_temp.scopes();
RESET ROLE;
-- The audit: rooms of those of whom no row speaks, in the order of their sids; and with a row.
ALTER TABLE "HQ's tables"."UserPermission" DISABLE TRIGGER USER;
INSERT INTO "UserPermission" (user_id, rule_id) VALUES (14, 3);
ALTER TABLE "HQ's tables"."UserPermission" ENABLE TRIGGER USER;
SELECT * FROM pg_temp.rights();
INSERT INTO "Permission" (user_id, role_id) VALUES (13, 1);
SET ROLE regress_pushd;
SELECT r.sid, r.rooms, r.known, r.noted, r.audited
    FROM vantage6_events.rights_since(:one, '3:3:', 's12', 4) AS r;
RESET ROLE;
SELECT r.sid, r.noted, r.audited
    FROM pg_temp.cursor AS c, vantage6_events.rights_since(:one, c.since, 's12', 4) AS r;
SELECT r.sid FROM pg_temp.cursor AS c, vantage6_events.rights_since(:one + 1, c.since, '', 4) AS r;
-- The announcements: who leaves and joins what; a node that moves, in the rooms on either side.
SELECT count(*) FROM vantage6_events.presence(1000);
UPDATE node SET collaboration_id = 1, organization_id = 3 WHERE id = 3;
INSERT INTO "UserPermission" (user_id, rule_id) VALUES (15, 3);
SELECT max(id) AS last FROM vantage6_events.event \gset
SELECT count(*) FROM vantage6_events.presence(1000, '{3, 15, 15, 4711}');
SELECT array_to_string(rooms, ' ') AS rooms, except_principal, payload FROM vantage6_events.event
    WHERE id > :last ORDER BY id;
DELETE FROM node WHERE id = 3;
SELECT max(id) AS last FROM vantage6_events.event \gset
SELECT count(*) FROM vantage6_events.presence(1000, '{3}');
SELECT array_to_string(rooms, ' ') AS rooms, except_principal, payload FROM vantage6_events.event
    WHERE id > :last ORDER BY id;
SELECT count(*) FROM vantage6_events.announced WHERE principal_id = 3;
\set ECHO none
\i test/hq/regress-down.psql
