/** Settings of MariaDB or MySQL by name; units as the server takes them, e.g. `'512M'`. */
export type MysqlSettings = Readonly<Record<string, string | number | boolean>>;

/** The user that the lab makes: all privileges, no password, on loopback only. */
export const rootUser = 'root';
export const defaultDatabase = 'app';

/** For throw-away data, both kinds: the operating system is trusted to stay up, processes are not. */
export const baseSettings: MysqlSettings = {
  bind_address: '127.0.0.1',
  skip_name_resolve: true,
  max_connections: 200,
  innodb_buffer_pool_size: '64M',
  innodb_flush_method: 'O_DIRECT',
  innodb_flush_log_at_trx_commit: 2,
  innodb_buffer_pool_dump_at_shutdown: false,
  innodb_buffer_pool_load_at_startup: false,
  log_bin: 'binlog',
  relay_log: 'relay',
  relay_log_recovery: true,
  sync_binlog: 0,
  performance_schema: true,
  secure_file_priv: '',
};

/** An option file for the server; a relative path in it is below the data folder. */
export function renderOptionFile(settings: MysqlSettings): string {
  const shown = (value: string | number | boolean) => {
    if (typeof value === 'boolean') return value ? 'ON' : 'OFF';
    return typeof value === 'number'
      ? `${value}`
      : `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  };
  return [
    '[mysqld]',
    ...Object.entries(settings).map(([name, value]) => `${name} = ${shown(value)}`),
    '',
  ].join('\n');
}
