import type { Finding } from '../engine.ts';

/** A row of check-settings.sql. */
export interface ServerSettings {
  readonly version: string;
  readonly version_num: number;
  readonly in_recovery: boolean;
  readonly server_ms: number;
  readonly preload: string | null;
  readonly compute_query_id: string;
  readonly query_size: number;
  readonly io_timing: string;
  readonly counts_on: string;
  readonly statements_max: number | null;
  readonly receives: boolean;
  readonly paused: boolean;
  readonly free_connections: number;
  /** In blocks; null before PostgreSQL 18. */
  readonly max_combine: number | null;
}

const recommendedQuerySize = 4096;
const recommendedCombineBlocks = 128;
const clocksApartMs = 1_000;
/** Connections that an agent may open at once, all purposes together, for one database. */
const connectionsNeeded = 8;

/** Pure: the findings on server-wide settings. `startedMs` and `endedMs` frame the statement by our clock. */
export function checkSettings(
  settings: ServerSettings,
  asked: { readonly startedMs: number; readonly endedMs: number },
): Finding[] {
  const findings: Finding[] = [];
  const preload = (settings.preload ?? '').split(',').map((name) => name.trim().replaceAll('"', ''));
  if (settings.preload !== null && !preload.includes('pg_stat_statements')) {
    const list = [...preload.filter((name) => name !== ''), 'pg_stat_statements'].join(', ');
    findings.push({
      level: 'fault',
      subject: 'shared_preload_libraries',
      message: 'pg_stat_statements is not preloaded: statements are not counted',
      remedy: `ALTER SYSTEM SET shared_preload_libraries = ${list}; then restart the server`,
    });
  }
  if (settings.compute_query_id === 'off') {
    findings.push({
      level: 'fault',
      subject: 'compute_query_id',
      message: 'compute_query_id is off: sessions cannot be matched to statements',
      remedy: "ALTER SYSTEM SET compute_query_id = 'auto'; SELECT pg_reload_conf();",
    });
  }
  if (settings.query_size < recommendedQuerySize) {
    findings.push({
      level: 'warning',
      subject: 'track_activity_query_size',
      message: `track_activity_query_size is ${settings.query_size} bytes: longer statements of sessions are cut`,
      remedy: `ALTER SYSTEM SET track_activity_query_size = ${recommendedQuerySize}; then restart the server`,
    });
  }
  if (settings.io_timing !== 'on') {
    findings.push({
      level: 'warning',
      subject: 'track_io_timing',
      message: 'track_io_timing is off: the time that reads cost is not seen in the accounts',
      remedy: 'ALTER SYSTEM SET track_io_timing = on; SELECT pg_reload_conf();',
    });
  }
  if (settings.counts_on !== 'on') {
    findings.push({
      level: 'fault',
      subject: 'track_counts',
      message: 'track_counts is off: no relation has statistics',
      remedy: 'ALTER SYSTEM SET track_counts = on; SELECT pg_reload_conf();',
    });
  }
  if (settings.max_combine !== null && settings.max_combine < recommendedCombineBlocks) {
    findings.push({
      level: 'warning',
      subject: 'io_max_combine_limit',
      message: `one read takes at most ${settings.max_combine} blocks: warming from a disk of few operations a second is slower`,
      remedy: "ALTER SYSTEM SET io_max_combine_limit = '1MB'; then restart the server",
    });
  }
  findings.push(...checkReplay(settings), ...checkClock(settings.server_ms, asked));
  if (settings.free_connections < connectionsNeeded) {
    findings.push({
      level: 'warning',
      subject: 'max_connections',
      message: `${settings.free_connections} connections are free; the agent uses up to ${connectionsNeeded} for a database`,
      remedy: 'ALTER SYSTEM SET max_connections to more; then restart the server',
    });
  }
  return findings;
}

function checkReplay(settings: ServerSettings): Finding[] {
  const subject = 'replication';
  if (!settings.in_recovery) {
    return [{ level: 'warning', subject, message: 'this server is a primary, not a replica' }];
  }
  if (settings.paused) {
    const message = 'WAL replay is paused';
    return [{ level: 'fault', subject, message, remedy: 'SELECT pg_wal_replay_resume();' }];
  }
  if (!settings.receives) {
    return [
      {
        level: 'warning',
        subject,
        message: 'no WAL receiver runs: the replica falls behind unless it restores from an archive',
        remedy: "Check primary_conninfo and the server's log.",
      },
    ];
  }
  return [{ level: 'ok', subject, message: 'a standby that receives WAL' }];
}

function checkClock(serverMs: number, asked: { startedMs: number; endedMs: number }): Finding[] {
  const apartMs = Math.max(0, asked.startedMs - serverMs, serverMs - asked.endedMs);
  if (apartMs < clocksApartMs) return [{ level: 'ok', subject: 'clock', message: 'clocks agree' }];
  return [
    {
      level: 'fault',
      subject: 'clock',
      message: `the clocks of the agent and of the server are ${Math.round(apartMs)} ms apart`,
      remedy: 'Synchronise both hosts, for instance with chrony.',
    },
  ];
}
