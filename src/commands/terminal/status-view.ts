import type { Heartbeat } from '../../messages/heartbeat.ts';
import type { MigrationRecord } from '../../messages/record.ts';
import type { Route } from '../../messages/route.ts';
import { isEnd } from '../../migration/transitions.ts';
import { formatBytes, formatMaybe, formatMs, formatShare } from './format.ts';
import { renderTable } from './table.ts';

export interface Status {
  readonly replicas: readonly Heartbeat[];
  readonly migrations: readonly MigrationRecord[];
  readonly routes: readonly ({ readonly vm: string } & Route)[];
}

/** Those under way, then the newest that are over; `limit` bounds the latter. */
export function selectMigrations(
  records: readonly MigrationRecord[],
  limit: number,
): readonly MigrationRecord[] {
  const newest = [...records].sort((a, b) => Date.parse(b.issuedAt) - Date.parse(a.issuedAt));
  const under = newest.filter((record) => !isEnd(record.state));
  return [...under, ...newest.filter((record) => isEnd(record.state)).slice(0, limit)];
}

export function renderStatus(status: Status, nowMs: number): string {
  const { replicas, migrations, routes } = status;
  const degraded = replicas.flatMap(({ replica, degraded: lacks }) =>
    lacks.map((lack) => `  ${replica}: ${lack}\n`),
  );
  return [
    replicas.length === 0 ? 'No agent is at hand.\n' : renderReplicas(replicas, nowMs),
    degraded.join(''),
    migrations.length === 0 ? '\nNo migrations.\n' : `\n${renderMigrations(migrations, nowMs)}`,
    routes.length === 0 ? '' : `\n${renderRoutes(routes)}`,
  ].join('');
}

function renderReplicas(replicas: readonly Heartbeat[], nowMs: number): string {
  return renderTable(
    [
      { title: 'REPLICA', value: (row) => row.replica },
      { title: 'SERVER', value: (row) => `${row.engine} ${row.version}` },
      { title: 'POOL', right: true, value: (row) => formatMaybe(row.pool?.bytes, formatBytes) },
      { title: 'LAG', right: true, value: (row) => formatMaybe(row.lagMs, formatMs) },
      { title: 'ACTIVE', right: true, value: (row) => formatMaybe(row.load?.active, String) },
      { title: 'I/O', right: true, value: (row) => formatMaybe(row.load?.ioWaiting, String) },
      { title: 'WARMS', value: (row) => (row.canWarm ? 'yes' : 'no') },
      { title: 'MIGRATIONS', right: true, value: (row) => String(row.migrations) },
      { title: 'SEEN', right: true, value: (row) => `${formatMs(nowMs - Date.parse(row.at))} ago` },
      { title: 'VMS', value: (row) => row.vms.join(' ') },
    ],
    replicas,
  );
}

function renderMigrations(migrations: readonly MigrationRecord[], nowMs: number): string {
  const read = ({ warmed }: MigrationRecord) => formatMaybe(warmed?.bytesRead, formatBytes);
  return renderTable(
    [
      { title: 'MIGRATION', value: (row) => row.id },
      { title: 'VM', value: (row) => row.vm },
      { title: 'WAY', value: (row) => `${row.source ?? '?'} → ${row.target}` },
      { title: 'STATE', value: (row) => row.state },
      { title: 'READ', right: true, value: read },
      { title: 'RESIDENT', right: true, value: (row) => formatShare(row.residency) },
      { title: 'DEADLINE', value: (row) => deadline(row, nowMs) },
      { title: 'AGE', right: true, value: (row) => formatMs(nowMs - Date.parse(row.issuedAt)) },
      { title: 'NOTE', value: (row) => row.error?.message ?? row.reason ?? '' },
    ],
    migrations,
  );
}

function deadline({ deadlineMet, deadline: at }: MigrationRecord, nowMs: number): string {
  if (deadlineMet !== undefined) return deadlineMet ? 'met' : 'missed';
  const leftMs = Date.parse(at) - nowMs;
  return leftMs >= 0 ? `in ${formatMs(leftMs)}` : `${formatMs(-leftMs)} ago`;
}

function renderRoutes(routes: Status['routes']): string {
  return renderTable(
    [
      { title: 'ROUTE', value: (row) => row.vm },
      { title: 'REPLICA', value: (row) => row.replica },
      { title: 'EPOCH', right: true, value: (row) => String(row.epoch) },
      { title: 'SINCE', value: (row) => row.at },
    ],
    routes,
  );
}
