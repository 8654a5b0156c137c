-- A transaction that emits cannot be prepared: PostgreSQL refuses it for the bell. (A server whose
-- max_prepared_transactions is 0 refuses any: prepare_1.out.)
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
\set ECHO all
BEGIN;
SELECT vantage6_events.emit('x', NULL, 'everyone');
\set VERBOSITY terse
PREPARE TRANSACTION 'regress';
SELECT count(*) FROM vantage6_events.event;
\set ECHO none
\i test/hq/regress-down.psql
