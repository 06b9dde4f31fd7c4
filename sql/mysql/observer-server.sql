-- Purpose: what the server keeps account of, its rule for names, and the role of this session.
-- Parameters: none.
-- Privilege: none.
-- Cost: none to speak of. Run once a collect.
SELECT @@performance_schema AS performanceSchema,
       @@lower_case_table_names AS foldsNames,
       SUBSTRING_INDEX(USER(), '@', 1) AS `user`;
