-- Purpose: pages of each index of one database, as InnoDB's persistent statistics have them: set aside, and leaves in use.
-- Parameters: database.
-- Privilege: SELECT on mysql.innodb_index_stats; without it sizes are those of tables, divided among their indexes.
-- Cost: one range of a small table by its primary key; 20,000 rows at most. Run with indexes.sql.
SELECT table_name AS tableName, index_name AS indexName, stat_name AS statName, stat_value AS pages
FROM mysql.innodb_index_stats
WHERE database_name = ? AND stat_name IN ('size', 'n_leaf_pages')
LIMIT 20000;
