-- A cast for the tables of hq-v5.sql: 2 collaborations, 3 organizations, 5 nodes, 11 users with
-- every kind of event right (by role, by rule, none, no organization), tasks, runs, sessions and
-- dataframes.
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
INSERT INTO authenticatable (id, type, status, keycloak_id) VALUES
    (1, 'node', NULL, '00000000-0000-4000-8000-000000000001'),
    (2, 'node', 'offline', '00000000-0000-4000-8000-000000000002'),
    (3, 'node', NULL, '00000000-0000-4000-8000-000000000003'),
    (4, 'node', NULL, '00000000-0000-4000-8000-000000000004'),
    (5, 'node', NULL, '00000000-0000-4000-8000-000000000005'),
    (11, 'user', NULL, '00000000-0000-4000-8000-000000000011'),
    (12, 'user', NULL, '00000000-0000-4000-8000-000000000012'),
    (13, 'user', NULL, '00000000-0000-4000-8000-000000000013'),
    (14, 'user', NULL, '00000000-0000-4000-8000-000000000014'),
    (15, 'user', NULL, '00000000-0000-4000-8000-000000000015'),
    (16, 'user', NULL, '00000000-0000-4000-8000-000000000016'),
    (17, 'user', NULL, '00000000-0000-4000-8000-000000000017'),
    (18, 'user', NULL, '00000000-0000-4000-8000-000000000018'),
    (19, 'user', NULL, '00000000-0000-4000-8000-000000000019'),
    (20, 'user', NULL, '00000000-0000-4000-8000-000000000020'),
    (21, 'user', NULL, '00000000-0000-4000-8000-000000000021');
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
    (1, 'event', 'receive', 'global'),
    (2, 'event', 'receive', 'collaboration'),
    (3, 'event', 'receive', 'organization'),
    (4, 'event', 'send', 'global'),
    (5, 'task', 'view', 'global'),
    (6, 'event', 'receive', 'own'),
    (7, 'session', 'delete', 'global'),
    (8, 'session', 'edit', 'collaboration');
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
INSERT INTO session (id, name, user_id, collaboration_id, scope) VALUES
    (1, 's_alpha', 12, 1, 'collaboration'),
    (2, 's_beta', 13, 2, 'own');
INSERT INTO task (id, name, collaboration_id, parent_id, job_id, init_org_id, init_user_id,
    session_id) VALUES
    (1, 'task1', 1, NULL, 1, 2, 12, 1),
    (2, 'task2', 1, 1, 1, 2, 12, 1),
    (3, 'task3', 1, NULL, 2, 2, 12, 1),
    (4, 'task4', 2, NULL, 3, 1, 13, 2),
    (5, 'task5', 1, NULL, 4, 3, 16, 1);
INSERT INTO task_depends_on (task_id, depends_on_id) VALUES
    (3, 1);
INSERT INTO run (id, task_id, organization_id, status, log, action) VALUES
    (1, 1, 1, 'active', NULL, 'federated_compute'),
    (2, 1, 2, 'pending', NULL, 'federated_compute'),
    (3, 1, 3, 'pending', 'old line', 'federated_compute'),
    (4, 2, 3, 'pending', NULL, 'federated_compute'),
    (5, 3, 1, 'pending', NULL, 'federated_compute'),
    (6, 4, 1, 'active', NULL, 'federated_compute'),
    (7, 4, 2, 'pending', NULL, 'federated_compute'),
    (8, 5, 1, 'completed', E'done\n', 'federated_compute');
INSERT INTO dataframe (id, name, db_label, session_id, last_session_task_id) VALUES
    (1, 'df_one', 'default', 1, 1);
INSERT INTO dataframetobedeletedatnode (id, dataframe_name, session_id, node_id) VALUES
    (1, 'df_old', 1, 1),
    (2, 'df_old', 1, 2),
    (3, 'df_beta', 2, 5);
SELECT setval(pg_get_serial_sequence('organization', 'id'), 100);
SELECT setval(pg_get_serial_sequence('collaboration', 'id'), 100);
SELECT setval(pg_get_serial_sequence('authenticatable', 'id'), 100);
SELECT setval(pg_get_serial_sequence('rule', 'id'), 100);
SELECT setval(pg_get_serial_sequence('role', 'id'), 100);
SELECT setval(pg_get_serial_sequence('task', 'id'), 100);
SELECT setval(pg_get_serial_sequence('run', 'id'), 100);
SELECT setval(pg_get_serial_sequence('session', 'id'), 100);
SELECT setval(pg_get_serial_sequence('dataframe', 'id'), 100);
SELECT setval(pg_get_serial_sequence('dataframetobedeletedatnode', 'id'), 100);
COMMIT;
