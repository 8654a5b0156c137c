-- Everywhere the same: in a database of another encoding, with a collation in which i is not the
-- small letter of I, and with other formats of dates, time zones, names and plans. (Runs that one
-- statement changes are announced in the order of its plan.)
\set ECHO none
\i test/hq/anywhere.psql
\set usual :result
\set home :DBNAME
SELECT CASE WHEN current_setting('server_version_num')::integer >= 150000
        AND EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i')
    THEN 'ENCODING UTF8 LOCALE ''C'' LOCALE_PROVIDER icu ICU_LOCALE ''tr'''
    ELSE 'ENCODING UTF8 LOCALE ''C''' END AS turkish
\gset
\set ECHO all
SELECT count(*) > 50 AS lines FROM regexp_split_to_table(:'usual', E'\n');
\set ECHO none
SET client_min_messages = warning;
CREATE DATABASE regress_anywhere TEMPLATE template0 :turkish;
ALTER DATABASE regress_anywhere SET IntervalStyle = 'sql_standard';
ALTER DATABASE regress_anywhere SET quote_all_identifiers = on;
ALTER DATABASE regress_anywhere SET standard_conforming_strings = off;
ALTER DATABASE regress_anywhere SET extra_float_digits = -15;
ALTER DATABASE regress_anywhere SET jit = off; -- not for 1e10, which a plan that is off costs
ALTER DATABASE regress_anywhere SET enable_hashagg = off;
ALTER DATABASE regress_anywhere SET enable_seqscan = off;
ALTER DATABASE regress_anywhere SET enable_sort = off;
ALTER DATABASE regress_anywhere SET enable_nestloop = off;
ALTER DATABASE regress_anywhere SET join_collapse_limit = 1;
ALTER DATABASE regress_anywhere SET plan_cache_mode = force_generic_plan;
ALTER DATABASE regress_anywhere SET search_path = pg_temp, public;
\setenv PGDATESTYLE 'SQL, DMY'
\setenv PGTZ Asia/Kolkata
\c regress_anywhere
\i test/hq/anywhere.psql
\set ECHO all
SELECT * FROM regexp_split_to_table(:'result', E'\n') AS here
EXCEPT ALL SELECT * FROM regexp_split_to_table(:'usual', E'\n');
SELECT * FROM regexp_split_to_table(:'usual', E'\n') AS usual
EXCEPT ALL SELECT * FROM regexp_split_to_table(:'result', E'\n');
\set ECHO none
\c :home
DROP DATABASE regress_anywhere WITH (FORCE);
CREATE DATABASE regress_anywhere TEMPLATE template0 ENCODING LATIN1 LOCALE 'C';
ALTER DATABASE regress_anywhere SET jit = off;
ALTER DATABASE regress_anywhere SET enable_indexscan = off;
ALTER DATABASE regress_anywhere SET enable_bitmapscan = off;
ALTER DATABASE regress_anywhere SET enable_hashjoin = off;
ALTER DATABASE regress_anywhere SET enable_material = off;
\c regress_anywhere
\i test/hq/anywhere.psql
\set ECHO all
SELECT * FROM regexp_split_to_table(:'result', E'\n') AS here
EXCEPT ALL SELECT * FROM regexp_split_to_table(:'usual', E'\n');
SELECT * FROM regexp_split_to_table(:'usual', E'\n') AS usual
EXCEPT ALL SELECT * FROM regexp_split_to_table(:'result', E'\n');
\set ECHO none
\c :home
DROP DATABASE regress_anywhere WITH (FORCE);
