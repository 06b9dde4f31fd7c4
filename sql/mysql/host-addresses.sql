-- Purpose: addresses of the clients that the server knows by a resolved name.
-- Parameters: none.
-- Privilege: SELECT on performance_schema.*.
-- Cost: reads the host cache, at most 1,000 entries; run when a client has a name that is not known.
SELECT HOST AS `host`, MIN(IP) AS address
FROM performance_schema.host_cache
WHERE HOST IS NOT NULL
GROUP BY HOST
HAVING COUNT(*) = 1
LIMIT 1000;
