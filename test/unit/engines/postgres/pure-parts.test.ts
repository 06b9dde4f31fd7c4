import { describe, expect, it } from 'vitest';
import { checkDatabase } from '../../../../src/engines/postgres/check-database.ts';
import { checkSettings, type ServerSettings } from '../../../../src/engines/postgres/check-settings.ts';
import type { PostgresConnections } from '../../../../src/engines/postgres/connections.ts';
import { HealthReader } from '../../../../src/engines/postgres/health.ts';
import { addCachedBlocks } from '../../../../src/engines/postgres/os-cache.ts';
import { rangesOfPieces } from '../../../../src/engines/postgres/pool-walk.ts';
import type { Privileges } from '../../../../src/engines/postgres/privileges.ts';
import { readsIndexOnly } from '../../../../src/engines/postgres/scan.ts';
import { hottest } from '../../../../src/engines/postgres/session-catalogs.ts';
import { extensionsOf, withExtensionSchemas } from '../../../../src/engines/postgres/sql.ts';
import { classify, isOutOfReach, leavesSessionUsable } from '../../../../src/engines/postgres/sqlstates.ts';
import { featuresOf } from '../../../../src/engines/postgres/versions.ts';
import { stripHeader } from '../../../../src/lib/sql-file.ts';
import {
  BlockRangesBuilder,
  emptyRanges,
  rangesOf,
  singleRange,
} from '../../../../src/planning/block-ranges.ts';

function packed(...blocks: [block: number, usage: number][]): Buffer {
  const bytes = Buffer.alloc(blocks.length * 2);
  blocks.forEach(([block, usage], at) => {
    bytes.writeInt16BE(block * 8 + usage - 32_768, at * 2);
  });
  return bytes;
}

describe('rows of the pool walk', () => {
  it('become ranges over the pieces, in any order; usage 0 is heat 1, a block seen twice is its hotter', () => {
    const ranges = rangesOfPieces([
      { piece: 1, heats: packed([0, 3], [8191, 0]) },
      { piece: 0, heats: packed([8191, 3], [5, 0], [4, 1], [5, 2]) },
    ]);
    expect([...ranges.starts]).toEqual([4, 5, 8191, 16_383]);
    expect([...ranges.lengths]).toEqual([1, 1, 2, 1]);
    expect([...ranges.heats]).toEqual([1, 2, 3, 1]);
  });
});

describe('what is taken of the catalogs', () => {
  const large = rangesOf([
    [0, 300, 5],
    [310, 2, 4],
  ]);
  const small = rangesOf([
    [3, 1, 4],
    [4, 6, 5],
  ]);
  const held = [
    new Map([['main' as const, large]]),
    undefined,
    new Map([
      ['main' as const, small],
      ['vm' as const, singleRange(0, 1, 5)],
    ]),
  ];
  const takenOf = (poolBlocks: number) =>
    hottest(held, poolBlocks).map(({ starts, lengths }) => [[...starts], [...lengths]]);
  const none = [[], []];

  it('are the hottest blocks of main forks, 256 at most, and whole relations rather than parts', () => {
    expect(takenOf(1_000_000)).toEqual([[[0], [250]], none, [[4], [6]]]);
  });

  it('is a 64th of the pool at most', () => {
    expect(takenOf(64 * 9)).toEqual([[[0], [3]], none, [[4], [6]]]);
    expect(takenOf(64 * 4)).toEqual([none, none, [[4], [4]]]);
    expect(takenOf(63)).toEqual([none, none, none]);
    expect(hottest([new Map()], 1_000_000)).toEqual([emptyRanges]);
  });
});

describe('bits of the OS cache', () => {
  it('count a block only when all its pages are there', () => {
    const builder = new BlockRangesBuilder();
    addCachedBlocks(builder, { bits: '1111011011', pagesPerBlock: 2, firstBlock: 131_072 });
    const ranges = builder.build();
    expect([...ranges.starts]).toEqual([131_072, 131_076]);
    expect([...ranges.lengths]).toEqual([2, 1]);
    expect([...ranges.heats]).toEqual([0, 0]);
  });
});

describe('statements', () => {
  it('lose their header and last semicolon, and get extension schemas quoted', () => {
    const text = stripHeader(
      '-- Purpose: x\n-- more; text\nSELECT 1 -- stays\n  FROM @extschema:pg_prewarm@.f();\n',
    );
    expect(text).toBe('SELECT 1 -- stays\n  FROM @extschema:pg_prewarm@.f()');
    expect(extensionsOf(text)).toEqual(['pg_prewarm']);
    expect(withExtensionSchemas(text, new Map([['pg_prewarm', 'My "S"']]))).toContain('"My ""S""".f()');
  });
});

describe('errors by SQLSTATE', () => {
  it.each([
    ['ECONNREFUSED', 'database_unreachable', false],
    ['57P01', 'database_unreachable', false],
    ['08006', 'database_unreachable', false],
    ['28P01', 'database_denied', true],
    ['42501', 'database_denied', true],
    ['57014', 'statement_timeout', true],
    ['3D000', 'config_invalid', true],
    ['XX001', 'internal', true],
  ])('%s is %s', (code, expected, usable) => {
    expect(classify({ code }).code).toBe(expected);
    expect(leavesSessionUsable({ code })).toBe(usable);
  });

  it('takes a lost connection, which has no code, for unreachable, and a conflict with replay for out of reach', () => {
    expect(classify(new Error('Connection terminated')).code).toBe('database_unreachable');
    expect(isOutOfReach({ code: '40001' })).toBe(true);
    expect(isOutOfReach({ code: '57014' })).toBe(false);
  });
});

describe('the doctor', () => {
  const fine: ServerSettings = {
    version: '18.4',
    version_num: 180_004,
    in_recovery: true,
    server_ms: 1_000_000,
    preload: 'auto_explain, pg_stat_statements',
    compute_query_id: 'auto',
    query_size: 4096,
    io_timing: 'on',
    counts_on: 'on',
    statements_max: 5000,
    receives: true,
    paused: false,
    free_connections: 50,
    max_combine: 128,
  };
  const asked = { startedMs: 999_900, endedMs: 1_000_100 };
  const subjects = (settings: Partial<ServerSettings>, level: string) =>
    checkSettings({ ...fine, ...settings }, asked)
      .filter((finding) => finding.level === level)
      .map((finding) => finding.subject);

  it('has nothing to say where all is well', () => {
    expect(subjects({}, 'fault')).toEqual([]);
    expect(subjects({}, 'warning')).toEqual([]);
  });

  it('names all faults at once', () => {
    const bad = { preload: '', compute_query_id: 'off', counts_on: 'off', paused: true, server_ms: 990_000 };
    expect(subjects(bad, 'fault')).toEqual([
      'shared_preload_libraries',
      'compute_query_id',
      'track_counts',
      'replication',
      'clock',
    ]);
    const poor = { query_size: 1024, io_timing: 'off', free_connections: 2, max_combine: 16 };
    expect(subjects(poor, 'warning')).toEqual([
      'track_activity_query_size',
      'track_io_timing',
      'io_max_combine_limit',
      'max_connections',
    ]);
  });

  it('warns of a superuser, and quotes the role in remedies', () => {
    const privileges: Privileges = {
      role: 'a "b"',
      superuser: false,
      monitors: true,
      readsAll: false,
      readsThrough: true,
      extensions: new Map([['pg_prewarm', '1.2']]),
      has: (extension) => extension !== 'pgfincore',
      can: (extension) => extension !== 'pg_prewarm',
    };
    const text = checkDatabase(privileges, { database: 'app', standby: true }).map(
      ({ remedy }) => remedy ?? '',
    );
    expect(text.join('\n')).toContain('GRANT pg_read_all_data TO "a ""b""";');
    expect(text.join('\n')).toContain('GRANT EXECUTE ON FUNCTION pg_prewarm(');
    const root = checkDatabase({ ...privileges, superuser: true }, { database: 'app', standby: false });
    expect(root.some(({ level, message }) => level === 'warning' && message.includes('superuser'))).toBe(
      true,
    );
  });
});

describe('lag', () => {
  it('is never older than the last moment at which all was replayed', async () => {
    let nowMs = 0;
    const row = {
      in_recovery: true,
      behind: false,
      replay_age_ms: 3_600_000 as number | null,
      paused: false,
      receives: true,
      restores: false,
      active: 0,
      io_waiting: 0,
    };
    const connections = {
      mainDatabase: 'app',
      query: async (_: string, statement: { name: string }) =>
        statement.name === 'health' ? [{ ...row }] : [{ ms: 1, calls: 1 }],
    } as unknown as PostgresConnections;
    const reader = new HealthReader(connections, () => nowMs);
    row.behind = true;
    expect((await reader.read()).lagMs).toBe(3_600_000);
    row.behind = false;
    expect((await reader.read()).lagMs).toBe(0);
    nowMs = 700;
    row.behind = true;
    expect((await reader.read()).lagMs).toBe(700);
    row.replay_age_ms = 40;
    expect((await reader.read()).lagMs).toBe(40);
    row.receives = false;
    expect((await reader.read()).replaying).toBe(false);
  });

  it('is unknown where nothing was ever replayed', async () => {
    const row = { in_recovery: true, behind: true, replay_age_ms: null, paused: true, receives: true };
    const connections = { mainDatabase: 'app', query: async () => [row] } as unknown as PostgresConnections;
    expect(await new HealthReader(connections, () => 0).read()).toMatchObject({
      lagMs: null,
      replaying: false,
    });
  });
});

describe('plans and versions', () => {
  it('finds the index-only scan of one index', () => {
    const plan = { 'Node Type': 'Aggregate', Plans: [{ 'Node Type': 'Index Only Scan', 'Index Name': 'i' }] };
    expect(readsIndexOnly(plan, 'i')).toBe(true);
    expect(readsIndexOnly(plan, 'j')).toBe(false);
  });

  it('knows since when there are cheap counts', () => {
    expect([150_018, 160_000, 180_004].map((version) => featuresOf(version).usageCounts)).toEqual([
      false,
      true,
      true,
    ]);
  });
});
