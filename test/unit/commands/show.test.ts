import { describe, expect, test } from 'vitest';
import { clockFindings, findingOf } from '../../../src/commands/doctor-checks.ts';
import { renderHistory } from '../../../src/commands/history.ts';
import { formatBytes, formatMs, formatShare } from '../../../src/commands/terminal/format.ts';
import { runCommand } from '../../../src/commands/terminal/run-command.ts';
import { selectMigrations } from '../../../src/commands/terminal/status-view.ts';
import { renderTable } from '../../../src/commands/terminal/table.ts';
import { ForewarmError } from '../../../src/lib/errors.ts';
import { within } from '../../../src/lib/within.ts';
import type { Heartbeat } from '../../../src/messages/heartbeat.ts';
import { nameSchema } from '../../../src/messages/names.ts';
import type { MigrationRecord } from '../../../src/messages/record.ts';
import type { Estimate } from '../../../src/messages/requests.ts';
import { rankEstimates } from '../../../src/publisher/rank.ts';
import { newMigrationId } from '../../../src/publisher/warm-ahead.ts';

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [8_192, '8.2 kB'],
  [342_000_000, '342 MB'],
  [137_438_953_472, '137 GB'],
])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

test.each([
  [0, '0 ms'],
  [999.6, '1.0 s'],
  [3_600, '3.6 s'],
  [59_990, '1 min'],
  [125_000, '2 min 5 s'],
  [11_400_000, '3 h 10 min'],
  [187_200_000, '2 d 4 h'],
  [-1_500, '-1.5 s'],
])('%d ms are %s', (ms, text) => expect(formatMs(ms)).toBe(text));

test('shares', () => expect([formatShare(0.954), formatShare(undefined)]).toEqual(['95.4 %', '–']));

test('tables are padded, and no name can drive the terminal', () => {
  const columns = [
    { title: 'NAME', value: (row: readonly string[]) => row[0]! },
    { title: 'N', right: true, value: (row: readonly string[]) => row[1]! },
  ];
  const text = renderTable(columns, [
    ['größe', '7'],
    ['a\u001b[2J', '1234'],
  ]);
  expect(text).toBe('NAME      N\ngröße     7\na [2J  1234\n');
});

test('estimates: candidates, then what fits, then seconds, then lag, then the name', () => {
  const bytes = { workSetBytes: 1, residentBytes: 0, toReadBytes: 1, skippedBytes: 0 };
  const estimate = (replica: string, seconds: number, more: Partial<Estimate> = {}): Estimate => ({
    ...{ v: 1, replica, vm: 'app1', seconds, fits: true, lagMs: 0, ...bytes },
    ...more,
  });
  const ranked = rankEstimates([
    estimate('against', 0, { reason: 'it cannot warm' }),
    estimate('small', 0, { fits: false }),
    estimate('z', 2),
    estimate('slow', 9),
    estimate('lagging', 2, { lagMs: 500 }),
    estimate('a', 2),
  ]);
  expect(ranked.map(({ replica }) => replica)).toEqual(['a', 'z', 'lagging', 'slow', 'small', 'against']);
});

test('status shows all that are under way and the newest that are over', () => {
  const record = (id: string, state: MigrationRecord['state'], minute: number): MigrationRecord => {
    const issuedAt = `2026-01-01T00:0${minute}:00Z`;
    return { v: 1, id, vm: 'app1', target: 'db2', state, deadline: issuedAt, issuedAt };
  };
  const records = [
    record('old-active', 'warming', 0),
    record('over1', 'completed', 1),
    record('over2', 'failed', 2),
    record('over3', 'aborted', 3),
    record('new-active', 'ready', 4),
  ];
  const ids = selectMigrations(records, 2).map(({ id }) => id);
  expect(ids).toEqual(['new-active', 'old-active', 'over3', 'over2']);
});

test('history tells the time between events', () => {
  const text = renderHistory('m1', [
    {
      v: 1,
      id: 'm1',
      vm: 'app1',
      source: 'db1',
      target: 'db2',
      state: 'accepted',
      at: '2026-01-01T00:00:00.000Z',
    },
    {
      v: 1,
      id: 'm1',
      state: 'rejected',
      at: '2026-01-01T00:00:02.500Z',
      reason: 'why',
      code: 'deadline_past',
    },
  ]);
  expect(text).toContain('m1: app1, db1 → db2, 2026-01-01\n');
  expect(text).toMatch(/^00:00:02\.500 +\+2\.5 s +rejected +why \(deadline_past\)$/m);
});

test('ids of migrations are names, whatever the VM is called', () => {
  const id = newMigrationId('x'.repeat(64), new Date('2026-01-02T03:04:05.678Z'));
  expect(nameSchema.safeParse(id).success).toBe(true);
  expect(id).toMatch(/^x{40}-20260102T030405-[0-9a-f]{6}$/);
});

describe('doctor', () => {
  test('an error becomes a fault with its remedy', () => {
    const error = new ForewarmError('broker_unreachable', 'no answer', { hint: 'start it' });
    expect(findingOf('nats', error)).toEqual({
      ...{ level: 'fault', subject: 'nats', message: 'no answer', remedy: 'start it' },
    });
  });

  test('a clock that is ahead or behind is a fault', () => {
    const heartbeat = (replica: string, at: string) => ({ replica, at }) as unknown as Heartbeat;
    const now = Date.parse('2026-01-01T00:00:00Z');
    const findings = clockFindings(
      [
        heartbeat('db1', '2026-01-01T00:00:01Z'),
        heartbeat('db2', '2026-01-01T00:01:00Z'),
        heartbeat('db3', '2025-12-31T23:59:00Z'),
      ],
      now,
    );
    expect(findings.map(({ level }) => level)).toEqual(['ok', 'fault', 'fault']);
    expect(findings[1]!.message).toContain("db2's host is 60.0 s ahead");
    expect(findings[2]!.message).toContain("db3's host is 50.0 s or more behind");
  });
});

describe('the command that is run', () => {
  test.each([
    [['sh', '-c', 'exit 3'], 3],
    [['sh', '-c', 'kill -TERM $$'], 143],
    [['/no/such/command'], 127],
    [['/etc/passwd'], 126],
  ])('%j ends with %d', async (argv, status) => expect((await runCommand(argv).end).status).toBe(status));
});

describe('a bound', () => {
  test('gives the result, or the error, or ends', async () => {
    expect(await within('x', Promise.resolve(7), { ms: 1_000 })).toBe(7);
    await expect(within('x', Promise.reject(new Error('own')), { ms: 1_000 })).rejects.toThrow('own');
    await expect(within('x', new Promise(() => {}), { ms: 1 })).rejects.toThrow('x: no answer within 1 ms');
    const signal = AbortSignal.abort();
    await expect(within('x', new Promise(() => {}), { ms: 60_000, signal })).rejects.toThrow('interrupted');
  });
});
