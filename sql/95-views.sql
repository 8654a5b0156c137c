-- What operators look at.

CREATE VIEW connections AS
    SELECT l.sid, i.name AS instance, l.principal_id, l.kind, a.name, l.nsp AS namespace,
           l.transport, l.address, l.connected_at, l.expires_at
    FROM lease AS l
    LEFT JOIN instance AS i ON i.incarnation = l.incarnation
    LEFT JOIN announced AS a ON a.principal_id = l.principal_id;
COMMENT ON VIEW connections IS 'Who is connected, where, and since when';
COMMENT ON COLUMN connections.sid IS 'Socket.IO id of the connection';
COMMENT ON COLUMN connections.instance IS 'Name of the vantage6-pushd that holds it';
COMMENT ON COLUMN connections.principal_id IS 'Principal: a row of HQ''s authenticatable';
COMMENT ON COLUMN connections.kind IS 'node or user';
COMMENT ON COLUMN connections.name IS 'Name of the principal; NULL until it was announced';
COMMENT ON COLUMN connections.namespace IS 'Socket.IO namespace';
COMMENT ON COLUMN connections.transport IS 'websocket or polling; an upgrade is seen seconds later';
COMMENT ON COLUMN connections.address IS 'Network address of the client';
COMMENT ON COLUMN connections.connected_at IS 'When it was registered';
COMMENT ON COLUMN connections.expires_at IS 'When its token expires';

CREATE VIEW connection_history AS
    SELECT c.principal_id, c.kind, a.name, c.subject, c.nsp AS namespace,
           coalesce(l.transport, c.transport) AS transport, c.address, c.user_agent,
           c.connected_at, c.ended_at, c.reason, c.instance, c.sid
    FROM connection_log AS c
    LEFT JOIN lease AS l ON l.sid = c.sid
    LEFT JOIN announced AS a ON a.principal_id = c.principal_id
    ORDER BY c.id DESC;
COMMENT ON VIEW connection_history IS
    'Who was connected when, from where, and why it ended: the last audit_days, newest first';
COMMENT ON COLUMN connection_history.principal_id IS 'Principal: a row of HQ''s authenticatable';
COMMENT ON COLUMN connection_history.kind IS 'node or user';
COMMENT ON COLUMN connection_history.name IS 'Name of the principal; NULL: it is not there now';
COMMENT ON COLUMN connection_history.subject IS 'The sub of its token';
COMMENT ON COLUMN connection_history.namespace IS 'Socket.IO namespace';
COMMENT ON COLUMN connection_history.transport IS 'websocket or polling, as it was last';
COMMENT ON COLUMN connection_history.address IS 'Network address of the client';
COMMENT ON COLUMN connection_history.user_agent IS
    'What the client says it is, 100 characters at most; anybody can say anything';
COMMENT ON COLUMN connection_history.connected_at IS 'When it was registered first';
COMMENT ON COLUMN connection_history.ended_at IS 'When it ended, at the latest; NULL: it lives';
COMMENT ON COLUMN connection_history.reason IS 'Why it ended: see doc/sql.md; NULL: it lives';
COMMENT ON COLUMN connection_history.instance IS 'Name of the vantage6-pushd that held it last';
COMMENT ON COLUMN connection_history.sid IS 'Socket.IO id of the connection';

CREATE VIEW recent_events AS
    SELECT e.id, e.emitted_at, e.namespace, e.name, e.rooms, e.except_principal,
           octet_length(e.payload) AS bytes, left(e.payload, 200) AS payload
    FROM event AS e ORDER BY e.id DESC LIMIT 1000;
COMMENT ON VIEW recent_events IS 'The last 1000 rows of the log, newest first';
COMMENT ON COLUMN recent_events.id IS 'Id: what saw another event committed has a greater one';
COMMENT ON COLUMN recent_events.emitted_at IS 'When it was emitted; it was committed later';
COMMENT ON COLUMN recent_events.namespace IS 'Socket.IO namespace';
COMMENT ON COLUMN recent_events.name IS 'Name';
COMMENT ON COLUMN recent_events.rooms IS 'Rooms that it went to';
COMMENT ON COLUMN recent_events.except_principal IS 'A principal that it was kept from, or NULL';
COMMENT ON COLUMN recent_events.bytes IS 'Size of its payload';
COMMENT ON COLUMN recent_events.payload IS 'Beginning of its payload';

CREATE VIEW pending_instructions AS
    SELECT i.id, i.node_id, i.name, left(CASE
               WHEN i.collaboration_id IS NULL THEN i.args
               -- As kill_list(), which who may read this may not call.
               ELSE (SELECT pg_catalog.json_build_object(
                         'kill_list', pg_catalog.json_agg(pg_catalog.json_build_object(
                             'task_id', k.task_id, 'run_id', k.run_id,
                             'organization_id', k.organization_id) ORDER BY k.run_id),
                         'collaboration_id', i.collaboration_id)
                     FROM killed_run AS k WHERE k.instruction_id = i.id) END::text, 200) AS args,
           i.created_at, i.expires_at, i.sent_at, i.sends, i.sent_to
    FROM instruction AS i WHERE i.acked_at IS NULL AND i.expires_at > pg_catalog.now()
        AND (i.collaboration_id IS NULL OR EXISTS (
             SELECT FROM killed_run AS k WHERE k.instruction_id = i.id AND NOT k.over))
    UNION ALL
    SELECT NULL, u.node_id, 'delete_dataframe', left(pg_catalog.json_build_object(
               'df_name', u.df_name, 'session_id', u.session_id)::text, 200),
           u.created_at, NULL, u.told_at, NULL, NULL
    FROM unwanted_dataframe AS u;
COMMENT ON VIEW pending_instructions IS
    'What nodes are told to do, and will be told again until they have acknowledged or done it';
COMMENT ON COLUMN pending_instructions.id IS 'Id; NULL: a row of dataframetobedeletedatnode';
COMMENT ON COLUMN pending_instructions.node_id IS 'Node';
COMMENT ON COLUMN pending_instructions.name IS 'Name of the event';
COMMENT ON COLUMN pending_instructions.args IS 'Beginning of its argument or list of arguments';
COMMENT ON COLUMN pending_instructions.created_at IS 'Since when';
COMMENT ON COLUMN pending_instructions.expires_at IS
    'Until when; NULL: as long as HQ''s row stands';
COMMENT ON COLUMN pending_instructions.sent_at IS
    'When it was last sent; NULL: not yet. Of a row of HQ, when it was last handed on to be sent';
COMMENT ON COLUMN pending_instructions.sends IS 'How often it was sent; NULL for a row of HQ';
COMMENT ON COLUMN pending_instructions.sent_to IS
    'sid of the connection that it was last sent to, or NULL; see connections';

CREATE VIEW set_aside AS
    SELECT d.principal_id, NULL::integer AS run_id, d.name, d.since, d.reason, d.retry_at
    FROM deferred AS d WHERE d.reason IS NOT NULL
    UNION ALL
    SELECT NULL, f.run_id, 'algorithm_log', f.since, f.reason, f.retry_at FROM log_failure AS f;
COMMENT ON VIEW set_aside IS
    'What clients sent and failed later: it keeps nothing else from being done';
COMMENT ON COLUMN set_aside.principal_id IS 'The node that sent it; NULL: lines of a run';
COMMENT ON COLUMN set_aside.run_id IS 'The run whose lines are not in its log; NULL: an event';
COMMENT ON COLUMN set_aside.name IS 'Name of the event';
COMMENT ON COLUMN set_aside.since IS 'When it was sent, or the lines first failed';
COMMENT ON COLUMN set_aside.reason IS 'SQLSTATE and message; full: lines beyond max_run_log';
COMMENT ON COLUMN set_aside.retry_at IS
    'When it is tried again, at the earliest; it is forgotten a week later';

CREATE VIEW status AS
    SELECT a.hq_schema, a.hq_version, pg_catalog.pg_get_userbyid(a.agent) AS agent,
           a.attached_at,
           (SELECT e.value FROM epoch AS e) AS epoch,
           (SELECT count(*) FROM instance) AS instances,
           (SELECT count(*) FROM lease) AS connections,
           (SELECT count(*) FROM pending) AS pending,
           (SELECT max(e.id) FROM event AS e) AS last_event,
           (SELECT e.emitted_at FROM event AS e ORDER BY e.id LIMIT 1) AS oldest_event,
           bell() AS bell,
           pg_catalog.pg_notification_queue_usage() AS notify_queue,
           (SELECT coalesce(sum(f.failures), 0) FROM failure AS f)::bigint AS failures
    FROM (SELECT) AS always LEFT JOIN attachment AS a ON true;
COMMENT ON VIEW status IS 'The attachment and what goes on; one row, also when not attached';
COMMENT ON COLUMN status.hq_schema IS 'Schema of HQ''s tables; NULL = not attached';
COMMENT ON COLUMN status.hq_version IS '4 or 5';
COMMENT ON COLUMN status.agent IS 'Role that owns what touches HQ''s rows';
COMMENT ON COLUMN status.attached_at IS 'When attach() was last run';
COMMENT ON COLUMN status.epoch IS 'Present epoch; NULL = no vantage6-pushd since a crash';
COMMENT ON COLUMN status.instances IS 'Instances of vantage6-pushd that live';
COMMENT ON COLUMN status.connections IS 'Registered connections';
COMMENT ON COLUMN status.pending IS 'Presence still to be looked at';
COMMENT ON COLUMN status.last_event IS 'Greatest id in the log';
COMMENT ON COLUMN status.oldest_event IS 'When the oldest event in the log was emitted';
COMMENT ON COLUMN status.bell IS 'worker or notify: see bell()';
COMMENT ON COLUMN status.notify_queue IS
    'Fill of the notification queue, 0 to 1; at 1 commits fail';
COMMENT ON COLUMN status.failures IS
    'How often a part of beat() or upkeep() has failed: see the table failure';

DO $$
DECLARE
    f record;
BEGIN
    FOR f IN SELECT p.oid::regprocedure AS function, obj_description(p.oid, 'pg_proc') AS comment,
                    audience(p.proname, 'extension') AS audience
             FROM pg_proc AS p WHERE p.pronamespace = 'vantage6_events'::regnamespace LOOP
        EXECUTE format('COMMENT ON FUNCTION %s IS %L', f.function,
                       concat_ws(' ', f.comment, f.audience));
    END LOOP;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA vantage6_events FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA vantage6_events FROM PUBLIC;
REVOKE ALL ON SCHEMA vantage6_events FROM PUBLIC;
