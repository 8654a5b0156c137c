-- What the extension remembers besides the log.
--
-- instance     a running vantage6-pushd; each open() of one is an incarnation with its own number
-- lease        a client that is connected, kept by the incarnation that holds its socket
-- resumable    a connection that its client may resume, whether it lives or has ended
-- interrupted  a connection that the server ended, and whose client may return
-- kicked       a connection that kick() has closed, and the key of one
-- pending      a principal whose presence is to be looked at, and when
-- announced    what clients were last told of a principal's presence
-- connection_log  who was connected, for auditors
-- epoch        a value that changes whenever the leases may have been lost
-- attachment   the HQ that this extension is attached to
--
-- Leases and all that lives with them is UNLOGGED: a crash empties it, and the empty epoch tells.

CREATE SEQUENCE incarnation;
COMMENT ON SEQUENCE incarnation IS 'Numbers of incarnations; logged: a crash gives none out again';

CREATE UNLOGGED TABLE instance (
    incarnation bigint PRIMARY KEY DEFAULT pg_catalog.nextval('incarnation'),
    name text COLLATE "C" NOT NULL UNIQUE,
    version text NOT NULL,
    opened_at timestamptz NOT NULL,
    beat_at timestamptz NOT NULL,
    log_bytes bigint
);
COMMENT ON TABLE instance IS 'Running instances of vantage6-pushd';
COMMENT ON COLUMN instance.incarnation IS
    'Number of this opening; its session holds the advisory lock of it';
COMMENT ON COLUMN instance.name IS 'Name that the daemon gave itself';
COMMENT ON COLUMN instance.version IS 'Version of the daemon';
COMMENT ON COLUMN instance.opened_at IS 'When it called open()';
COMMENT ON COLUMN instance.beat_at IS 'When it last called beat()';
COMMENT ON COLUMN instance.log_bytes IS 'Size of the log at that time; NULL before the first beat';

CREATE UNLOGGED TABLE lease (
    sid text COLLATE "C" PRIMARY KEY,
    incarnation bigint NOT NULL,
    nsp text NOT NULL,
    principal_id integer NOT NULL,
    subject text NOT NULL,
    kind text NOT NULL,
    transport text,
    address text,
    connected_at timestamptz NOT NULL,
    expires_at timestamptz,
    key text COLLATE "C",
    token text COLLATE "C"
);
CREATE INDEX lease_principal_id ON lease (principal_id);
CREATE INDEX lease_incarnation ON lease (incarnation);
CREATE INDEX lease_key ON lease (key) WHERE key IS NOT NULL;
COMMENT ON TABLE lease IS 'Connected clients whose principal is known';
COMMENT ON COLUMN lease.sid IS 'Socket.IO id of the client''s connection to one namespace';
COMMENT ON COLUMN lease.incarnation IS 'Incarnation that holds the connection';
COMMENT ON COLUMN lease.nsp IS 'Socket.IO namespace';
COMMENT ON COLUMN lease.principal_id IS 'Principal that the client''s token names';
COMMENT ON COLUMN lease.subject IS
    'The sub of that token; empty: another connection has resumed this one';
COMMENT ON COLUMN lease.kind IS 'node or user';
COMMENT ON COLUMN lease.transport IS 'websocket or polling; an upgrade is seen some seconds later';
COMMENT ON COLUMN lease.address IS 'Network address of the client, as the daemon sees it';
COMMENT ON COLUMN lease.connected_at IS 'When it was registered with this incarnation';
COMMENT ON COLUMN lease.expires_at IS 'When the client''s token expires, or NULL';
COMMENT ON COLUMN lease.key IS 'Key of the connection in resumable; NULL: it cannot be resumed';
COMMENT ON COLUMN lease.token IS 'Fingerprint of the client''s token, or NULL';
COMMENT ON INDEX lease_principal_id IS 'Is this principal connected?';
COMMENT ON INDEX lease_incarnation IS 'Ending an incarnation';
COMMENT ON INDEX lease_key IS 'Who is connected under this key?';

CREATE UNLOGGED TABLE resumable (
    key text COLLATE "C" PRIMARY KEY,
    principal_id integer NOT NULL,
    subject text NOT NULL,
    nsp text NOT NULL,
    since pg_snapshot,
    replayed json,
    holder text,
    ended_at timestamptz
);
CREATE INDEX resumable_ended_at ON resumable (ended_at);
COMMENT ON TABLE resumable IS 'Connections of users that their clients may resume';
COMMENT ON COLUMN resumable.key IS 'Secret name of the connection, known to its client: its pid';
COMMENT ON COLUMN resumable.principal_id IS 'Principal of the connection';
COMMENT ON COLUMN resumable.subject IS 'The sub of its token';
COMMENT ON COLUMN resumable.nsp IS 'Its Socket.IO namespace';
COMMENT ON COLUMN resumable.since IS
    'Snapshot when it was first registered: what it sees was not for it; NULL: not known any more';
COMMENT ON COLUMN resumable.replayed IS
    'The sid and the place that it was last resumed with, if missed events were sent; or NULL';
COMMENT ON COLUMN resumable.holder IS 'sid of the lease that holds it; NULL: it has ended';
COMMENT ON COLUMN resumable.ended_at IS 'When it ended, or NULL';
COMMENT ON INDEX resumable_ended_at IS 'Which are too old?';

CREATE UNLOGGED TABLE interrupted (
    sid text COLLATE "C" PRIMARY KEY,
    incarnation bigint NOT NULL,
    principal_id integer NOT NULL,
    nsp text NOT NULL,
    token text COLLATE "C" NOT NULL,
    address text NOT NULL,
    ended_at timestamptz NOT NULL
);
CREATE INDEX interrupted_token ON interrupted (token);
COMMENT ON TABLE interrupted IS
    'Connections that the server ended: each client may return once with the same token, though '
    'that has expired';
COMMENT ON COLUMN interrupted.sid IS 'Socket.IO id of the connection';
COMMENT ON COLUMN interrupted.incarnation IS 'Incarnation that had it';
COMMENT ON COLUMN interrupted.principal_id IS 'Its principal';
COMMENT ON COLUMN interrupted.nsp IS 'Its Socket.IO namespace';
COMMENT ON COLUMN interrupted.token IS 'Fingerprint of the client''s token';
COMMENT ON COLUMN interrupted.address IS 'Network address of the client';
COMMENT ON COLUMN interrupted.ended_at IS 'When it ended, at the latest';
COMMENT ON INDEX interrupted_token IS 'Does a client return?';

-- Logged, unlike the leases: a pushd that loses the database still has its connections, and
-- registers them again, here or after a failover.
CREATE TABLE kicked (
    name text COLLATE "C" PRIMARY KEY,
    kicked_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE kicked IS
    'Connections that kick() has closed: none is registered again, resumed, or returned from';
COMMENT ON COLUMN kicked.name IS 'sid of the connection, or its key in resumable';
COMMENT ON COLUMN kicked.kicked_at IS
    'When that was; a row is forgotten when the connection could not be resumed any more';

-- Logged, unlike the leases: auditors ask after a crash, too.
CREATE TABLE connection_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sid text COLLATE "C" NOT NULL,
    incarnation bigint NOT NULL,
    instance text NOT NULL,
    principal_id integer NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    nsp text NOT NULL,
    transport text,
    address text,
    user_agent text,
    connected_at timestamptz NOT NULL,
    ended_at timestamptz,
    reason text
);
CREATE INDEX connection_log_sid ON connection_log (sid);
CREATE INDEX connection_log_ended_at ON connection_log (ended_at);
COMMENT ON TABLE connection_log IS
    'Connections whose principal was known: those that live, and those that ended in the last '
    'audit_days';
COMMENT ON COLUMN connection_log.id IS 'Key, and order: the oldest goes first';
COMMENT ON COLUMN connection_log.sid IS 'Socket.IO id of the connection';
COMMENT ON COLUMN connection_log.incarnation IS 'Incarnation that held it last';
COMMENT ON COLUMN connection_log.instance IS 'Name of that instance';
COMMENT ON COLUMN connection_log.principal_id IS 'Principal';
COMMENT ON COLUMN connection_log.kind IS 'node or user';
COMMENT ON COLUMN connection_log.subject IS 'The sub of its token';
COMMENT ON COLUMN connection_log.nsp IS 'Socket.IO namespace';
COMMENT ON COLUMN connection_log.transport IS 'websocket or polling';
COMMENT ON COLUMN connection_log.address IS 'Network address of the client';
COMMENT ON COLUMN connection_log.user_agent IS
    'User-Agent of the client, 100 characters at most; what is not printable ASCII is escaped';
COMMENT ON COLUMN connection_log.connected_at IS 'When it was registered first';
COMMENT ON COLUMN connection_log.ended_at IS 'When it ended, at the latest; NULL: it lives';
COMMENT ON COLUMN connection_log.reason IS 'Why it ended: a word of pushd, or instance_lost';
COMMENT ON INDEX connection_log_sid IS 'Which row is that of this connection?';
COMMENT ON INDEX connection_log_ended_at IS 'Which are too old, and which live?';
COMMENT ON SEQUENCE connection_log_id_seq IS 'Keys of connection_log';

-- Logged, unlike the instance: what was taken before a crash must not be taken again after it.
CREATE TABLE received (
    stream text COLLATE "C" PRIMARY KEY,
    seq bigint NOT NULL,
    taken_at timestamptz NOT NULL
);
COMMENT ON TABLE received IS 'How far receive() has taken what clients of each vantage6-pushd sent';
COMMENT ON COLUMN received.stream IS 'Random name of one life of a vantage6-pushd';
COMMENT ON COLUMN received.seq IS 'Number of the last item taken';
COMMENT ON COLUMN received.taken_at IS 'When that was; a row is forgotten a week later';

-- Keyed by the incarnation too: two instances never wait for each other here.
CREATE UNLOGGED TABLE sent (
    principal_id integer NOT NULL,
    incarnation bigint NOT NULL,
    events double precision NOT NULL,
    bytes double precision NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (principal_id, incarnation)
);
COMMENT ON TABLE sent IS 'How much each principal has sent in the last seconds: see count_sent()';
COMMENT ON COLUMN sent.principal_id IS 'The principal';
COMMENT ON COLUMN sent.incarnation IS 'Incarnation that took it';
COMMENT ON COLUMN sent.events IS 'Events; of older ones only a part counts';
COMMENT ON COLUMN sent.bytes IS 'Bytes of these events, counted in the same way';
COMMENT ON COLUMN sent.at IS 'When it was last counted';

CREATE TABLE deferred (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    principal_id integer NOT NULL,
    name text NOT NULL,
    arg json,
    since timestamptz NOT NULL,
    reason text,
    retry_at timestamptz
);
CREATE INDEX deferred_principal_id ON deferred (principal_id, id);
COMMENT ON TABLE deferred IS 'What nodes sent and has no effect yet, since HQ''s rows were locked';
COMMENT ON COLUMN deferred.id IS 'Key, and order';
COMMENT ON COLUMN deferred.principal_id IS 'The node';
COMMENT ON COLUMN deferred.name IS 'Name of the event';
COMMENT ON COLUMN deferred.arg IS 'Its argument';
COMMENT ON COLUMN deferred.since IS 'Since when';
COMMENT ON COLUMN deferred.reason IS
    'SQLSTATE and message of its failure, for which it was set aside; NULL: it has not failed';
COMMENT ON COLUMN deferred.retry_at IS 'When what was set aside is tried again, at the earliest';
COMMENT ON INDEX deferred_principal_id IS 'Does something of this node wait?';
COMMENT ON SEQUENCE deferred_id_seq IS 'Keys of deferred';

CREATE UNLOGGED TABLE shared_config (
    node_id integer PRIMARY KEY,
    free_ids integer[] NOT NULL DEFAULT '{}',
    changed_at timestamptz[] NOT NULL DEFAULT '{}',
    used_at timestamptz NOT NULL
);
COMMENT ON TABLE shared_config IS 'What is remembered of the configuration that a node shares';
COMMENT ON COLUMN shared_config.node_id IS 'The node';
COMMENT ON COLUMN shared_config.free_ids IS
    'Ids of its rows of nodeconfig that were deleted: its next rows get them, not new ones';
COMMENT ON COLUMN shared_config.changed_at IS 'When it changed its configuration, last at the end';
COMMENT ON COLUMN shared_config.used_at IS 'When this row was written; forgotten a week later';

-- Keyed by the session too: two never wait for each other here.
CREATE UNLOGGED TABLE failure (
    part text COLLATE "C" NOT NULL,
    pid integer NOT NULL DEFAULT pg_catalog.pg_backend_pid(),
    failures bigint NOT NULL DEFAULT 1,
    failed_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    error text NOT NULL,
    PRIMARY KEY (part, pid)
);
COMMENT ON TABLE failure IS 'What of beat() and upkeep() has failed, and how often';
COMMENT ON COLUMN failure.part IS 'The function that failed';
COMMENT ON COLUMN failure.pid IS 'Process of the session that it failed in';
COMMENT ON COLUMN failure.failures IS 'How often';
COMMENT ON COLUMN failure.failed_at IS 'When last; a row is forgotten a week later';
COMMENT ON COLUMN failure.error IS 'SQLSTATE and message of the last time';

CREATE TABLE secret (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    value text NOT NULL
);
COMMENT ON TABLE secret IS 'What pushd signs offsets with; one row, made by the first open()';
COMMENT ON COLUMN secret.one IS 'Keeps the table at one row';
COMMENT ON COLUMN secret.value IS 'The secret';

-- Rows are only added and taken away, so that a connecting client never waits for a reconciliation.
CREATE UNLOGGED TABLE pending (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    principal_id integer NOT NULL,
    due timestamptz NOT NULL
);
CREATE INDEX pending_due ON pending (due);
CREATE INDEX pending_principal_id ON pending (principal_id, due);
COMMENT ON TABLE pending IS 'Principals whose presence is to be reconciled';
COMMENT ON COLUMN pending.id IS 'Key';
COMMENT ON COLUMN pending.principal_id IS 'The principal; may have several rows';
COMMENT ON COLUMN pending.due IS 'Not before this time';
COMMENT ON SEQUENCE pending_id_seq IS 'Keys of pending';
COMMENT ON INDEX pending_due IS 'What is due?';
COMMENT ON INDEX pending_principal_id IS 'Does a grace run for this principal?';

CREATE TABLE announced (
    principal_id integer PRIMARY KEY,
    kind text NOT NULL,
    name text,
    organization_id integer,
    online boolean NOT NULL,
    rooms text[] NOT NULL,
    changed_at timestamptz NOT NULL
);
COMMENT ON TABLE announced IS 'What clients were last told of each principal''s presence';
COMMENT ON COLUMN announced.principal_id IS 'The principal';
COMMENT ON COLUMN announced.kind IS 'node or user';
COMMENT ON COLUMN announced.name IS 'Name under which it was announced';
COMMENT ON COLUMN announced.organization_id IS 'Organization under which it was announced';
COMMENT ON COLUMN announced.online IS 'Whether it was announced as connected';
COMMENT ON COLUMN announced.rooms IS 'Public rooms that it was announced to have joined';
COMMENT ON COLUMN announced.changed_at IS 'When that was announced';

CREATE UNLOGGED TABLE epoch (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    value text NOT NULL
);
COMMENT ON TABLE epoch IS 'The epoch; one row, none from a crash or failover until the next open()';
COMMENT ON COLUMN epoch.one IS 'Keeps the table at one row';
COMMENT ON COLUMN epoch.value IS 'system identifier - timeline - random value';

-- Keyed by the transaction too: two transactions never wait for each other here.
CREATE UNLOGGED TABLE done_once (
    deed text COLLATE "C" NOT NULL,
    task_id integer NOT NULL,
    organization_id integer NOT NULL DEFAULT 0,
    xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    PRIMARY KEY (task_id, organization_id, deed, xid)
);
COMMENT ON TABLE done_once IS
    'What a transaction does only once; upkeep() removes the rows of transactions that have ended';
COMMENT ON COLUMN done_once.deed IS
    'announced: the task, to the nodes of the organization; killed: a run of the task; noted: runs '
    'in run_to_kill';
COMMENT ON COLUMN done_once.task_id IS 'Task; 0 of noted';
COMMENT ON COLUMN done_once.organization_id IS 'Organization; 0 of killed and noted';
COMMENT ON COLUMN done_once.xid IS 'Transaction';

CREATE TABLE node_at (
    node_id integer PRIMARY KEY,
    organization_id integer NOT NULL,
    collaboration_id integer NOT NULL
);
CREATE INDEX node_at_organization_id ON node_at (organization_id, collaboration_id, node_id);
COMMENT ON INDEX node_at_organization_id IS 'Which node is it?';
COMMENT ON TABLE node_at IS
    'Which node an organization has in a collaboration. HQ''s table has no index to ask for it';
COMMENT ON COLUMN node_at.organization_id IS 'Organization';
COMMENT ON COLUMN node_at.collaboration_id IS 'Collaboration';
COMMENT ON COLUMN node_at.node_id IS 'Node';

-- Roles are kept as such, not by name: one that is renamed stays the same, and another that gets
-- its name gets nothing else. A dump names them.
CREATE TABLE attachment (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    hq_schema name NOT NULL,
    hq_version integer NOT NULL CHECK (hq_version IN (4, 5)),
    agent regrole NOT NULL,
    separate boolean NOT NULL DEFAULT false,
    attached_at timestamptz NOT NULL
);
COMMENT ON TABLE attachment IS 'The HQ that the extension is attached to; one row, or none';
COMMENT ON COLUMN attachment.one IS 'Keeps the table at one row';
COMMENT ON COLUMN attachment.hq_schema IS 'Schema of HQ''s tables';
COMMENT ON COLUMN attachment.hq_version IS '4 or 5';
COMMENT ON COLUMN attachment.agent IS 'Role that owns what touches HQ''s rows';
COMMENT ON COLUMN attachment.separate IS
    'Whether the agent is a role of its own, since a superuser owns HQ''s tables';
COMMENT ON COLUMN attachment.attached_at IS 'When attach() was last run';

CREATE TABLE granted (
    grantee regrole NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('hq', 'pushd')),
    PRIMARY KEY (grantee, purpose)
);
COMMENT ON TABLE granted IS 'Roles of grant_hq() and grant_pushd(); attach() grants to them again';
COMMENT ON COLUMN granted.grantee IS 'Role';
COMMENT ON COLUMN granted.purpose IS 'hq or pushd';
