-- What is remembered of HQ's tasks, since HQ's tables have no index to ask them. attach() fills it.
-- Triggers keep it, and their writes wait for no other transaction of HQ. So each row is one of
-- these:
-- - it belongs to one row of HQ, and only the transaction that holds that row writes it;
-- - its key has the transaction too;
-- - rows like it are alike, and whoever takes one away takes one that nobody else is taking.
-- A row that several rows of HQ share would be locked by each in the order of HQ's writes, and two
-- transactions would meet crosswise.
--
-- open run     a run that has no finished_at, or whose status is none of the last ones
-- dependent    a task that waits for others
-- instruction  what one node is to do, kept until it has done so or the time is over

-- One index: whoever writes a row knows its task, and HQ pays for each.
CREATE TABLE open_run (
    run_id integer NOT NULL,
    task_id integer NOT NULL,
    organization_id integer,
    unfinished boolean NOT NULL,
    alive boolean NOT NULL,
    PRIMARY KEY (task_id, run_id)
);
COMMENT ON TABLE open_run IS 'Runs of HQ that are not over';
COMMENT ON COLUMN open_run.run_id IS 'Run';
COMMENT ON COLUMN open_run.task_id IS 'Its task';
COMMENT ON COLUMN open_run.organization_id IS 'Its organization';
COMMENT ON COLUMN open_run.unfinished IS 'It has no finished_at: what depends on its task waits';
COMMENT ON COLUMN open_run.alive IS 'Its status is none of the last ones: it can be killed';

CREATE TABLE child_task (
    task_id integer PRIMARY KEY,
    parent_id integer NOT NULL
);
CREATE INDEX child_task_parent_id ON child_task (parent_id, task_id);
COMMENT ON TABLE child_task IS 'Tasks of HQ that have a parent';
COMMENT ON COLUMN child_task.task_id IS 'Task';
COMMENT ON COLUMN child_task.parent_id IS 'Its parent';
COMMENT ON INDEX child_task_parent_id IS 'Which are its children?';

-- No key: HQ's table need have none, and two transactions may insert the same.
CREATE TABLE dependency (
    task_id integer NOT NULL,
    depends_on_id integer NOT NULL
);
ALTER TABLE dependency REPLICA IDENTITY FULL; -- a publication of all tables wants one
CREATE INDEX dependency_task_id ON dependency (task_id, depends_on_id);
CREATE INDEX dependency_depends_on_id ON dependency (depends_on_id, task_id);
COMMENT ON TABLE dependency IS
    'Which task waits for which (HQ 5): one row for each of HQ''s, which may be duplicates';
COMMENT ON COLUMN dependency.task_id IS 'The dependent';
COMMENT ON COLUMN dependency.depends_on_id IS 'The task that it waits for';
COMMENT ON INDEX dependency_task_id IS 'Does this task wait, and for which?';
COMMENT ON INDEX dependency_depends_on_id IS 'Which tasks wait for this one?';

CREATE TABLE ready_task (
    task_id integer PRIMARY KEY
);
COMMENT ON TABLE ready_task IS
    'Dependents that were announced, since all that they waited for had finished: never again';
COMMENT ON COLUMN ready_task.task_id IS 'Task';

CREATE TABLE undecided_task (
    task_id integer NOT NULL,
    organization_id integer NOT NULL DEFAULT 0,
    xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    PRIMARY KEY (task_id, organization_id, xid)
);
COMMENT ON TABLE undecided_task IS
    'Dependents of which a transaction could not tell whether all that they wait for had finished: '
    'beat() looks at them';
COMMENT ON COLUMN undecided_task.task_id IS 'Task';
COMMENT ON COLUMN undecided_task.organization_id IS
    'Organization of the run that the transaction added to it; 0: it finished what that waits for';
COMMENT ON COLUMN undecided_task.xid IS 'Transaction: so two never wait for each other';

CREATE TABLE instruction (
    id bigint NOT NULL,
    node_id integer NOT NULL,
    namespace text NOT NULL,
    name text NOT NULL,
    args json,
    collaboration_id integer,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    told_at timestamptz NOT NULL,
    sent_at timestamptz,
    sends integer NOT NULL DEFAULT 0,
    sent_to text,
    acked_at timestamptz,
    PRIMARY KEY (id, node_id)
);
CREATE INDEX instruction_node_id ON instruction (node_id, id);
CREATE INDEX instruction_told_at ON instruction (told_at) WHERE acked_at IS NULL;
COMMENT ON TABLE instruction IS
    'What nodes are told to do: sent when it commits, and again whenever the node connects and now '
    'and then, until it is acknowledged or expires. It outlives what it speaks of';
COMMENT ON COLUMN instruction.id IS 'Id of the event that told it first, and order';
COMMENT ON COLUMN instruction.node_id IS 'The node that is told, and no other';
COMMENT ON COLUMN instruction.namespace IS 'Socket.IO namespace';
COMMENT ON COLUMN instruction.name IS 'Name of the event';
COMMENT ON COLUMN instruction.args IS
    'Arguments of the event: an array is their list, any other value the only one, NULL none';
COMMENT ON COLUMN instruction.collaboration_id IS
    'That of a list of kills, whose runs are in killed_run; NULL: it is another instruction';
COMMENT ON COLUMN instruction.created_at IS 'When it was written';
COMMENT ON COLUMN instruction.expires_at IS 'From then on it is not sent any more';
COMMENT ON COLUMN instruction.told_at IS 'When it was last given to the pushds that have the node';
COMMENT ON COLUMN instruction.sent_at IS 'When one of them last reported that it was sent, or NULL';
COMMENT ON COLUMN instruction.sends IS 'How often it was sent';
COMMENT ON COLUMN instruction.sent_to IS 'sid of the connection that it was last sent to, or NULL';
COMMENT ON COLUMN instruction.acked_at IS
    'When the node acknowledged it, or upkeep() found nothing left of a list of kills, or NULL';
COMMENT ON INDEX instruction_node_id IS 'What is this node to do?';
COMMENT ON INDEX instruction_told_at IS 'What is to be told again?';

CREATE TABLE killed_run (
    run_id integer NOT NULL,
    node_id integer NOT NULL,
    xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    instruction_id bigint NOT NULL,
    task_id integer NOT NULL,
    organization_id integer NOT NULL,
    over boolean NOT NULL DEFAULT false,
    PRIMARY KEY (run_id, node_id, xid)
);
CREATE INDEX killed_run_instruction_id ON killed_run (instruction_id);
COMMENT ON TABLE killed_run IS
    'Runs that nodes are told to kill, each once: what the lists of kills consist of';
COMMENT ON COLUMN killed_run.run_id IS 'Run';
COMMENT ON COLUMN killed_run.node_id IS 'Node';
COMMENT ON COLUMN killed_run.xid IS 'Transaction that told it: so two never wait for each other';
COMMENT ON COLUMN killed_run.instruction_id IS 'The instruction that lists it';
COMMENT ON COLUMN killed_run.task_id IS 'Task of the run';
COMMENT ON COLUMN killed_run.organization_id IS 'Organization of the run';
COMMENT ON COLUMN killed_run.over IS 'Whether the node has said that the run is over';
COMMENT ON INDEX killed_run_instruction_id IS 'Which runs does the instruction list?';

CREATE UNLOGGED TABLE run_to_kill (
    xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    run_id integer NOT NULL,
    task_id integer NOT NULL,
    organization_id integer,
    PRIMARY KEY (xid, run_id)
);
COMMENT ON TABLE run_to_kill IS
    'Runs that a transaction has marked as killed; their nodes are told when it commits';
COMMENT ON COLUMN run_to_kill.xid IS 'Transaction';
COMMENT ON COLUMN run_to_kill.run_id IS 'Run';
COMMENT ON COLUMN run_to_kill.task_id IS 'Its task';
COMMENT ON COLUMN run_to_kill.organization_id IS 'Its organization';

CREATE TABLE unwanted_dataframe (
    id integer PRIMARY KEY,
    node_id integer NOT NULL,
    df_name text NOT NULL,
    session_id integer,
    created_at timestamptz NOT NULL,
    told_at timestamptz NOT NULL
);
CREATE INDEX unwanted_dataframe_node_id ON unwanted_dataframe (node_id, id);
COMMENT ON TABLE unwanted_dataframe IS
    'Dataframes that nodes are to delete: the rows of HQ''s dataframetobedeletedatnode (HQ 5)';
COMMENT ON COLUMN unwanted_dataframe.id IS 'Key of HQ''s row';
COMMENT ON COLUMN unwanted_dataframe.node_id IS 'Node that holds the dataframe';
COMMENT ON COLUMN unwanted_dataframe.df_name IS 'Name of the dataframe';
COMMENT ON COLUMN unwanted_dataframe.session_id IS 'Session that it belongs to';
COMMENT ON COLUMN unwanted_dataframe.created_at IS 'Since when';
COMMENT ON COLUMN unwanted_dataframe.told_at IS 'When the node was last told';
COMMENT ON INDEX unwanted_dataframe_node_id IS 'What is this node to delete?';

-- Rows are only added here by receive(), and taken away by the holder of HQ's row of the run.
CREATE TABLE log_line (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id integer NOT NULL,
    line text NOT NULL,
    at timestamptz NOT NULL,
    total bigint
);
CREATE INDEX log_line_run_id ON log_line (run_id, id);
COMMENT ON TABLE log_line IS 'What runs have logged and is not in HQ''s column run.log yet';
COMMENT ON COLUMN log_line.id IS 'Key, and order';
COMMENT ON COLUMN log_line.run_id IS 'Run';
COMMENT ON COLUMN log_line.line IS 'What it logged';
COMMENT ON COLUMN log_line.at IS 'When it came';
COMMENT ON COLUMN log_line.total IS
    'Bytes of the run''s lines since none was left, up to this one; NULL: not known';
COMMENT ON INDEX log_line_run_id IS 'What is there of this run?';
COMMENT ON SEQUENCE log_line_id_seq IS 'Keys of log_line';

CREATE UNLOGGED TABLE log_failure (
    run_id integer PRIMARY KEY,
    reason text NOT NULL,
    since timestamptz NOT NULL,
    retry_at timestamptz NOT NULL
);
COMMENT ON TABLE log_failure IS 'Runs whose lines could not be put into HQ''s column run.log';
COMMENT ON COLUMN log_failure.run_id IS 'Run';
COMMENT ON COLUMN log_failure.reason IS 'SQLSTATE and message of the last time';
COMMENT ON COLUMN log_failure.since IS 'When they failed first';
COMMENT ON COLUMN log_failure.retry_at IS 'When it is tried again, at the earliest';

CREATE UNLOGGED TABLE relayed (
    run_id integer PRIMARY KEY,
    row_status text,
    status text NOT NULL
);
COMMENT ON TABLE relayed IS
    'The last status of an open run that its node sent, and that HQ''s row does not have yet';
COMMENT ON COLUMN relayed.run_id IS 'Run';
COMMENT ON COLUMN relayed.row_status IS 'Status in HQ''s row at that time';
COMMENT ON COLUMN relayed.status IS 'Status that was told';

-- What pg_dump takes along: what is not of one life of the cluster, and of events only their ids.
DO $$
DECLARE
    kept regclass;
BEGIN
    FOREACH kept IN ARRAY ARRAY[
        'event_id_seq', 'deferred', 'deferred_id_seq', 'announced', 'node_at', 'attachment',
        'open_run', 'child_task', 'dependency', 'ready_task', 'undecided_task', 'instruction',
        'killed_run', 'unwanted_dataframe', 'log_line', 'log_line_id_seq', 'connection_log',
        'connection_log_id_seq']::regclass[] LOOP
        PERFORM pg_catalog.pg_extension_config_dump(kept, '');
    END LOOP;
    -- A role that was dropped is only a number, which may be another role's elsewhere.
    PERFORM pg_catalog.pg_extension_config_dump('granted',
        'WHERE EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.oid = grantee)');
END $$;
