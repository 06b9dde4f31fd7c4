-- Purpose: which sessions hold one of these relations locked, seen ten times within about 10 ms, so that
-- statements of a tenth of a millisecond are met. Run only while it would settle a doubt.
-- Parameters: $1 oid[], relations of the database it runs in (at most 200).
-- Result: pid 0 is the pauses' and means nothing.
-- Privilege: none; pg_locks is public.
-- Cost: ten readings of the lock table: 0.3 ms with hardly any locks held, but 19 to 21 ms of which about half
-- is sleep with 90 sessions in transactions, so it grows with the locks held.
SELECT DISTINCT l.pid, l.relation::text AS "oid"
FROM (
  SELECT k.pid, k.relation FROM pg_catalog.pg_locks k WHERE k.granted AND k.relation = ANY ($1::oid[])
  UNION ALL SELECT 0, 0::oid FROM pg_catalog.pg_sleep(0.001)
  UNION ALL SELECT k.pid, k.relation FROM pg_catalog.pg_locks k WHERE k.granted AND k.relation = ANY ($1::oid[])
  UNION ALL SELECT 0, 0::oid FROM pg_catalog.pg_sleep(0.001)
  UNION ALL SELECT k.pid, k.relation FROM pg_catalog.pg_locks k WHERE k.granted AND k.relation = ANY ($1::oid[])
  UNION ALL SELECT 0, 0::oid FROM pg_catalog.pg_sleep(0.001)
  UNION ALL SELECT k.pid, k.relation FROM pg_catalog.pg_locks k WHERE k.granted AND k.relation = ANY ($1::oid[])
  UNION ALL SELECT 0, 0::oid FROM pg_catalog.pg_sleep(0.001)
  UNION ALL SELECT k.pid, k.relation FROM pg_catalog.pg_locks k WHERE k.granted AND k.relation = ANY ($1::oid[])
  UNION ALL SELECT 0, 0::oid FROM pg_catalog.pg_sleep(0.001)
  UNION ALL SELECT k.pid, k.relation FROM pg_catalog.pg_locks k WHERE k.granted AND k.relation = ANY ($1::oid[])
  UNION ALL SELECT 0, 0::oid FROM pg_catalog.pg_sleep(0.001)
  UNION ALL SELECT k.pid, k.relation FROM pg_catalog.pg_locks k WHERE k.granted AND k.relation = ANY ($1::oid[])
  UNION ALL SELECT 0, 0::oid FROM pg_catalog.pg_sleep(0.001)
  UNION ALL SELECT k.pid, k.relation FROM pg_catalog.pg_locks k WHERE k.granted AND k.relation = ANY ($1::oid[])
  UNION ALL SELECT 0, 0::oid FROM pg_catalog.pg_sleep(0.001)
  UNION ALL SELECT k.pid, k.relation FROM pg_catalog.pg_locks k WHERE k.granted AND k.relation = ANY ($1::oid[])
  UNION ALL SELECT 0, 0::oid FROM pg_catalog.pg_sleep(0.001)
  UNION ALL SELECT k.pid, k.relation FROM pg_catalog.pg_locks k WHERE k.granted AND k.relation = ANY ($1::oid[])
) l;
