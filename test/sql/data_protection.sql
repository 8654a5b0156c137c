-- doc/data-protection.md: what it has you run to erase a person's data does so, of nobody else.
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
\set erase `sed -n '/-- erase$/,/COMMIT;$/p' doc/data-protection.md`
CREATE FUNCTION pg_temp.come(sid text, principal integer) RETURNS integer LANGUAGE sql AS $$
    SELECT c.principal_id FROM vantage6_events.instance AS i, vantage6_events.connect(
        i.incarnation, json_build_array(json_build_object('sid', sid, 'nsp', '/tasks', 'pid',
            'p' || sid, 'token', 't' || sid, 'address', '10.0.0.1', 'user_agent', 'a browser',
            'subject', '00000000-0000-4000-8000-' || lpad(principal::text, 12, '0')))) AS c
$$;
-- The tables with a row that names the principal, and how many.
CREATE FUNCTION pg_temp.rows_of(principal integer) RETURNS TABLE (name text, n bigint)
    LANGUAGE plpgsql AS $$
BEGIN
    FOR name IN
        SELECT c.relname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'vantage6_events'::regnamespace AND c.relkind = 'r'
          AND a.attname IN ('principal_id', 'node_id') AND c.relname NOT IN ('pending', 'sent')
        ORDER BY c.relname COLLATE "C"
    LOOP
        EXECUTE format('SELECT count(*) FROM vantage6_events.%I AS t WHERE %s IN '
                       '(to_jsonb(t) ->> ''principal_id'', to_jsonb(t) ->> ''node_id'')',
                       name, quote_literal(principal)) INTO n;
        CONTINUE WHEN n = 0;
        RETURN NEXT;
    END LOOP;
END $$;
SELECT true AS opened FROM vantage6_events.open('one', '1.0');
\set ECHO all
SELECT length(:'erase') > 500 AS found;
-- Two connections of one: a client goes, the server ends the other. Somebody else is connected.
SELECT pg_temp.come('a', 14), pg_temp.come('b', 14), pg_temp.come('c', 13);
SELECT vantage6_events.presence(100) IS NOT NULL AS more;
SELECT vantage6_events.disconnect(incarnation, '[{"sid": "a", "reason": "transport close"},
    {"sid": "b", "reason": "server shutting down"}]') FROM vantage6_events.instance;
INSERT INTO vantage6_events.deferred (principal_id, name, since) VALUES (14, 'x', now());
INSERT INTO vantage6_events.shared_config (node_id, used_at) VALUES (14, now());
INSERT INTO vantage6_events.instruction (id, node_id, namespace, name, created_at, expires_at,
                                         told_at)
VALUES (1, 14, '/tasks', 'x', now(), now() + interval '1 day', now());
UPDATE vantage6_events.announced SET online = false WHERE principal_id = 14;
SELECT * FROM pg_temp.rows_of(14);
SELECT * FROM pg_temp.rows_of(13);
SELECT vantage6_events.emit('e', '"of u_none"', 'all') > 0 AS emitted,
       vantage6_events.emit('e', '"of another"', 'all') > 0 AS emitted;
UPDATE vantage6_events.event SET emitted_at = emitted_at - interval '61 minutes' WHERE name = 'e';
SELECT vantage6_events.emit('f', '"of u_none"', 'all') > 0 AS emitted;
\set ECHO none
:erase
\set ECHO all
SELECT * FROM pg_temp.rows_of(14);
SELECT * FROM pg_temp.rows_of(13);
SELECT name, payload FROM vantage6_events.event WHERE name IN ('e', 'f') ORDER BY id;
\set ECHO none
\i test/hq/regress-down.psql
