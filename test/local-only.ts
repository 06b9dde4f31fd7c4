/** Suites of test/integration that need their servers as processes of this machine, and what for. */
export const localOnly: Readonly<Record<string, string>> = {
  demo: 'a limited disk',
  lab: 'processes, files and a limited disk',
  'live-guest': 'Unix sockets of servers, and guests beside them',
  'lab-mysql': 'MariaDB and MySQL',
  'mysql-attribution': 'MariaDB and MySQL',
  'mysql-engine': 'MariaDB and MySQL',
  'mysql-hot-part': 'MariaDB and MySQL',
  'mysql-migration': 'MariaDB and MySQL',
  'postgres-other-clusters': 'a logical replica, and the page cache of files',
  'second-tier': 'the page cache of files',
  'switching-mysql': 'MariaDB and MySQL',
};
