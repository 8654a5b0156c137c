-- A cast for the tables of hq-v4.sql: 2 collaborations, 3 organizations, 5 nodes, 11 users with
-- every kind of event right (by role, by rule, none, no organization), tasks and runs.
BEGIN;
INSERT INTO organization (id, name) VALUES
    (1, 'org_a'),
    (2, 'org_b'),
    (3, 'org_c');
INSERT INTO collaboration (id, name, encrypted) VALUES
    (1, 'alpha', 'f'),
    (2, 'beta', 'f');
INSERT INTO "Member" (organization_id, collaboration_id) VALUES
    (1, 1),
    (2, 1),
    (3, 1),
    (1, 2),
    (2, 2);
INSERT INTO authenticatable (id, type, status) VALUES
    (1, 'node', NULL),
    (2, 'node', 'offline'),
    (3, 'node', NULL),
    (4, 'node', NULL),
    (5, 'node', NULL),
    (11, 'user', NULL),
    (12, 'user', NULL),
    (13, 'user', NULL),
    (14, 'user', NULL),
    (15, 'user', NULL),
    (16, 'user', NULL),
    (17, 'user', NULL),
    (18, 'user', NULL),
    (19, 'user', NULL),
    (20, 'user', NULL),
    (21, 'user', NULL);
INSERT INTO node (id, name, collaboration_id, organization_id) VALUES
    (1, 'n1_alpha_a', 1, 1),
    (2, 'n2_alpha_b', 1, 2),
    (3, 'n3_alpha_c', 1, 3),
    (4, 'n4_beta_a', 2, 1),
    (5, 'n5_beta_b', 2, 2);
INSERT INTO "user" (id, username, organization_id) VALUES
    (11, 'u_global_role', 3),
    (12, 'u_collab_role', 2),
    (13, 'u_org_role', 1),
    (14, 'u_none', 1),
    (15, 'u_global_rule', 1),
    (16, 'u_collab_rule', 3),
    (17, 'u_org_rule', 2),
    (18, 'u_send_only', 1),
    (19, 'u_multi', 2),
    (20, 'u_noorg', NULL),
    (21, 'u_own', 1);
INSERT INTO rule (id, name, operation, scope) VALUES
    (1, 'event', 'RECEIVE', 'GLOBAL'),
    (2, 'event', 'RECEIVE', 'COLLABORATION'),
    (3, 'event', 'RECEIVE', 'ORGANIZATION'),
    (4, 'event', 'SEND', 'GLOBAL'),
    (5, 'task', 'VIEW', 'GLOBAL'),
    (6, 'event', 'RECEIVE', 'OWN'),
    (7, 'session', 'DELETE', 'GLOBAL'),
    (8, 'session', 'EDIT', 'COLLABORATION');
INSERT INTO role (id, name, is_default_role) VALUES
    (1, 'ev_global', 'f'),
    (2, 'ev_collab', 'f'),
    (3, 'ev_org', 'f'),
    (4, 'no_events', 'f');
INSERT INTO role_rule_association (role_id, rule_id) VALUES
    (1, 1),
    (2, 2),
    (2, 3),
    (3, 3),
    (4, 5);
INSERT INTO "Permission" (user_id, role_id) VALUES
    (11, 1),
    (12, 2),
    (13, 3),
    (14, 4),
    (19, 3);
INSERT INTO "UserPermission" (user_id, rule_id) VALUES
    (15, 1),
    (15, 4),
    (15, 7),
    (15, 8),
    (16, 2),
    (17, 3),
    (18, 4),
    (19, 1),
    (20, 2),
    (21, 6);
INSERT INTO nodeconfig (node_id, key, value) VALUES
    (3, 'stale', 'from an earlier connection');
INSERT INTO task (id, name, collaboration_id, parent_id, job_id, init_org_id, init_user_id) VALUES
    (1, 'task1', 1, NULL, 1, 2, 12),
    (2, 'task2', 1, 1, 1, 2, 12),
    (3, 'task3', 1, NULL, 2, 2, 12),
    (4, 'task4', 2, NULL, 3, 1, 13),
    (5, 'task5', 1, NULL, 4, 3, 16);
INSERT INTO run (id, task_id, organization_id, status, log) VALUES
    (1, 1, 1, 'active', NULL),
    (2, 1, 2, 'pending', NULL),
    (3, 1, 3, 'pending', 'old line'),
    (4, 2, 3, 'pending', NULL),
    (5, 3, 1, 'pending', NULL),
    (6, 4, 1, 'active', NULL),
    (7, 4, 2, 'pending', NULL),
    (8, 5, 1, 'completed', E'done\n');
SELECT setval(pg_get_serial_sequence('organization', 'id'), 100);
SELECT setval(pg_get_serial_sequence('collaboration', 'id'), 100);
SELECT setval(pg_get_serial_sequence('authenticatable', 'id'), 100);
SELECT setval(pg_get_serial_sequence('rule', 'id'), 100);
SELECT setval(pg_get_serial_sequence('role', 'id'), 100);
SELECT setval(pg_get_serial_sequence('task', 'id'), 100);
SELECT setval(pg_get_serial_sequence('run', 'id'), 100);
COMMIT;
