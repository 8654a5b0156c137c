-- The event log.
--
-- event  one row per event, inserted in the transaction that it tells of; never updated
-- slot   one of the three partitions. Time is cut into turns of vantage6_events.retention; turn n
--        writes slot n % 3, so that a slot can be emptied while its two neighbours are kept
-- bell   the empty notification on channel vantage6_events that follows commits with events
--
-- Events are not dumped: their xids mean nothing in another cluster. The ids are, so that no id
-- ever names two events.

-- The columns are in an order that needs no padding.
CREATE TABLE event (
    id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1),
    xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    emitted_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    tli integer NOT NULL,
    slot smallint NOT NULL,
    namespace text NOT NULL,
    rooms text[] NOT NULL,
    name text NOT NULL,
    payload text NOT NULL,
    durable boolean NOT NULL DEFAULT false,
    repeats bigint,
    except_principal integer
) PARTITION BY LIST (slot);
CREATE TABLE event_0 PARTITION OF event FOR VALUES IN (0);
CREATE TABLE event_1 PARTITION OF event FOR VALUES IN (1);
CREATE TABLE event_2 PARTITION OF event FOR VALUES IN (2);
CREATE INDEX event_xid_id ON event (xid, id);

COMMENT ON TABLE event IS 'Events, as they go out to clients; a ring of three partitions';
COMMENT ON COLUMN event.slot IS 'Partition: turn of retention in which it was emitted, modulo 3';
COMMENT ON COLUMN event.id IS 'Order of events: what saw another event committed has a greater id';
COMMENT ON COLUMN event.xid IS 'Top-level transaction that emitted the event';
COMMENT ON COLUMN event.tli IS 'Timeline that the event was written on';
COMMENT ON COLUMN event.emitted_at IS 'When it was emitted; its transaction committed later';
COMMENT ON COLUMN event.namespace IS 'Socket.IO namespace';
COMMENT ON COLUMN event.rooms IS 'A client in any of these rooms receives the event, once';
COMMENT ON COLUMN event.name IS 'Name of the event';
COMMENT ON COLUMN event.payload IS 'JSON array without spaces: the name, then the arguments';
COMMENT ON COLUMN event.durable IS 'Whether it is an instruction: sent in order, and acknowledged';
COMMENT ON COLUMN event.repeats IS
    'Id of the instruction that it tells again; 0: of none that is kept; NULL: its own';
COMMENT ON COLUMN event.except_principal IS 'A principal that does not receive the event, or NULL';
COMMENT ON INDEX event_xid_id IS 'Reading what was open when the last read was made';

DO $$
DECLARE
    part text;
    col record;
BEGIN
    FOREACH part IN ARRAY ARRAY['event_0', 'event_1', 'event_2'] LOOP
        EXECUTE format('COMMENT ON TABLE %I IS %L', part, 'One slot of the ring of events');
        -- Not (slot, id) of all: a second index that begins as this one does would be written, too.
        EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I PRIMARY KEY (id)', part,
                       part || '_id_idx');
        EXECUTE format('COMMENT ON INDEX %I IS %L', part || '_id_idx',
                       'Reading what is new, in order');
        FOR col IN SELECT attname, attnum FROM pg_catalog.pg_attribute
                   WHERE attrelid = part::regclass AND attnum > 0 LOOP
            EXECUTE format('COMMENT ON COLUMN %I.%I IS %L', part, col.attname,
                           pg_catalog.col_description('event'::regclass, col.attnum));
        END LOOP;
    END LOOP;
END $$;
COMMENT ON SEQUENCE event_id_seq IS 'Ids of events; dumped, unlike the events';

-- Rights rows travel beside the events, by the same snapshots. They need no order. They survive a
-- crash only for a transaction that was prepared before it: after one all rooms are read anew.
CREATE TABLE rights_change (
    xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    scopes text[] NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
CREATE INDEX rights_change_xid ON rights_change (xid);
-- It has no key. Without an identity a row of a table that is published cannot be deleted.
ALTER TABLE rights_change REPLICA IDENTITY FULL;
COMMENT ON TABLE rights_change IS
    'Changes of who may receive what, kept as long as an event may be';
COMMENT ON COLUMN rights_change.xid IS 'Top-level transaction that made the change';
COMMENT ON COLUMN rights_change.scopes IS 'Whose rooms may have changed: see rights_changed()';
COMMENT ON COLUMN rights_change.changed_at IS 'Start of that transaction';
COMMENT ON INDEX rights_change_xid IS 'What has changed since a snapshot?';
