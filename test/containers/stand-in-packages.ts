/**
 * What the stand-in image has in it: Debian's programs for PostgreSQL, NATS and Prometheus, and what they need, without the
 * scripts of the packaging.
 */
export const standInPackages: readonly string[] = [
  ...['base-files', 'libc-bin', 'dash', 'coreutils', 'sed', 'grep', 'busybox', 'netbase', 'tzdata'],
  ...['postgresql', 'postgresql-client', 'nats-server', 'prometheus'],
];

/** What it has in it besides when MariaDB is asked for. */
export const mariadbPackages: readonly string[] = ['mariadb-server', 'mariadb-client'];

/** Beginnings of the names of dependencies that no server needs to run in a container. */
export const standInSkips: readonly string[] = [
  ...[
    'adduser',
    'passwd',
    'debconf',
    'init-system-helpers',
    'lsb-base',
    'sysvinit',
    'ucf',
    'daemon',
    'logrotate',
  ],
  ...['perl', 'libperl', 'postgresql-common', 'postgresql-client-common', 'ssl-cert', 'openssl', 'locales'],
  ...[
    'libllvm',
    'libz3',
    'libjs-',
    'node-',
    'fonts-',
    'javascript-common',
    'galera',
    'rsync',
    'socat',
    'psmisc',
  ],
  ...[
    'mariadb-plugin',
    'gawk',
    'iproute2',
    'cron',
    'systemd',
    'libc6-i386',
    'prometheus-node',
    'lsof',
    'mysql-common',
  ],
];
