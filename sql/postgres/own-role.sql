-- Purpose: the role that Forewarm itself runs as, whose statements are nobody's.
-- Parameters: none.
-- Privilege: none.
-- Cost: negligible; once a start.
SELECT SESSION_USER::text AS "role";
