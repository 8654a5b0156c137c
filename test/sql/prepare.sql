-- With the plain bell a transaction that emits cannot be prepared: PostgreSQL refuses it
-- (prepare.out). With the doorbell it can (prepare_1.out). A server whose max_prepared_transactions
-- is 0 refuses any (prepare_2.out, prepare_3.out).
\set hq 5
\set attach on
\set ECHO none
\i test/hq/regress-up.psql
\set ECHO all
\set VERBOSITY terse
SELECT bell FROM vantage6_events.status;
BEGIN;
SELECT vantage6_events.emit('x', NULL, 'everyone');
PREPARE TRANSACTION 'regress';
SELECT count(*) FROM vantage6_events.event;
COMMIT PREPARED 'regress';
SELECT count(*) FROM vantage6_events.event;
\set ECHO none
\i test/hq/regress-down.psql
