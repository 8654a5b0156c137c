-- emit, bell: what HQ and operators call. announce, ring: what the extension's own functions call.
--
-- They write to the log only and touch no row of HQ, so they may belong to the extension's owner.
-- emit and announce set no search_path, which would cost a quarter of an event. Their statements
-- (emit.c) name schemas and exact types.

DO $$
DECLARE
    args_type text;
    rooms_arg text;
    kind text;
BEGIN
    FOREACH args_type IN ARRAY ARRAY['json', 'jsonb', 'text'] LOOP
        FOREACH rooms_arg IN ARRAY ARRAY['room text', 'rooms text[]'] LOOP
            kind := args_type || '_' || split_part(rooms_arg, ' ', 1);
            EXECUTE format(
                'CREATE FUNCTION vantage6_events.emit(event text, args %s, %s,'
                ' namespace text DEFAULT ''/tasks'', durable boolean DEFAULT false,'
                ' ttl interval DEFAULT NULL) RETURNS bigint'
                ' LANGUAGE c VOLATILE SECURITY DEFINER'
                ' AS ''MODULE_PATHNAME'', %L', args_type, rooms_arg, 'v6e_emit_' || kind);
            EXECUTE format(
                'COMMENT ON FUNCTION vantage6_events.emit(text, %s, %s, text, boolean, interval)'
                ' IS %L', args_type, split_part(rooms_arg, ' ', 2),
                'Sends an event to the clients in the room or rooms, when the transaction commits; '
                'returns its id. args: a JSON array is the list of arguments, any other value the '
                'only one, NULL none. durable: to nodes only; it is kept for each that is in a '
                'room now, connected or not, until it acknowledges it, for ttl (NULL: '
                'instruction_ttl). Errors: V6101-V6109; 22P02 for text that is no JSON.');
        END LOOP;
    END LOOP;
END $$;

CREATE FUNCTION announce(event text, args json, rooms text[],
                         except_principal integer DEFAULT NULL, durable boolean DEFAULT false,
                         repeats bigint DEFAULT NULL, namespace text DEFAULT '/tasks')
    RETURNS bigint
    LANGUAGE c VOLATILE SECURITY DEFINER
    AS 'MODULE_PATHNAME', 'v6e_announce';
COMMENT ON FUNCTION announce(text, json, text[], integer, boolean, bigint, text) IS
    'As emit, but one principal does not receive it, and max_payload does not count: HQ''s own '
    'write would fail. durable: nodes acknowledge it, as the instruction repeats or as its own id.';

CREATE FUNCTION announce(event text, args json, then_event text, then_args json, rooms text[])
    RETURNS bigint
    LANGUAGE c VOLATILE SECURITY DEFINER
    AS 'MODULE_PATHNAME', 'v6e_announce_two';
COMMENT ON FUNCTION announce(text, json, text, json, text[]) IS
    'Two events to the same rooms, one right after the other, which costs less than to announce '
    'each; returns the id of the first. event NULL: the second alone.';

CREATE FUNCTION payload(event text, args json) RETURNS text
    LANGUAGE c IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'v6e_sql_payload';
COMMENT ON FUNCTION payload(text, json) IS 'The event as it is sent: a JSON array, the name first.';

CREATE FUNCTION ring() RETURNS void
    LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'v6e_sql_ring';
COMMENT ON FUNCTION ring() IS 'Rings the bell when the transaction commits, so that pushd reads.';

CREATE FUNCTION bell() RETURNS text
    LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'v6e_sql_bell';
COMMENT ON FUNCTION bell() IS
    'Which bell commits with events ring: ''worker'', a background worker sends the NOTIFY, and '
    'one is started if none lives; ''notify'', the commit itself does.';
