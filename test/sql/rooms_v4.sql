-- The rooms of each principal of the cast equal those of an independent query over HQ's tables.
\set hq 4
\i test/hq/rooms.psql
