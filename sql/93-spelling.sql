-- Settings of the session change how the server spells names, types and literals, and how it reads
-- them. What builds SQL, or reads what the server spells, does so under settings of its own. No
-- function has a backslash in a literal, but after E.

CREATE FUNCTION spelling() RETURNS TABLE (setting text, value text)
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    VALUES ('quote_all_identifiers', 'off'), ('standard_conforming_strings', 'on'),
           ('array_nulls', 'on'), ('transform_null_equals', 'off'), ('extra_float_digits', '1'),
           ('bytea_output', 'hex'), ('datestyle', 'ISO'), ('intervalstyle', 'postgres')
$$;
COMMENT ON FUNCTION spelling() IS 'The settings of all functions that build or read SQL.';

CREATE FUNCTION spells_sql(source text) RETURNS boolean
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT source ~ '(EXECUTE |pg_get_|quote_|format_type|%([0-9][$])?[IL]|::reg[a-z]+)'
$$;
COMMENT ON FUNCTION spells_sql(text) IS
    'Whether a function with this source builds SQL, or reads what the server spells.';

DO $$
DECLARE
    f record;
BEGIN
    FOR f IN SELECT p.oid::regprocedure AS function, s.setting, s.value
             FROM pg_proc AS p CROSS JOIN spelling() AS s
             WHERE p.pronamespace = 'vantage6_events'::regnamespace AND spells_sql(p.prosrc) LOOP
        EXECUTE format('ALTER FUNCTION %s SET %s = %L', f.function, f.setting, f.value);
    END LOOP;
END $$;
